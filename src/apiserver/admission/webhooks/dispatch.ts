import type { MutatingWebhook, ValidatingWebhook } from "#api/generated/admissionregistration-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import { apiVersionOf, type Resource } from "#api/resource.ts";
import type { AdmissionRequest, Verdict } from "../../admission.ts";
import { inVersion } from "../../objects/convert.ts";
import type { Steps, TurnTimers } from "../../turns.ts";
import { callWebhook, type CallerParts } from "./call.ts";
import type { MatchConditions } from "./conditions.ts";
import { webhookTimeoutSeconds, webhookWarningLengthMax, webhookWarningsMax } from "./limits.ts";
import { matchedResource, type Matching } from "./match.ts";
import type { RejectionError, WebhookMeasures } from "./measures.ts";
import { readReview, reviewOf, reviewVersions, type ReviewAnswer } from "./review.ts";

export interface WebhookParts extends CallerParts {
  readonly timers: CallerParts["timers"] & TurnTimers;
  readonly uuid: () => string;
  readonly matchConditions: MatchConditions | undefined;
  /** Absent: nobody measures. */
  readonly measures?: WebhookMeasures | undefined;
  readonly log: (message: string, detail: unknown) => void;
}

export type Webhook = ValidatingWebhook | MutatingWebhook;

/** A webhook that is to be asked about a request. */
export interface Asked {
  readonly webhook: Webhook;
  readonly resource: Resource<unknown>;
  readonly object: ApiObject | undefined;
  readonly oldObject: ApiObject | undefined;
}

/** What is to be asked, `undefined` when the webhook does not care, or the end of the request. */
export function* asking(
  parts: WebhookParts,
  request: AdmissionRequest,
  webhook: Webhook,
): Steps<Asked | Verdict | undefined> {
  const resource = matchedResource(request, webhook as Matching, parts.objects);
  if (resource === undefined) return undefined;
  const object = inResource(request, resource, request.object);
  const oldObject = inResource(request, resource, request.oldObject);
  const asked = { webhook, resource, object, oldObject };
  const conditions = webhook.matchConditions ?? [];
  if (conditions.length > 0) {
    const result =
      parts.matchConditions === undefined
        ? { error: "expressions cannot be evaluated" }
        : yield* parts.matchConditions(conditions, request, asked);
    if ("error" in result) return conditionFailed(parts, request, webhook, result.error);
    if (!result.holds) return undefined;
  }
  if (request.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") {
    const message = `admission webhook "${webhook.name}" does not support dry run`;
    return { allowed: false, isWhole: true, code: 400, reason: "BadRequest", message };
  }
  return asked;
}

function conditionFailed(
  parts: WebhookParts,
  request: AdmissionRequest,
  webhook: Webhook,
  error: string,
): Verdict | undefined {
  parts.log(`cannot evaluate the match conditions of webhook ${webhook.name}`, error);
  if (webhook.failurePolicy === "Ignore") return undefined;
  const what = request.group === "" ? request.resource : `${request.resource}.${request.group}`;
  return {
    allowed: false,
    isWhole: true,
    code: 403,
    reason: "Forbidden",
    message: `${what} "${request.name}" is forbidden: ${error}`,
  };
}

/** A copy in the version that the webhook asked for: what it sees must carry a kind, and nobody may change what is stored. */
function inResource(
  request: AdmissionRequest,
  resource: Resource<unknown>,
  object: ApiObject | undefined,
): ApiObject | undefined {
  if (object === undefined) return undefined;
  const served = request.origin?.registry.find(apiVersionOf(resource), resource.resource);
  const isOwnKind = object.kind === undefined || object.kind === resource.kind;
  return served === undefined || !isOwnKind ? object : inVersion(served, object);
}

export type Reply = { readonly answer: ReviewAnswer } | { readonly verdict: Verdict };

/** Asks a webhook. A webhook that cannot be asked either lets pass or ends the request, as its failure policy says. */
export async function ask(parts: WebhookParts, request: AdmissionRequest, asked: Asked): Promise<Reply> {
  const { webhook, resource, object, oldObject } = asked;
  const reviewVersion = reviewVersions.find((version) => webhook.admissionReviewVersions.includes(version)) ?? "v1";
  const order = { uid: parts.uuid(), resource, reviewVersion, object, oldObject };
  const timeoutSeconds = webhook.timeoutSeconds ?? webhookTimeoutSeconds;
  const { measures } = parts;
  const sinceMs = measures?.now() ?? 0;
  const told = { webhook, isMutating: isMutating(webhook), operation: request.operation };
  const reply = await callWebhook(parts, webhook.clientConfig, reviewOf(request, order), timeoutSeconds);
  const answer = reply.ok
    ? readReview(reply.body, order, told.isMutating)
    : { problem: `failed to call webhook: ${reply.problem}` };
  if (typeof answer === "string" || "problem" in answer) {
    measures?.asked(told, undefined, webhook.failurePolicy !== "Ignore", sinceMs);
    const problem = typeof answer === "string" ? `received invalid webhook response: ${answer}` : answer.problem;
    return failed(parts, request, webhook, problem, "calling_webhook_error");
  }
  const verdict = answer.allowed ? undefined : denied(webhook.name, answer);
  measures?.asked(told, verdict === undefined ? 200 : verdict.code, verdict !== undefined, sinceMs);
  if (verdict !== undefined) measures?.rejected(told, "no_error", verdict.code);
  for (const warning of answer.warnings.slice(0, webhookWarningsMax))
    request.warnings.push(warning.slice(0, webhookWarningLengthMax));
  for (const [key, value] of Object.entries(answer.auditAnnotations))
    request.auditAnnotations[`${webhook.name}/${key}`] = value;
  return verdict === undefined ? { answer } : { verdict };
}

/** A webhook gave no answer that counts. */
export function failed(
  parts: WebhookParts,
  request: AdmissionRequest,
  webhook: Webhook,
  problem: string,
  error: RejectionError,
): Reply {
  const told = { webhook, isMutating: isMutating(webhook), operation: request.operation };
  if (webhook.failurePolicy === "Ignore") {
    parts.measures?.failedOpen(told);
    parts.log(`webhook ${webhook.name} failed and is ignored`, problem);
    request.auditAnnotations[`failed-open.admission.k8s.io/${webhook.name}`] = "true";
    return { answer: { allowed: true, status: {}, patch: undefined, warnings: [], auditAnnotations: {} } };
  }
  parts.measures?.rejected(told, error, undefined);
  const message = `Internal error occurred: failed calling webhook "${webhook.name}": ${problem}`;
  return { verdict: { allowed: false, isWhole: true, code: 500, reason: "InternalError", message } };
}

function isMutating(webhook: Webhook): boolean {
  return "reinvocationPolicy" in webhook;
}

function denied(name: string, { status }: ReviewAnswer): Extract<Verdict, { readonly allowed: false }> {
  const by = `admission webhook "${name}" denied the request`;
  const why = status.message || status.reason;
  const message = why === undefined || why === "" ? `${by} without explanation` : `${by}: ${why}`;
  const code = status.code === undefined || status.code < 400 || 599 < status.code ? 400 : status.code;
  return { allowed: false, isWhole: true, code, reason: status.reason ?? "", message };
}
