import type { AuthorizerQuestion } from "#cel/library/authorizer.ts";
import type { AdmissionRequest } from "../../admission.ts";
import type { Authorizer, Decision } from "../../authorizer.ts";
import { questionsMax } from "./limits.ts";

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

/** Runs `evaluate` again with each answer that it has to wait for. It must leave nothing behind when it does not end. */
export function whenAnswered<T>(evaluate: () => T): T | Promise<T> {
  try {
    return evaluate();
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    return error.answer.then(() => whenAnswered(evaluate));
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
