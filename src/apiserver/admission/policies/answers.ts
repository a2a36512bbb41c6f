import type { AuthorizerQuestion } from "#cel/library/authorizer.ts";
import type { AdmissionRequest } from "../../admission.ts";
import type { Authorizer, Decision } from "../../authorizer.ts";
import { questionsMax } from "./limits.ts";
import type { Steps, TurnTimers } from "../../turns.ts";

/**
 * Thrown out of an expression that asks an authorizer outside: expressions are evaluated in one turn, so whoever evaluates waits
 * for the answer and begins again with it. Deliberately no Error: nobody sees it.
 */
class Unanswered {
  readonly answer: Promise<void>;

  constructor(answer: Promise<void>) {
    this.answer = answer;
  }
}

const answersOf = new WeakMap<AdmissionRequest, Map<string, Decision>>();
const tooMany: Decision = { allowed: false, denied: false, reason: "expressions have asked too many questions" };

/** The decision on a question of an expression: the same one for a request however often it is asked. */
export function decisionOn(
  authorizer: Pick<Authorizer, "authorize">,
  request: AdmissionRequest,
  { serviceAccount, path, ...attributes }: AuthorizerQuestion,
): Decision {
  let answers = answersOf.get(request);
  if (answers === undefined) answersOf.set(request, (answers = new Map<string, Decision>()));
  const question = JSON.stringify([serviceAccount, path, attributes]);
  const known = answers.get(question);
  if (known !== undefined) return known;
  if (questionsMax <= answers.size) return tooMany;
  const user = serviceAccount === undefined ? request.user : userOf(serviceAccount);
  const isResource = path === undefined;
  const decision = authorizer.authorize({ ...attributes, user, isResource, version: "*", path: path ?? "" });
  if (!(decision instanceof Promise)) {
    answers.set(question, decision);
    return decision;
  }
  const kept = answers;
  throw new Unanswered(decision.then((settled) => void kept.set(question, settled)));
}

/**
 * Goes through the steps that `evaluate` makes, with a turn for others between them, and makes new ones with each answer that they
 * have to wait for. Steps must leave nothing behind when they do not end. A promise only where somebody has to wait.
 */
export function whenAnswered<T>(evaluate: () => Steps<T>, timers: TurnTimers): T | Promise<T> {
  const steps = evaluate();
  const first = nextOf(steps);
  if (!(first instanceof Unanswered) && first.done === true) return first.value;
  return goOn(evaluate, steps, first, timers);
}

async function goOn<T>(
  evaluate: () => Steps<T>,
  begun: Steps<T>,
  first: IteratorResult<void, T> | Unanswered,
  timers: TurnTimers,
): Promise<T> {
  let steps = begun;
  for (let step = first; ; step = nextOf(steps)) {
    if (step instanceof Unanswered) {
      await step.answer;
      steps = evaluate();
    } else if (step.done === true) return step.value;
    else await timers.yield();
  }
}

function nextOf<T>(steps: Steps<T>): IteratorResult<void, T> | Unanswered {
  try {
    return steps.next();
  } catch (error) {
    if (error instanceof Unanswered) return error;
    throw error;
  }
}

function userOf({ namespace, name }: { namespace: string; name: string }): AdmissionRequest["user"] {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    uid: "",
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
    extra: {},
  };
}
