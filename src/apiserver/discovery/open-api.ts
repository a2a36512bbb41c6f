import { apiVersionOf } from "#api/resource.ts";
import { encodeJson } from "#codec/json.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call, Outcome } from "../call.ts";
import { noSuchResource } from "../failure.ts";
import {
  fingerprint,
  openApiHashes,
  openApiIndex,
  openApiV2Hash,
  renderOpenApiV2,
  renderOpenApiV3,
} from "../openapi/document.ts";
import type { Documented } from "../openapi/documented.ts";
import { mergeOpenApiV2, type RemotePart } from "../openapi/merge-v2.ts";
import { encodeOpenApiV2, openApiV2Protobuf, openApiV2ProtobufType } from "../openapi/v2-protobuf.ts";
import type { Registry } from "../registry.ts";

/** Documents of one state of the registry, rendered when they are first asked for. */
interface Rendered {
  readonly generation: number;
  readonly documented: readonly Documented[];
  readonly hashes: Map<string, string>;
  readonly bodies: Map<string, { readonly hash: string; readonly body: Uint8Array }>;
}

const rendered = new WeakMap<Registry, Rendered>();

/** /openapi/v2 and /openapi/v3 with its index, with ETags. */
export function openApi(call: Call, path: string): Outcome {
  const { registry, version, describe } = call.parts;
  const current = currentOf(registry, version.gitVersion);
  const options = { version: version.gitVersion, describe };
  const remote = call.parts.aggregation()?.documents() ?? noDocuments;
  if (path === "/openapi/v3") {
    const hashes = new Map(current.hashes);
    for (const [name, { hash }] of remote) hashes.set(name, hash);
    return { status: 200, headers: headersOf(call), body: encodeJson(openApiIndex(hashes)) };
  }
  if (path === "/openapi/v2") {
    const parts = call.parts.aggregation()?.partsOfV2() ?? noParts;
    const ownHash = openApiV2Hash(current.documented, version.gitVersion);
    const hash = parts.size === 0 ? ownHash : fingerprint([ownHash, ...hashesOf(parts)].join());
    const render = (): Record<string, unknown> => {
      // What its own server publishes is better than what discovery lets us guess.
      const own = current.documented.filter(({ resource }) => !parts.has(apiVersionOf(resource)));
      const contents = [...parts.values()].map(({ content }) => content);
      return mergeOpenApiV2(renderOpenApiV2(own, options), contents);
    };
    const isProtobuf = call.request.headers["accept"]?.includes(openApiV2Protobuf) === true;
    if (!isProtobuf) return document(call, current, path, hash, render);
    return document(call, current, `${path}#protobuf`, hash, render, encodeOpenApiV2, openApiV2ProtobufType);
  }
  const name = path.slice("/openapi/v3/".length);
  const published = path.startsWith("/openapi/v3/") ? remote.get(name) : undefined;
  if (published !== undefined) {
    const headers = headersOf(call, published.hash);
    return isUnchanged(call, published.hash)
      ? { status: 304, headers, body: new Uint8Array(0) }
      : { status: 200, headers, body: published.body };
  }
  const hash = path.startsWith("/openapi/v3/") ? current.hashes.get(name) : undefined;
  if (hash === undefined) return noSuchResource();
  return document(call, current, path, hash, () => renderOpenApiV3(current.documented, name, options) ?? {});
}

function currentOf(registry: Registry, version: string): Rendered {
  const known = rendered.get(registry);
  if (known?.generation === registry.generation) return known;
  const documented = registry.all().map(({ resource, schema, custom }): Documented => ({
    resource,
    schema,
    ...(custom !== undefined && { custom: { openApi: custom.schema as Record<string, unknown> | undefined } }),
  }));
  const hashes = openApiHashes(documented, version);
  // Documents whose content stays the same are kept over a change of others; who reads one looks at its hash.
  const bodies = new Map([...(known?.bodies ?? [])].filter(([path]) => isPublished(path, hashes)));
  const made = { generation: registry.generation, documented, hashes, bodies };
  rendered.set(registry, made);
  return made;
}

function isPublished(path: string, hashes: ReadonlyMap<string, string>): boolean {
  return path.startsWith("/openapi/v2") || hashes.has(path.slice("/openapi/v3/".length));
}

const noDocuments: ReadonlyMap<string, { readonly body: Uint8Array; readonly hash: string }> = new Map();
const noParts: ReadonlyMap<string, { readonly content: RemotePart; readonly hash: string }> = new Map();

function hashesOf(parts: typeof noParts): string[] {
  return [...parts].flatMap(([apiVersion, { hash }]) => [apiVersion, hash]);
}

function headersOf(call: Call, hash = "", contentType = "application/json"): Record<string, string> {
  return {
    "content-type": contentType,
    vary: "Accept",
    "cache-control": call.info.query.has("hash") ? "public, immutable" : "no-cache, private",
    ...(hash !== "" && { etag: `"${hash}"` }),
  };
}

function isUnchanged(call: Call, hash: string): boolean {
  return hash !== "" && call.request.headers["if-none-match"] === `"${hash}"`;
}

function document(
  call: Call,
  current: Rendered,
  path: string,
  hash: string,
  render: () => Record<string, unknown>,
  encode: (document: Record<string, unknown>) => Uint8Array = encodeJson,
  contentType = "application/json",
): HttpResponse {
  const headers = headersOf(call, hash, contentType);
  if (isUnchanged(call, hash)) return { status: 304, headers, body: new Uint8Array(0) };
  const known = current.bodies.get(path);
  if (known?.hash === hash) return { status: 200, headers, body: known.body };
  const body = encode(render());
  current.bodies.set(path, { hash, body });
  return { status: 200, headers, body };
}
