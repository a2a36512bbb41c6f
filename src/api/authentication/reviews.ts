import type { SelfSubjectReview, TokenReview } from "../generated/authentication-v1.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";

export const tokenReviewRules: KindRules<TokenReview> = {
  prepareCreate(review) {
    review.status = { user: {} };
  },
  validate: (review) =>
    collect((errors) => {
      if (!review.spec?.token) errors.required("spec.token", "token is required for TokenReview in authentication");
    }),
};

export const selfSubjectReviewRules: KindRules<SelfSubjectReview> = {};
