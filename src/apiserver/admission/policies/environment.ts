import { Environment, type Variable } from "#cel/environment.ts";
import { kubernetesEnvironment, mutationLibraries } from "#cel/kubernetes.ts";
import { authorizerType, resourceCheckType } from "#cel/library/authorizer.ts";
import { bool, dyn, list, map, string, type ObjectField, type ObjectType, type Type } from "#cel/types.ts";

/** What expressions of policies and match conditions see; values are given in this order (`inputs.ts`). */
export function policyVariables(object: Type = dyn): readonly Variable[] {
  return [
    { name: "object", type: object },
    { name: "oldObject", type: object },
    { name: "request", type: requestType },
    { name: "params", type: dyn },
    { name: "namespaceObject", type: dyn },
    { name: "authorizer", type: authorizerType },
    { name: "authorizer.requestResource", type: resourceCheckType },
  ];
}

function objectType(name: string, fields: Readonly<Record<string, Type>>): ObjectType {
  const entries = Object.entries(fields).map(([field, type]): [string, ObjectField] => [field, { name: field, type }]);
  return { kind: "object", name, fields: new Map(entries) };
}

const kindType = objectType("kubernetes.GroupVersionKind", { group: string, version: string, kind: string });
const resourceType = objectType("kubernetes.GroupVersionResource", {
  group: string,
  version: string,
  resource: string,
});

const requestType = objectType("kubernetes.AdmissionRequest", {
  uid: string,
  kind: kindType,
  resource: resourceType,
  subResource: string,
  requestKind: kindType,
  requestResource: resourceType,
  requestSubResource: string,
  name: string,
  namespace: string,
  operation: string,
  userInfo: objectType("kubernetes.UserInfo", {
    username: string,
    uid: string,
    groups: list(string),
    extra: map(string, list(string)),
  }),
  dryRun: bool,
  options: dyn,
});

/** `Object{…}` describes any part of an object that a policy applies; its schema judges it when it is applied. */
const appliedType: ObjectType = { kind: "object", name: "Object", fields: new Map(), isOpen: true };
/** One operation of a JSON patch. */
export const patchType = objectType("JSONPatch", { op: string, path: string, from: string, value: dyn });

export const validationEnvironment: Environment = kubernetesEnvironment;
export const mutationEnvironment = new Environment(mutationLibraries);

/** The object types that expressions of mutating policies may make. */
export const mutationTypes: readonly ObjectType[] = [appliedType, patchType];
