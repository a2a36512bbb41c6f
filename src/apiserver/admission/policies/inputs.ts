import type { ApiObject } from "#api/kind.ts";
import { apiVersionOf, type Resource } from "#api/resource.ts";
import { fromJson } from "#cel/json.ts";
import { authorizerValue, resourceCheckValue, type AskAuthorizer } from "#cel/library/authorizer.ts";
import { dyn } from "#cel/types.ts";
import type { Value } from "#cel/value.ts";
import type { Clock } from "#world/clock.ts";
import type { AdmissionRequest } from "../../admission.ts";
import type { Authorizer } from "../../authorizer.ts";
import type { ObjectReader } from "../../object-reader.ts";
import { inVersion } from "../../objects/convert.ts";
import { decisionOn } from "./answers.ts";
import { policyVariables } from "./environment.ts";
import type { TurnTimers } from "../../turns.ts";

export interface PolicyParts {
  readonly objects: ObjectReader;
  readonly authorizer: Pick<Authorizer, "authorize">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: TurnTimers;
}

/** The values that expressions see of one request; parameters differ between evaluations. */
export class Inputs {
  readonly #values: readonly Value[];
  readonly object: unknown;

  constructor(parts: PolicyParts, request: AdmissionRequest, seen: SeenObjects) {
    const ask: AskAuthorizer = (question) => decisionOn(parts.authorizer, request, question);
    this.object = seen.object;
    const { group, resource, subresource, namespace, name } = request;
    this.#values = [
      fromJson(seen.object ?? null, dyn),
      fromJson(seen.oldObject ?? null, dyn),
      fromJson(requestData(request, seen.resource), variableTypes[2] ?? dyn),
      null,
      fromJson(namespaceOf(parts.objects, request) ?? null, dyn),
      authorizerValue(ask),
      resourceCheckValue(ask, { group, resource, subresource, namespace, name }),
    ];
  }

  /** In the order of `policyVariables`. */
  values(params: unknown): Value[] {
    const values = [...this.#values];
    values[3] = fromJson(params ?? null, dyn);
    return values;
  }
}

const variableTypes = policyVariables().map(({ type }) => type);

export interface SeenObjects {
  readonly resource: Resource<unknown>;
  readonly object: unknown;
  readonly oldObject: unknown;
}

/** The objects of a request in the version that a policy asked for. */
export function seenObjects(request: AdmissionRequest, resource: Resource<unknown>): SeenObjects {
  const served = request.origin?.registry.find(apiVersionOf(resource), resource.resource);
  const convert = (object: ApiObject | undefined): ApiObject | undefined => {
    if (object === undefined || served === undefined) return object;
    return object.kind === undefined || object.kind === resource.kind ? inVersion(served, object) : object;
  };
  return { resource, object: convert(request.object), oldObject: convert(request.oldObject) };
}

function requestData(request: AdmissionRequest, resource: Resource<unknown>): Record<string, unknown> {
  const { operation, namespace, name, subresource, user, dryRun } = request;
  const own = request.kind.storage;
  return {
    uid: "",
    kind: { group: resource.group, version: resource.version, kind: resource.kind },
    resource: { group: resource.group, version: resource.version, resource: resource.resource },
    subResource: subresource,
    requestKind: { group: request.group, version: request.version, kind: own.kind },
    requestResource: { group: request.group, version: request.version, resource: request.resource },
    requestSubResource: subresource,
    name,
    namespace,
    operation,
    userInfo: { username: user.name, uid: user.uid, groups: user.groups, extra: user.extra },
    dryRun,
    options: {},
  };
}

/** The namespace of the request; for namespaces themselves and cluster-wide objects there is none. */
function namespaceOf(objects: ObjectReader, request: AdmissionRequest): ApiObject | undefined {
  if (request.namespace === "" || (request.group === "" && request.resource === "namespaces")) return undefined;
  return objects.get({ group: "", resource: "namespaces" }, undefined, request.namespace);
}
