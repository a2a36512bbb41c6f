import { ageColumn, column, nameColumn } from "../columns.ts";
import type { MutatingAdmissionPolicy } from "../generated/admissionregistration-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import {
  defaultMatchResources,
  validateFailurePolicy,
  validateMatchConditions,
  validateMatchResources,
  validateParamKind,
  validateVariables,
} from "../validation/admission-registration.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { paramKindText } from "./validating-admission-policy.ts";

const patchTypes = ["ApplyConfiguration", "JSONPatch"];
const reinvocationPolicies = ["IfNeeded", "Never"];

function validateMutations(errors: FieldErrors, policy: MutatingAdmissionPolicy): void {
  if ((policy.spec.mutations ?? []).length === 0)
    errors.required("spec.mutations", "mutations must contain at least one item");
  policy.spec.mutations?.forEach((mutation, index) => {
    const at = `spec.mutations[${index}]`;
    switch (mutation.patchType) {
      case "ApplyConfiguration":
        if (!mutation.applyConfiguration?.expression?.trim())
          errors.required(`${at}.applyConfiguration.expression`, "expression is not specified");
        if (mutation.jsonPatch !== undefined)
          errors.forbidden(`${at}.jsonPatch`, "must not be set when patchType is ApplyConfiguration");
        break;
      case "JSONPatch":
        if (!mutation.jsonPatch?.expression?.trim())
          errors.required(`${at}.jsonPatch.expression`, "expression is not specified");
        if (mutation.applyConfiguration !== undefined)
          errors.forbidden(`${at}.applyConfiguration`, "must not be set when patchType is JSONPatch");
        break;
      default:
        if (mutation.patchType) errors.notSupported(`${at}.patchType`, mutation.patchType, patchTypes);
        else errors.required(`${at}.patchType`, "patchType is not specified");
    }
  });
}

export const mutatingAdmissionPolicyRules: KindRules<MutatingAdmissionPolicy> = {
  defaults({ spec }) {
    spec.failurePolicy ??= "Fail";
    defaultMatchResources(spec.matchConstraints);
  },
  validate: (policy) =>
    collect((errors) => {
      const { spec } = policy;
      validateFailurePolicy(errors, "spec.failurePolicy", spec.failurePolicy);
      validateParamKind(errors, "spec.paramKind", spec.paramKind);
      if (spec.matchConstraints === undefined) errors.required("spec.matchConstraints");
      else {
        validateMatchResources(errors, "spec.matchConstraints", spec.matchConstraints);
        if ((spec.matchConstraints.resourceRules ?? []).length === 0)
          errors.required("spec.matchConstraints.resourceRules");
      }
      validateVariables(errors, "spec.variables", spec.variables);
      validateMatchConditions(errors, "spec.matchConditions", spec.matchConditions);
      validateMutations(errors, policy);
      if (!spec.reinvocationPolicy) errors.required("spec.reinvocationPolicy");
      else if (!reinvocationPolicies.includes(spec.reinvocationPolicy)) {
        errors.notSupported("spec.reinvocationPolicy", spec.reinvocationPolicy, reinvocationPolicies);
      }
    }),
  countsGeneration: true,
  columns: [
    nameColumn,
    column("Mutations", "Mutations indicates the number of mutation rules defined in this configuration", "integer"),
    column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy"),
    ageColumn,
  ],
  cells: (policy, now) => [
    policy.metadata.name,
    policy.spec.mutations?.length ?? 0,
    paramKindText(policy.spec.paramKind),
    ageOf(policy.metadata.creationTimestamp, now),
  ],
};
