import { fail } from "../failure.ts";
import { member, type Overload } from "../library.ts";
import { bool, opaque, string } from "../types.ts";
import { Opaque } from "../value.ts";

/** What an expression asks the authorizer. */
export interface AuthorizerQuestion {
  /** Set when it asks for a service account instead of the request's user. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
  readonly verb: string;
  /** Set for paths that are no resources. */
  readonly path?: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

export type AskAuthorizer = (question: AuthorizerQuestion) => { readonly allowed: boolean; readonly reason: string };

type Attributes = Omit<AuthorizerQuestion, "verb">;

const empty: Attributes = { group: "", resource: "", subresource: "", namespace: "", name: "" };

/** Each check costs this much: an expression can afford two. */
const checkCost = 350_000;

/** Something on the way to a check: an authorizer, a path, a group, a resource. */
class AuthorizerValue extends Opaque {
  readonly typeName: string;
  readonly ask: AskAuthorizer;
  readonly attributes: Attributes;

  constructor(typeName: string, ask: AskAuthorizer, attributes: Attributes) {
    super();
    this.typeName = typeName;
    this.ask = ask;
    this.attributes = attributes;
  }

  equals(other: Opaque): boolean {
    return other === this;
  }

  with(typeName: string, changes: Partial<Attributes>): AuthorizerValue {
    return new AuthorizerValue(typeName, this.ask, { ...this.attributes, ...changes });
  }
}

class DecisionValue extends Opaque {
  readonly typeName = decisionName;
  readonly allowed: boolean;
  readonly reason: string;

  constructor({ allowed, reason }: { allowed: boolean; reason: string }) {
    super();
    this.allowed = allowed;
    this.reason = reason;
  }

  equals(other: Opaque): boolean {
    return other === this;
  }
}

const authorizerName = "kubernetes.authorization.Authorizer";
const pathName = "kubernetes.authorization.PathCheck";
const groupName = "kubernetes.authorization.GroupCheck";
const resourceName = "kubernetes.authorization.ResourceCheck";
const decisionName = "kubernetes.authorization.Decision";

export const authorizerType = opaque(authorizerName);
export const resourceCheckType = opaque(resourceName);
const pathType = opaque(pathName);
const groupType = opaque(groupName);
const decisionType = opaque(decisionName);

/** The variable `authorizer`. */
export function authorizerValue(ask: AskAuthorizer): Opaque {
  return new AuthorizerValue(authorizerName, ask, empty);
}

/** The variable `authorizer.requestResource`. */
export function resourceCheckValue(
  ask: AskAuthorizer,
  of: Omit<AuthorizerQuestion, "verb" | "serviceAccount" | "path">,
): Opaque {
  return new AuthorizerValue(resourceName, ask, of);
}

function serviceAccount(from: AuthorizerValue, namespace: string, name: string): AuthorizerValue {
  return from.with(authorizerName, { serviceAccount: { namespace, name } });
}

function path(from: AuthorizerValue, text: string): AuthorizerValue {
  return text === "" ? fail("path must not be empty") : from.with(pathName, { path: text });
}

function group(from: AuthorizerValue, name: string): AuthorizerValue {
  return from.with(groupName, { group: name });
}

function check(from: AuthorizerValue, verb: string): DecisionValue {
  return new DecisionValue(from.ask({ ...from.attributes, verb }));
}

type Field = "resource" | "subresource" | "namespace" | "name";

function narrow(name: Field, from: typeof groupType): Overload {
  return member(name, [from, string], resourceCheckType, (value: AuthorizerValue, text: string) =>
    value.with(resourceName, { [name]: text }),
  );
}

export const authorizerLibrary: readonly Overload[] = [
  member("path", [authorizerType, string], pathType, path),
  member("group", [authorizerType, string], groupType, group),
  member("serviceAccount", [authorizerType, string, string], authorizerType, serviceAccount),
  narrow("resource", groupType),
  narrow("subresource", resourceCheckType),
  narrow("namespace", resourceCheckType),
  narrow("name", resourceCheckType),
  // Selectors narrow a question that our authorizers answer without them.
  member("fieldSelector", [resourceCheckType, string], resourceCheckType, (value: AuthorizerValue) => value),
  member("labelSelector", [resourceCheckType, string], resourceCheckType, (value: AuthorizerValue) => value),
  member("check", [pathType, string], decisionType, check, { cost: () => checkCost }),
  member("check", [resourceCheckType, string], decisionType, check, { cost: () => checkCost }),
  member("allowed", [decisionType], bool, ({ allowed }: DecisionValue) => allowed),
  member("reason", [decisionType], string, ({ reason }: DecisionValue) => reason),
  member("errored", [decisionType], bool, () => false),
  member("error", [decisionType], string, () => ""),
];
