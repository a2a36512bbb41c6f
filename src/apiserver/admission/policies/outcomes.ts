import type { AdmissionRequest, Verdict } from "../../admission.ts";
import { allow } from "../request.ts";

export interface Problem {
  readonly message: string;
  /** As in a Status: Invalid, Forbidden, Unauthorized, RequestEntityTooLarge. */
  readonly reason: string;
  /** Which of the policy's validations. */
  readonly index: number;
}

interface Names {
  readonly policy: string;
  readonly binding: string;
}

const codes: Readonly<Record<string, number>> = {
  Invalid: 422,
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
};

/** Collects what policies found wrong and does with it what their bindings say: deny, warn, note for the audit. */
export class Outcomes {
  readonly #request: AdmissionRequest;
  readonly #denials: { readonly message: string; readonly reason: string }[] = [];
  readonly #audited: Record<string, unknown>[] = [];
  readonly #warnings: string[] = [];
  readonly #annotations: Record<string, string> = {};

  constructor(request: AdmissionRequest) {
    this.#request = request;
  }

  add({ policy, binding }: Names, actions: readonly string[], { message, reason, index }: Problem): void {
    if (actions.includes("Deny")) {
      const text = `ValidatingAdmissionPolicy '${policy}' with binding '${binding}' denied request: ${message}`;
      this.#denials.push({ message: text, reason });
    }
    if (actions.includes("Warn")) {
      this.#warnings.push(
        `Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${binding}': ${message}`,
      );
    }
    if (actions.includes("Audit")) {
      this.#audited.push({ message, policy, binding, expressionIndex: index, validationActions: actions });
      this.#annotations["validation.policy.admission.k8s.io/validation_failure"] = JSON.stringify(this.#audited);
    }
  }

  /** Values of several bindings stand side by side. */
  annotate(key: string, value: string): void {
    const annotations = this.#annotations;
    const known = annotations[key];
    if (known === undefined) annotations[key] = value;
    else if (!known.split(", ").includes(value)) annotations[key] = `${known}, ${value}`;
  }

  /** Tells the request what was found; the first denial decides how it ends. */
  verdict(): Verdict {
    this.#request.warnings.push(...this.#warnings);
    Object.assign(this.#request.auditAnnotations, this.#annotations);
    const [first] = this.#denials;
    if (first === undefined) return allow;
    const { group, resource, name } = this.#request;
    const what = group === "" ? resource : `${resource}.${group}`;
    const subject = name === "" ? what : `${what} "${name}"`;
    return {
      allowed: false,
      isWhole: true,
      code: codes[first.reason] ?? 422,
      reason: first.reason,
      message: `${subject} is forbidden: ${first.message}`,
      causes: this.#denials.map(({ message }) => ({ field: "", reason: "", message })),
    };
  }
}
