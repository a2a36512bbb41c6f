import { ageColumn, column, nameColumn } from "../columns.ts";
import type { ParamKind, ValidatingAdmissionPolicy } from "../generated/admissionregistration-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
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
import { isQualifiedName } from "../validation/labels.ts";

const auditAnnotationsMax = 20;
const reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];

export function paramKindText(kind: ParamKind | undefined): string {
  return kind === undefined ? "<unset>" : `${kind.apiVersion ?? ""}/${kind.kind ?? ""}`;
}

function validate(errors: FieldErrors, policy: ValidatingAdmissionPolicy): void {
  const { spec } = policy;
  if (spec.failurePolicy === undefined) errors.required("spec.failurePolicy");
  else validateFailurePolicy(errors, "spec.failurePolicy", spec.failurePolicy);
  validateParamKind(errors, "spec.paramKind", spec.paramKind);
  if (spec.matchConstraints === undefined) errors.required("spec.matchConstraints");
  else {
    validateMatchResources(errors, "spec.matchConstraints", spec.matchConstraints);
    if ((spec.matchConstraints.resourceRules ?? []).length === 0)
      errors.required("spec.matchConstraints.resourceRules");
  }
  validateVariables(errors, "spec.variables", spec.variables);
  validateMatchConditions(errors, "spec.matchConditions", spec.matchConditions);
  if ((spec.validations ?? []).length === 0 && (spec.auditAnnotations ?? []).length === 0) {
    errors.required("spec.validations", "validations or auditAnnotations must contain at least one item");
    errors.required("spec.auditAnnotations", "validations or auditAnnotations must contain at least one item");
  }
  spec.validations?.forEach((validation, index) => {
    const at = `spec.validations[${index}]`;
    if (!validation.expression?.trim()) errors.required(`${at}.expression`, "expression is not specified");
    if (validation.expression?.includes("\n") && !validation.message?.trim() && !validation.messageExpression) {
      errors.required(`${at}.message`, "message must be specified if expression contains line breaks");
    }
    if (validation.message?.includes("\n"))
      errors.invalid(`${at}.message`, validation.message, "message must not contain line breaks");
    if (validation.reason !== undefined && !reasons.includes(validation.reason)) {
      errors.notSupported(`${at}.reason`, validation.reason, reasons);
    }
  });
  const annotations = spec.auditAnnotations ?? [];
  if (annotations.length > auditAnnotationsMax)
    errors.invalid(
      "spec.auditAnnotations",
      annotations,
      `must not have more than ${auditAnnotationsMax} auditAnnotations`,
    );
  const keys = new Set<string>();
  annotations.forEach((annotation, index) => {
    const at = `spec.auditAnnotations[${index}]`;
    errors.invalidEach(
      `${at}.key`,
      annotation.key,
      isQualifiedName(`${policy.metadata.name ?? "policy"}/${annotation.key}`),
    );
    if (keys.has(annotation.key)) errors.duplicate(`${at}.key`, annotation.key);
    keys.add(annotation.key);
    if (!annotation.valueExpression?.trim())
      errors.required(`${at}.valueExpression`, "valueExpression is not specified");
  });
}

export const validatingAdmissionPolicyRules: KindRules<ValidatingAdmissionPolicy> = {
  ...separateStatus<ValidatingAdmissionPolicy>(() => ({})),
  defaults({ spec }) {
    spec.failurePolicy ??= "Fail";
    defaultMatchResources(spec.matchConstraints);
  },
  validate: (policy) => collect((errors) => validate(errors, policy)),
  columns: [
    nameColumn,
    column(
      "Validations",
      "Validations indicates the number of validation rules defined in this configuration",
      "integer",
    ),
    column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy"),
    ageColumn,
  ],
  cells: (policy, now) => [
    policy.metadata.name,
    policy.spec.validations?.length ?? 0,
    paramKindText(policy.spec.paramKind),
    ageOf(policy.metadata.creationTimestamp, now),
  ],
};
