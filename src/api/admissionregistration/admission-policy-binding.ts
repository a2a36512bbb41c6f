import { ageColumn, column, nameColumn } from "../columns.ts";
import type {
  MutatingAdmissionPolicyBinding,
  ParamRef,
  ValidatingAdmissionPolicyBinding,
} from "../generated/admissionregistration-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import {
  defaultMatchResources,
  validateMatchResources,
  validateParamRef,
} from "../validation/admission-registration.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";

const actions = ["Audit", "Deny", "Warn"];

type Binding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding;

function setDefaults({ spec }: Binding): void {
  defaultMatchResources(spec.matchResources);
}

function validate(errors: FieldErrors, { spec }: Binding): void {
  if (!spec.policyName) errors.required("spec.policyName");
  validateParamRef(errors, "spec.paramRef", spec.paramRef);
  validateMatchResources(errors, "spec.matchResources", spec.matchResources);
}

function validateActions(errors: FieldErrors, binding: ValidatingAdmissionPolicyBinding): void {
  const given = binding.spec.validationActions ?? [];
  if (given.length === 0) errors.required("spec.validationActions", "at least one validation action is required");
  const seen = new Set<string>();
  given.forEach((action, index) => {
    if (!actions.includes(action)) errors.notSupported(`spec.validationActions[${index}]`, action, actions);
    if (seen.has(action)) errors.duplicate(`spec.validationActions[${index}]`, action);
    seen.add(action);
  });
  if (seen.has("Deny") && seen.has("Warn")) {
    errors.invalid(
      "spec.validationActions",
      given,
      "must not contain both Deny and Warn (repeating the same validation failure information in the API " +
        "response and headers serves no purpose)",
    );
  }
}

function paramRefText(ref: ParamRef | undefined): string {
  if (ref === undefined) return "<unset>";
  const name = ref.name ?? "*";
  return ref.namespace === undefined || ref.namespace === "" ? name : `${ref.namespace}/${name}`;
}

const columns = [
  nameColumn,
  column("PolicyName", "PolicyName indicates the policy definition which the policy binding binded to"),
  column("ParamRef", "ParamRef indicates the param resource which sets the configration param"),
  ageColumn,
];

function cells(binding: Binding, now: number): (string | undefined)[] {
  return [
    binding.metadata.name,
    binding.spec.policyName ?? "",
    paramRefText(binding.spec.paramRef),
    ageOf(binding.metadata.creationTimestamp, now),
  ];
}

export const validatingAdmissionPolicyBindingRules: KindRules<ValidatingAdmissionPolicyBinding> = {
  defaults: setDefaults,
  validate: (binding) =>
    collect((errors) => {
      validate(errors, binding);
      validateActions(errors, binding);
    }),
  countsGeneration: true,
  columns,
  cells,
};

export const mutatingAdmissionPolicyBindingRules: KindRules<MutatingAdmissionPolicyBinding> = {
  defaults: setDefaults,
  validate: (binding) => collect((errors) => validate(errors, binding)),
  countsGeneration: true,
  columns,
  cells,
};
