import type { ApiObject } from "#api/kind.ts";
import type { Pod } from "#api/generated/core-v1.ts";
import type { TokenRequest } from "#api/generated/authentication-v1.ts";
import { schemaOf } from "#api/schemas.ts";
import { formatTime } from "#codec/time.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, conflict, Failure, invalid, notFound, serviceUnavailable } from "../failure.ts";
import { keyOf } from "../keys.ts";
import { readObject, type Expected } from "../objects/read-body.ts";
import { valueResponse } from "../objects/respond.ts";
import type { Served } from "../registry.ts";
import { admissionRequest, admitMutating, admitValidating } from "../verbs/admit.ts";

const expected: Expected = {
  apiVersion: "authentication.k8s.io/v1",
  kind: "TokenRequest",
  schema: schemaOf("authentication/v1.TokenRequest"),
  custom: false,
};

const secondsMin = 600;
const secondsMax = 4_294_967_296;
const secondsDefault = 3_600;

const boundResources: Readonly<Record<string, string>> = {
  "v1/Pod": "pods",
  "v1/Secret": "secrets",
  "v1/Node": "nodes",
};

/** POST to serviceaccounts/token: a token for the account, bound to an object when that is asked. */
export async function requestToken(call: Call, served: Served): Promise<Outcome> {
  const body = readObject(call, expected);
  if (body instanceof Failure) return body;
  const request = body as ApiObject & TokenRequest;
  const { namespace, name } = call.info;
  const account = storedObject(call, served, namespace, name);
  if (account === undefined) return notFound(served.resource, name);
  if (call.parts.tokens === undefined) return serviceUnavailable("this server issues no tokens");
  const seconds = request.spec.expirationSeconds ?? secondsDefault;
  const problem = judgeSeconds(name, seconds);
  if (problem !== undefined) return problem;
  const bound = boundObject(call, request, namespace);
  if (bound instanceof Failure) return bound;
  const refusal = await admitted(call, served, body);
  if (refusal !== undefined) return refusal;
  const issued = await call.parts.tokens.issue({
    namespace,
    serviceAccount: { name, uid: account.metadata.uid ?? "" },
    audiences: request.spec.audiences ?? [],
    expirationSeconds: seconds,
    boundObject: bound,
  });
  const answer: ApiObject = {
    ...body,
    metadata: { ...body.metadata, name, namespace, creationTimestamp: formatTime(call.parts.clock.now()) },
    spec: { ...request.spec, expirationSeconds: seconds },
    status: { token: issued.token, expirationTimestamp: issued.expirationTimestamp },
  };
  const forToken = {
    ...served,
    resource: { ...served.resource, kind: "TokenRequest" },
    schema: expected.schema,
    custom: undefined,
  };
  return valueResponse(call, forToken, 201, answer);
}

/** Admission judges the order too: a node may ask only for tokens of the pods that run on it. */
async function admitted(call: Call, served: Served, object: ApiObject): Promise<Failure | undefined> {
  const { namespace, name } = call.info;
  const order = {
    operation: "CREATE",
    served,
    subresource: "token",
    namespace,
    name,
    object,
    oldObject: undefined,
    dryRun: false,
  } as const;
  const request = admissionRequest(call, order);
  return (await admitMutating(call, request)) ?? (await admitValidating(call, request));
}

function judgeSeconds(name: string, seconds: number): Failure | undefined {
  if (secondsMin <= seconds && seconds <= secondsMax) return undefined;
  const limit =
    seconds < secondsMin
      ? "may not specify a duration less than 10 minutes"
      : "may not specify a duration larger than 2^32 seconds";
  const message = `Invalid value: ${seconds}: ${limit}`;
  return invalid("authentication.k8s.io", "TokenRequest", name, [
    { field: "spec.expirationSeconds", reason: "FieldValueInvalid", message },
  ]);
}

interface Bound {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

function boundObject(call: Call, request: TokenRequest, namespace: string): Bound | undefined | Failure {
  const reference = request.spec.boundObjectRef;
  if (reference === undefined) return undefined;
  const kind = reference.kind ?? "";
  const resource = boundResources[`${reference.apiVersion ?? ""}/${kind}`];
  if (resource === undefined)
    return badRequest(
      `cannot bind token for serviceaccount to object of type ${reference.apiVersion ?? ""}, Kind=${kind}`,
    );
  const served = call.parts.registry.find("v1", resource);
  const name = reference.name ?? "";
  const object = served && storedObject(call, served, resource === "nodes" ? "" : namespace, name);
  if (object === undefined) return notFound({ group: "", resource }, name);
  const uid = object.metadata.uid ?? "";
  if (kind === "Pod" && (object as ApiObject & Pod).spec.serviceAccountName !== call.info.name) {
    return badRequest(`cannot bind token to pod ${name}: it runs under another service account`);
  }
  if (reference.uid !== undefined && reference.uid !== "" && reference.uid !== uid) {
    const difference = `the UID in the bound object reference (${reference.uid}) does not match the UID in record`;
    const why = `${difference}. The object might have been deleted and then recreated`;
    return conflict({ group: "", resource }, name, why);
  }
  return { kind, name, uid };
}

function storedObject(call: Call, served: Served, namespace: string, name: string): ApiObject | undefined {
  const entry = call.parts.store.latest(keyOf(served.prefix, namespace, name));
  return entry === undefined ? undefined : call.parts.objects.decoded(entry);
}
