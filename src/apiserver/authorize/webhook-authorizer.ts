import { fromJson } from "#cel/json.ts";
import { kubernetesEnvironment } from "#cel/kubernetes.ts";
import { compileExpression, type Program } from "#cel/program.ts";
import { bool, dyn } from "#cel/types.ts";
import { isRecord } from "#codec/record.ts";
import type { Clock } from "#world/clock.ts";
import type { Attributes, Authorizer, Decision } from "../authorizer.ts";
import { BoundedCache } from "../authenticate/bounded-cache.ts";
import type { WebhookAuthorizerSettings } from "../configuration/authorization.ts";
import type { RemoteEndpoint } from "../configuration/kubeconfig.ts";
import type { Remote } from "../remote/remote.ts";
import { soonInTurns, Turn, type Steps, type TurnTimers } from "../turns.ts";
import { conditionsCostMax, keptQuestionCharsMax, keptVerdictsMax } from "./limits.ts";

interface Kept {
  readonly decision: Decision;
  /** On the monotonic clock. */
  readonly until: number;
}

const noOpinion: Decision = { allowed: false, denied: false, reason: "" };
const conditionEnvironment = kubernetesEnvironment.with([{ name: "request", type: dyn }]);

/**
 * Asks a server outside whether a request may be (Kubernetes: "Webhook Mode"). Its match conditions keep requests away from it
 * that it has no say in; its verdicts are remembered as long as it is configured; when it gives none, the failure policy
 * decides. Throws for conditions that cannot be compiled: at the start, not at a request.
 */
export function createWebhookAuthorizer(
  settings: WebhookAuthorizerSettings,
  endpoint: RemoteEndpoint,
  parts: {
    readonly clock: Pick<Clock, "monotonic">;
    readonly timers: TurnTimers;
    readonly remote: Remote;
    readonly log: (message: string, detail: string) => void;
  },
): Authorizer {
  const conditions = settings.matchConditions.map((expression) => compileCondition(settings.name, expression));
  const kept = new BoundedCache<Kept>(keptVerdictsMax);
  const asking = new Map<string, Promise<Decision>>();
  const failed: Decision =
    settings.failurePolicy === "NoOpinion"
      ? noOpinion
      : { allowed: false, denied: true, reason: `the authorizer ${settings.name} gave no verdict` };

  async function ask(spec: object, question: string): Promise<Decision> {
    const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", metadata: {}, spec };
    const reply = await parts.remote.post(endpoint, review, settings.timeoutMs);
    const status = reply.ok ? reply.body["status"] : undefined;
    if (!reply.ok || !isRecord(status)) {
      const detail = reply.ok ? "its answer has no status" : reply.problem;
      parts.log(`the authorizer ${settings.name} gave no verdict`, detail);
      return failed;
    }
    const decision = decisionOf(status);
    const keepMs = decision.allowed ? settings.authorizedKeepMs : settings.unauthorizedKeepMs;
    if (keepMs > 0 && question.length <= keptQuestionCharsMax)
      kept.set(question, { decision, until: parts.clock.monotonic() + keepMs });
    return decision;
  }

  function decide(spec: object, isFor: boolean | "error"): Decision | Promise<Decision> {
    if (isFor === "error") return failed;
    if (!isFor) return noOpinion;
    const question = JSON.stringify(spec);
    const known = kept.get(question);
    if (known !== undefined && parts.clock.monotonic() < known.until) return known.decision;
    let answer = asking.get(question);
    if (answer === undefined) {
      answer = ask(spec, question).finally(() => asking.delete(question));
      asking.set(question, answer);
    }
    return answer;
  }

  return {
    authorize(wanted) {
      const spec = specOf(wanted);
      const turn = new Turn(parts.clock);
      const isFor = soonInTurns(turn.through(conditionsHold(conditions, spec, turn)), parts.timers);
      return isFor instanceof Promise ? isFor.then((settled) => decide(spec, settled)) : decide(spec, isFor);
    },
    // It answers questions, and lists nothing.
    rulesFor: () => ({ resourceRules: [], nonResourceRules: [], incomplete: true }),
  };
}

function compileCondition(name: string, expression: string): Program {
  const compiled = compileExpression(conditionEnvironment, expression, [bool]);
  if (compiled.ok) return compiled.program;
  throw new Error(
    `Cannot use the authorizer ${name}: match condition ${JSON.stringify(expression)}: ${compiled.message}`,
  );
}

/** A condition that is false settles it, whatever is wrong with others. */
function* conditionsHold(conditions: readonly Program[], spec: object, turn: Turn): Steps<boolean | "error"> {
  if (conditions.length === 0) return true;
  const values = [fromJson(spec, dyn)];
  let left = conditionsCostMax;
  let isBroken = false;
  for (const condition of conditions) {
    const result = yield* condition.inTurns(values, left, turn.isOver);
    left -= result.cost;
    if (!result.ok) isBroken = true;
    else if (result.value !== true) return false;
  }
  return isBroken ? "error" : true;
}

/** The spec of a SubjectAccessReview; empty fields are left out, so that `has()` says whether they were given. */
function specOf({ user, isResource, verb, path, fieldRequirements, ...wanted }: Attributes): Record<string, unknown> {
  const { group, version, resource, subresource, namespace, name } = wanted;
  const given = Object.entries({ namespace, verb, group, version, resource, subresource, name });
  const requirements = (fieldRequirements ?? []).map(({ key, value }) => ({ key, operator: "In", values: [value] }));
  const resourceAttributes = {
    ...Object.fromEntries(given.filter(([, value]) => value !== "")),
    ...(requirements.length > 0 && { fieldSelector: { requirements } }),
  };
  return {
    ...(isResource ? { resourceAttributes } : { nonResourceAttributes: { path, verb } }),
    user: user.name,
    ...(user.uid !== "" && { uid: user.uid }),
    ...(user.groups.length > 0 && { groups: user.groups }),
    ...(Object.keys(user.extra).length > 0 && { extra: user.extra }),
  };
}

function decisionOf(status: Readonly<Record<string, unknown>>): Decision {
  const reason = typeof status["reason"] === "string" ? status["reason"] : "";
  const denied = status["denied"] === true;
  // An answer that says both means no.
  if (status["allowed"] === true && !denied) return { allowed: true, reason };
  return { allowed: false, denied, reason };
}
