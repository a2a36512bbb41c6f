import { decodePercent } from "#base/percent.ts";
import { Failure, noSuchResource } from "../failure.ts";
import { isSegment } from "../keys.ts";
import { segmentLengthMax } from "../limits.ts";

/** What a path and a method mean, before anything is looked up. */
export interface RequestInfo {
  readonly isResource: boolean;
  /** get, list, watch, create, update, patch, delete, deletecollection; the lower-case method for other paths. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** What follows the subresource, still encoded, with its leading slash: paths behind a proxy. */
  readonly rest: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

const noQuery = new URLSearchParams();

const verbs: Readonly<Record<string, string>> = {
  GET: "get",
  HEAD: "get",
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** Reads method and target. A path that could leave its place, or that is not UTF-8, is a failure. */
export function routeOf(method: string, target: string): RequestInfo | Failure {
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? noQuery : new URLSearchParams(target.slice(mark + 1));
  if (!path.startsWith("/api/") && !path.startsWith("/apis/")) return otherPath(method, path, query);

  const encoded = path.slice(1).split("/");
  if (encoded.at(-1) === "") encoded.pop();
  const isCore = encoded[0] === "api";
  const first = isCore ? 2 : 3;
  if (encoded.length <= first) return otherPath(method, path, query);

  const verb = verbs[method];
  if (verb === undefined) return otherPath(method, path, query);
  return resourcePath({ method: verb, path, query, encoded, first, isCore });
}

// oxlint-disable-next-line no-control-regex -- these are what must not come into a key
const oddCharacters = /[\u0000-\u001f%\u007f\ufffd]/;

interface Parts {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly encoded: string[];
  readonly first: number;
  readonly isCore: boolean;
}

function resourcePath({ method, path, query, encoded, first, isCore }: Parts): RequestInfo | Failure {
  // The usual path has nothing to decode, and one look at all of it is enough.
  const decodeSegment = oddCharacters.test(path) ? decodeOdd : decodePlain;
  const group = isCore ? "" : decodeSegment(encoded[1]!);
  const version = decodeSegment(encoded[first - 1]!);
  if (group === undefined || version === undefined) return noSuchResource();
  let at = first;
  let verb = method;
  if (encoded[at] === "watch" && at + 1 < encoded.length) {
    // The deprecated form /api/v1/watch/pods.
    if (method !== "get") return noSuchResource();
    verb = "watch";
    at += 1;
  }
  let inNamespace: string | undefined = "";
  if (encoded[at] === "namespaces" && at + 1 < encoded.length) {
    inNamespace = decodeSegment(encoded[at + 1]!);
    const next = encoded[at + 2];
    if (next !== undefined && next !== "status" && next !== "finalize") at += 2;
  }
  const resource = decodeSegment(encoded[at]!);
  const name = encoded[at + 1] === undefined ? "" : decodeSegment(encoded[at + 1]!);
  const subresource = encoded[at + 2] === undefined ? "" : decodeSegment(encoded[at + 2]!);
  if (inNamespace === undefined || resource === undefined || name === undefined || subresource === undefined)
    return noSuchResource();
  const rest = restOf(path, encoded, at + 3);
  if (rest !== "" && subresource !== "proxy") return noSuchResource();
  const apiVersion = group === "" ? version : `${group}/${version}`;
  return {
    isResource: true,
    verb: verbOf(verb, name, query),
    group,
    version,
    apiVersion,
    resource,
    subresource,
    namespace: inNamespace,
    name: name === "" ? nameOfSelector(verb, query) : name,
    rest,
    path,
    query,
  };
}

function verbOf(verb: string, name: string, query: URLSearchParams): string {
  if (verb === "get") {
    const watch = query.get("watch");
    if (watch !== null && isTrue(watch)) return "watch";
    return name === "" ? "list" : "get";
  }
  return verb === "delete" && name === "" ? "deletecollection" : verb;
}

/** A list or watch of one object by its name is authorized as that object. */
function nameOfSelector(verb: string, query: URLSearchParams): string {
  if (verb !== "get" && verb !== "watch") return "";
  const selector = query.get("fieldSelector");
  if (selector === null) return "";
  const match = /^metadata\.name==?([^,=!\\]+)$/.exec(selector);
  return match !== null && isSegment(match[1]!) ? match[1]! : "";
}

/** As Go's ParseBool, and an empty value counts. */
export function isTrue(text: string): boolean {
  return (
    text === "true" || text === "1" || text === "" || text === "True" || text === "TRUE" || text === "t" || text === "T"
  );
}

function restOf(path: string, encoded: readonly string[], from: number): string {
  if (encoded.length <= from) return encoded.length === from && path.endsWith("/") ? "/" : "";
  return `/${encoded.slice(from).join("/")}${path.endsWith("/") ? "/" : ""}`;
}

function decodePlain(text: string): string | undefined {
  return text === "" || text === "." || text === ".." || segmentLengthMax < text.length ? undefined : text;
}

function decodeOdd(text: string): string | undefined {
  const decoded = text.includes("%") ? decodePercent(text) : text;
  return decoded !== undefined && isSegment(decoded) ? decoded : undefined;
}

function otherPath(method: string, path: string, query: URLSearchParams): RequestInfo {
  return {
    isResource: false,
    verb: method === "HEAD" ? "get" : method.toLowerCase(),
    group: "",
    version: "",
    apiVersion: "",
    resource: "",
    subresource: "",
    namespace: "",
    name: "",
    rest: "",
    path,
    query,
  };
}
