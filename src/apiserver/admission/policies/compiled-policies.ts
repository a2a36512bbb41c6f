interface Policy {
  readonly metadata: { readonly name?: string; readonly uid?: string; readonly generation?: number };
}

/** What policies compile to, made anew only when a policy's spec has changed. */
export class CompiledPolicies<P extends Policy, C> {
  readonly #compile: (policy: P) => C;
  readonly #known = new Map<string, { readonly state: string; readonly compiled: C }>();

  constructor(compile: (policy: P) => C) {
    this.#compile = compile;
  }

  of(policy: P): C {
    const { name = "", uid = "", generation = 0 } = policy.metadata;
    const state = `${uid}/${generation}`;
    const known = this.#known.get(name);
    if (known?.state === state) return known.compiled;
    const compiled = this.#compile(policy);
    if (compiledMax <= this.#known.size) this.#known.clear();
    this.#known.set(name, { state, compiled });
    return compiled;
  }
}

/** Policies that are kept compiled. */
const compiledMax = 2_000;
