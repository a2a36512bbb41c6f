import { concatBytes } from "#base/bytes.ts";
import type { ApiObject } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import { parseLabelSelector } from "#api/selectors.ts";
import type { VirtualAnswer, VirtualGroup, VirtualRequest } from "#api/virtual-group.ts";
import { encodeJson } from "#codec/json.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, Failure, methodNotAllowed } from "../failure.ts";
import { contentTypes } from "../negotiate.ts";
import { bytesOf } from "../objects/bytes.ts";
import { includeOf, tableOf } from "../objects/represent.ts";
import { headersFor, representationFor, valueResponse } from "../objects/respond.ts";
import { rowHead } from "../objects/table.ts";
import { encodeYaml } from "../objects/yaml.ts";
import type { Registry, Served } from "../registry.ts";

/** Enters what a provider lists into the registry, so that discovery, documents and tables know it. */
export function registerVirtual(registry: Registry, group: VirtualGroup): void {
  for (const { resource, singular, columns, cells } of group.kinds) {
    const kind = { versions: [resource], storage: resource, rules: { columns, cells } };
    const schema = { node: "struct", name: "", fields: [], byName: new Map(), preserveUnknown: true } as const;
    const custom = {
      definitionName: "",
      singular,
      hasStatus: false,
      scale: undefined,
      schema: undefined,
      warning: undefined,
    };
    registry.set(`virtual/${group.group}/${group.version}/${resource.resource}`, {
      kind,
      schemas: new Map([[resource, schema]]),
      custom: new Map([[resource, custom]]),
    });
  }
}

/** Answers a request below a provider's group version: get and list as objects, lists and tables. */
export async function answerVirtual(call: Call, group: VirtualGroup): Promise<Outcome> {
  const { info, parts } = call;
  const mayAsk =
    info.verb === "get" || info.verb === "list" || (info.verb === "create" && info.subresource === "proxy");
  if (!mayAsk) return methodNotAllowed();
  const request = requestOf(call);
  if (request instanceof Failure) return request;
  const answer = await group.answer(request);
  if (answer.kind === "failure") return new Failure(answer.code, answer.reason, answer.message, {});
  if (answer.kind === "bytes")
    return { status: answer.status, headers: headersFor(call, answer.contentType), body: answer.body };
  const served = parts.registry.find(apiVersionOf(group), info.resource);
  if (answer.kind === "object") return valueResponse(call, served, 200, answer.object);
  const items = byName(answer.items, info.query.get("fieldSelector"));
  if (items instanceof Failure) return items;
  return listOf(call, served, { ...answer, items }, apiVersionOf(group));
}

function requestOf({ info, request }: Call): VirtualRequest | Failure {
  const { namespace, resource, subresource, name, query, rest } = info;
  const labelText = query.get("labelSelector") ?? "";
  const parsed = parseLabelSelector(labelText);
  if (!parsed.ok) return badRequest(parsed.message);
  const labels = parsed.selector.everything ? undefined : parsed.selector;
  const isList = info.verb === "list" && subresource === "";
  const verb = info.verb === "create" ? "create" : isList ? "list" : "get";
  const sent = { body: request.body, contentType: request.headers["content-type"] ?? "" };
  return { verb, namespace, resource, subresource, name: isList ? "" : name, labels, query, rest, ...sent };
}

/** Field selectors of what is not stored: name and namespace. */
function byName(items: readonly ApiObject[], selector: string | null): readonly ApiObject[] | Failure {
  if (selector === null || selector === "") return items;
  let left = items;
  for (const term of selector.split(",")) {
    const match = /^metadata\.(name|namespace)(!=|==?)([^=!]*)$/.exec(term.trim());
    if (match === null) return badRequest(`field label not supported: ${term.split(/[!=]/)[0] ?? ""}`);
    const field = match[1] === "name" ? "name" : "namespace";
    left = left.filter(({ metadata }) => (metadata[field] === match[3]) === (match[2] !== "!="));
  }
  return left;
}

type ListAnswer = Extract<VirtualAnswer, { kind: "list" }>;

function listOf(call: Call, served: Served | undefined, answer: ListAnswer, apiVersion: string): Outcome {
  const representation = representationFor(call, served);
  if (representation instanceof Failure) return representation;
  const headers = headersFor(call, contentTypes[representation.media]);
  if (representation.as === "Table" && served !== undefined) {
    const include = includeOf(call);
    const rows = answer.items.map((object) => rowOf(call, served, object, include));
    return { status: 200, headers, body: tableOf(served, representation.version, "", rows, true) };
  }
  const list = { kind: answer.listKind, apiVersion, metadata: {}, items: answer.items };
  return { status: 200, headers, body: representation.media === "yaml" ? encodeYaml(list) : encodeJson(list) };
}

function rowOf(call: Call, served: Served, object: ApiObject, include: "None" | "Metadata" | "Object"): Uint8Array {
  const head = rowHead(served.kind, object, call.parts.clock.now());
  const partial = { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
  const shown = include === "None" ? null : include === "Object" ? object : partial;
  return concatBytes([head, bytesOf(',"object":'), encodeJson(shown), bytesOf("}")]);
}
