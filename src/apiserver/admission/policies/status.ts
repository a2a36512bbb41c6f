import type { ValidatingAdmissionPolicy } from "#api/generated/admissionregistration-v1.ts";
import { validatingadmissionpolicies } from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import { cloneValue } from "#codec/record.ts";
import type { Parts } from "../../call.ts";
import { Failure } from "../../failure.ts";
import { internalCall } from "../../internal-call.ts";
import { endOf, prefixOf } from "../../keys.ts";
import { Passes } from "../../passes.ts";
import { updateObject } from "../../verbs/update.ts";
import { typeWarnings } from "./type-check.ts";

/** Checks the types of validating policies whenever one has changed, and writes what it found into their status. */
export class PolicyStatus {
  readonly #parts: Parts;
  readonly #prefix = prefixOf(validatingadmissionpolicies.group, validatingadmissionpolicies.resource);
  readonly #listening: { close(): void };

  constructor(parts: Parts) {
    this.#parts = parts;
    const passes = new Passes(
      () => this.#checkAll(),
      (error) => parts.log("cannot check the types of admission policies", error),
    );
    this.#listening = parts.hub.onChange(this.#prefix, () => passes.request());
    passes.request();
  }

  close(): void {
    this.#listening.close();
  }

  async #checkAll(): Promise<void> {
    const { store, objects } = this.#parts;
    for (const entry of store.snapshot().range(this.#prefix, endOf(this.#prefix))) {
      const policy = objects.decoded(entry) as ApiObject & ValidatingAdmissionPolicy;
      if (policy.status?.observedGeneration !== policy.metadata.generation) await this.#check(policy);
    }
  }

  async #check(policy: ApiObject & ValidatingAdmissionPolicy): Promise<void> {
    const apiVersion = apiVersionOf(validatingadmissionpolicies);
    const { registry } = this.#parts;
    const served = registry.find(apiVersion, validatingadmissionpolicies.resource);
    if (served === undefined) return;
    const { name = "", generation = 0 } = policy.metadata;
    const expressionWarnings = typeWarnings(policy, registry);
    const path = `/apis/${apiVersion}/${validatingadmissionpolicies.resource}/${name}/status`;
    const call = internalCall(this.#parts, "PUT", path, "apiserver/policy-types");
    const transform = (old: ApiObject): ApiObject => {
      const next = cloneValue(old) as ApiObject & ValidatingAdmissionPolicy;
      const typeChecking = expressionWarnings.length === 0 ? {} : { expressionWarnings };
      next.status = { ...next.status, observedGeneration: generation, typeChecking };
      return next;
    };
    const options = { dryRun: false, fieldManager: "steersman", force: undefined };
    const result = await updateObject(call, served, options, transform, { verb: "update", direct: true });
    if (result instanceof Failure && result.code !== 404)
      throw new Error(`cannot write the status of ${name}: ${result.message}`);
  }
}
