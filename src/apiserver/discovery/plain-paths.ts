import type { HttpResponse } from "#world/http.ts";
import type { Call, Outcome, PlainDocument } from "../call.ts";
import { Failure, methodNotAllowed, noSuchResource } from "../failure.ts";
import { bytesOf } from "../objects/bytes.ts";
import { headersFor, jsonResponse } from "../objects/respond.ts";
import { aggregated, aggregatedVersion } from "./aggregated.ts";
import { compressed } from "./compressed.ts";
import { coreVersions, groupDocument, groupList, resourceList } from "./documents.ts";
import { health } from "./health.ts";
import { openApi } from "./open-api.ts";
import { routeOf } from "../stages/route.ts";
import { records, recordsPath } from "./records.ts";

/** Everything that is no resource: discovery, documents, health, version. */
export function plainPath(call: Call): Outcome | Promise<Outcome> {
  const path = call.info.path.length > 1 ? call.info.path.replace(/\/$/, "") : call.info.path;
  const document = call.parts.documents.get(path);
  if (call.info.verb !== "get" && call.info.verb !== "list")
    return !call.info.isResource && isServed(call, path) ? methodNotAllowed() : noSuchResource();
  if (document !== undefined) return documentResponse(call, document);
  if (path === "/version") return jsonResponse(call, 200, versionDocument(call));
  const checked = health(call, path);
  if (checked !== undefined) return checked;
  if (path.startsWith("/openapi/")) return compressed(call, openApi(call, path));
  if (path === recordsPath) return records(call);
  const discovered = discovery(call, path);
  if (discovered !== undefined) return compressed(call, discovered);
  return path.startsWith("/api") ? noSuchResource() : textNotFound(call);
}

/** Whether a GET of the path would find something: what comes with another method then has the wrong one. */
function isServed(call: Call, path: string): boolean {
  if (path === "/" || rootPaths(call).includes(path)) return true;
  const read = routeOf("GET", call.request.target);
  return !(read instanceof Failure) && call.parts.registry.find(read.apiVersion, read.resource) !== undefined;
}

function discovery(call: Call, path: string): Outcome {
  const { registry } = call.parts;
  if (path === "/") return jsonResponse(call, 200, { paths: rootPaths(call) });
  if (path === "/api" || path === "/apis") {
    const version = aggregatedVersion(call.request.headers.accept);
    if (version !== undefined) return aggregated(call, path === "/api", version);
    return jsonResponse(call, 200, path === "/api" ? coreVersions() : groupList(registry));
  }
  const [, root, first = "", second, third] = path.split("/");
  if (third !== undefined) return undefined;
  let document;
  if (root === "api" && second === undefined) document = resourceList(registry, first);
  else if (root === "apis")
    document = second === undefined ? groupDocument(registry, first) : resourceList(registry, `${first}/${second}`);
  return document === undefined ? undefined : jsonResponse(call, 200, document);
}

function rootPaths(call: Call): string[] {
  const paths = new Set([
    "/api",
    "/api/v1",
    "/apis",
    "/healthz",
    "/livez",
    "/openapi/v2",
    "/openapi/v3",
    "/readyz",
    "/version",
  ]);
  for (const { resource, apiVersion } of call.parts.registry.all()) {
    if (resource.group === "") continue;
    paths.add(`/apis/${resource.group}`).add(`/apis/${apiVersion}`);
  }
  for (const path of call.parts.documents.keys()) paths.add(path);
  return [...paths].sort();
}

function versionDocument(call: Call): Record<string, string> {
  const { major, minor, gitVersion } = call.parts.version;
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: minor,
    gitVersion,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "",
    platform: "linux/amd64",
  };
}

function documentResponse(call: Call, document: PlainDocument): HttpResponse | Promise<HttpResponse> {
  const headers = headersFor(call, document.contentType);
  const content = document.content();
  if (typeof content === "string") return { status: 200, headers, body: bytesOf(content) };
  return content.then((text) => ({ status: 200, headers, body: bytesOf(text) }));
}

function textNotFound(call: Call): HttpResponse {
  return { status: 404, headers: headersFor(call, "text/plain; charset=utf-8"), body: bytesOf("404 page not found\n") };
}
