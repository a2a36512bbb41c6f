import { parseDuration } from "#codec/duration.ts";
import { isRecord } from "#codec/record.ts";
import { parseYaml } from "#codec/yaml.ts";

/** What a configuration file says, or everything that is wrong with it. */
export type Configured<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** A map of a configuration document. Each field is asked for once; `end` reports those that nobody asked for. */
export class Section {
  readonly path: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #problems: string[];
  readonly #asked = new Set<string>();

  constructor(fields: Readonly<Record<string, unknown>>, path: string, problems: string[]) {
    this.#fields = fields;
    this.path = path;
    this.#problems = problems;
  }

  problem(field: string, message: string): void {
    this.#problems.push(`${this.at(field)}: ${message}`);
  }

  has(field: string): boolean {
    return this.#take(field) !== undefined;
  }

  /** Undefined when the field is absent; a value of another type is a problem. */
  text(field: string): string | undefined {
    return this.#typed(field, "a string", (value) => typeof value === "string");
  }

  /** The same, where absence is a problem too. */
  neededText(field: string): string {
    const value = this.text(field);
    if (value === undefined || value === "") this.problem(field, "Required value");
    return value ?? "";
  }

  flag(field: string): boolean | undefined {
    return this.#typed(field, "a boolean", (value) => typeof value === "boolean");
  }

  integer(field: string): number | undefined {
    return this.#typed(field, "an integer", (value) => Number.isSafeInteger(value));
  }

  /** Milliseconds of a duration in Go's notation: `30s`. */
  durationMs(field: string): number | undefined {
    const text = this.text(field);
    if (text === undefined) return undefined;
    const parsed = parseDuration(text);
    if (parsed.ok && 0n <= parsed.nanos) return Number(parsed.nanos / 1_000_000n);
    this.problem(field, `"${text}" is no duration`);
    return undefined;
  }

  texts(field: string): readonly string[] {
    const isTexts = (value: unknown): boolean =>
      Array.isArray(value) && value.every((each: unknown) => typeof each === "string");
    return this.#typed<string[]>(field, "a list of strings", isTexts) ?? [];
  }

  section(field: string): Section | undefined {
    const value = this.#typed<Record<string, unknown>>(field, "an object", isRecord);
    return value === undefined ? undefined : new Section(value, this.at(field), this.#problems);
  }

  sections(field: string): readonly Section[] {
    const isList = (value: unknown): boolean => Array.isArray(value) && value.every(isRecord);
    const values = this.#typed<Record<string, unknown>[]>(field, "a list of objects", isList) ?? [];
    return values.map((value, index) => new Section(value, `${this.at(field)}[${index}]`, this.#problems));
  }

  /** Whatever nobody asked for is a mistake: a setting that is silently ignored opens doors. */
  end(): void {
    for (const field of Object.keys(this.#fields)) if (!this.#asked.has(field)) this.problem(field, "unknown field");
  }

  at(field: string): string {
    return this.path === "" ? field : `${this.path}.${field}`;
  }

  #take(field: string): unknown {
    this.#asked.add(field);
    const value = Object.hasOwn(this.#fields, field) ? this.#fields[field] : undefined;
    return value ?? undefined;
  }

  #typed<T>(field: string, what: string, fits: (value: unknown) => boolean): T | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    if (fits(value)) return value as T;
    this.problem(field, `must be ${what}`);
    return undefined;
  }
}

export const configurationGroup = "apiserver.config.k8s.io";

/**
 * Reads a YAML file that holds one document of `kind`, in one of these versions, strictly: unknown fields and keys that are
 * given twice are problems. All problems are told at once.
 */
export function readDocument<T>(
  text: string,
  expected: { readonly kind: string; readonly apiVersions: readonly string[] },
  read: (root: Section) => T,
): Configured<T> {
  const parsed = parseYaml(text);
  if (!parsed.ok) return { ok: false, problem: parsed.message };
  if (parsed.duplicates.length > 0) return { ok: false, problem: parsed.duplicates.join("; ") };
  const [document] = parsed.documents;
  if (parsed.documents.length !== 1 || !isRecord(document)) return { ok: false, problem: "it must hold one document" };
  const { kind, apiVersion } = document;
  if (kind !== expected.kind || !expected.apiVersions.some((version) => version === apiVersion)) {
    return { ok: false, problem: `it is no ${expected.kind} of ${expected.apiVersions[0]}` };
  }
  const problems: string[] = [];
  const root = new Section(document, "", problems);
  root.has("kind");
  root.has("apiVersion");
  const value = read(root);
  return problems.length === 0 ? { ok: true, value } : { ok: false, problem: problems.join("; ") };
}
