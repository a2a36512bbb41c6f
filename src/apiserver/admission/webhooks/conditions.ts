import type { MatchCondition } from "#api/generated/admissionregistration-v1.ts";
import type { AdmissionRequest } from "../../admission.ts";
import type { Steps } from "../../turns.ts";

/** Whether all match conditions hold. `error`: one could not be evaluated and none was false. */
export type ConditionsResult = { readonly holds: boolean } | { readonly error: string };

/** Evaluates the match conditions of a webhook; CEL is the business of who gives this. */
export type MatchConditions = (
  conditions: readonly MatchCondition[],
  request: AdmissionRequest,
  seen: { readonly object: unknown; readonly oldObject: unknown },
) => Steps<ConditionsResult>;
