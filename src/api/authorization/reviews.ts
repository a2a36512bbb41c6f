import type {
  LocalSubjectAccessReview,
  NonResourceAttributes,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
} from "../generated/authorization-v1.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";

interface Attributes {
  resourceAttributes?: ResourceAttributes;
  nonResourceAttributes?: NonResourceAttributes;
}

function validateAttributes(errors: FieldErrors, spec: Attributes): void {
  const resource = spec.resourceAttributes !== undefined;
  const other = spec.nonResourceAttributes !== undefined;
  if (resource && other) {
    errors.invalid(
      "spec.nonResourceAttributes",
      spec.nonResourceAttributes,
      "cannot be specified in combination with resourceAttributes",
    );
  } else if (!resource && !other) {
    errors.invalid(
      "spec.resourceAttributes",
      spec.resourceAttributes,
      "exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
  }
}

function validateSubject(errors: FieldErrors, spec: SubjectAccessReviewSpec): void {
  validateAttributes(errors, spec);
  if (!spec.user && (spec.groups ?? []).length === 0) {
    errors.invalid("spec.user", spec.user ?? "", "at least one of user or group must be specified");
  }
}

export const subjectAccessReviewRules: KindRules<SubjectAccessReview> = {
  validate: (review) => collect((errors) => validateSubject(errors, review.spec)),
};

export const selfSubjectAccessReviewRules: KindRules<SelfSubjectAccessReview> = {
  validate: (review) => collect((errors) => validateAttributes(errors, review.spec)),
};

export const localSubjectAccessReviewRules: KindRules<LocalSubjectAccessReview> = {
  validate: (review) =>
    collect((errors) => {
      validateSubject(errors, review.spec);
      const namespace = review.spec.resourceAttributes?.namespace;
      if (review.spec.resourceAttributes !== undefined && namespace !== review.metadata?.namespace) {
        errors.invalid("spec.resourceAttributes.namespace", namespace ?? "", "must match metadata.namespace");
      }
      if (review.spec.nonResourceAttributes !== undefined) {
        errors.invalid(
          "spec.nonResourceAttributes",
          review.spec.nonResourceAttributes,
          "disallowed on this kind of request",
        );
      }
    }),
};

export const selfSubjectRulesReviewRules: KindRules<SelfSubjectRulesReview> = {};
