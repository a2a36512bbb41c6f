import type { SelfSubjectReview, TokenRequest, TokenReview } from "../generated/authentication-v1.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";

const lifetimeMinSeconds = 600;
const lifetimeMaxSeconds = 2 ** 32;
const lifetimeSeconds = 3600;

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

/** What clients may leave out of a TokenRequest, the body of serviceaccounts/token. */
export function defaultTokenRequest(request: TokenRequest): void {
  request.spec.expirationSeconds ??= lifetimeSeconds;
}

export function validateTokenRequest(errors: FieldErrors, request: TokenRequest): void {
  const seconds = request.spec.expirationSeconds ?? lifetimeSeconds;
  if (seconds < lifetimeMinSeconds)
    errors.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes");
  if (seconds > lifetimeMaxSeconds)
    errors.invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds");
}
