import { apiVersionOf } from "#api/resource.ts";
import type { GroupVersionKind } from "./definitions.ts";
import type { Dialect, Documented, Json } from "./documented.ts";
import { bodyParameter, queryParameter, queryParameters, type QueryName } from "./parameters.ts";

/** References to the types that a resource's operations mention. */
export interface OperationTypes {
  readonly object: Json;
  readonly list: Json | undefined;
  readonly status: Json;
  readonly deleteOptions: Json;
  readonly patch: Json;
  /** The type of a subresource's own kind; undefined where it has no body worth documenting. */
  readonly ofSubresource: (kind: string) => Json | undefined;
}

const listQuery: readonly QueryName[] = [
  "allowWatchBookmarks",
  "continue",
  "fieldSelector",
  "labelSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "shardSelector",
  "timeoutSeconds",
  "watch",
];
const deleteQuery: readonly QueryName[] = [
  "dryRun",
  "gracePeriodSeconds",
  "ignoreStoreReadErrorWithClusterBreakingPotential",
  "orphanDependents",
  "propagationPolicy",
];
const writeQuery: readonly QueryName[] = ["dryRun", "fieldManager", "fieldValidation"];

const bodies = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const watchBodies = [...bodies, "application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];
const patchBodies = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
];

/** Adds a path that only answers a discovery document. */
export function addDiscoveryPath(paths: Json, path: string, tag: string, answer: Json, dialect: Dialect): void {
  const name = path
    .split(/[^a-zA-Z0-9]/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
  const media = bodies.slice(0, path === "/version/" ? 1 : undefined);
  const common = { tags: [tag], operationId: `get${name}Discovery` };
  const unauthorized = { description: "Unauthorized" };
  const get =
    dialect === "v2"
      ? {
          consumes: media,
          produces: media,
          schemes: ["https"],
          responses: { "200": { description: "OK", schema: answer }, "401": unauthorized },
        }
      : {
          responses: {
            "200": { description: "OK", content: Object.fromEntries(media.map((type) => [type, { schema: answer }])) },
            "401": unauthorized,
          },
        };
  paths[path] = { get: { ...get, ...common } };
}

type Method = "get" | "post" | "put" | "patch" | "delete";

interface Action {
  readonly method: Method;
  readonly action: string;
  readonly query: readonly QueryName[];
  readonly body?: Json;
  readonly bodyRequired?: boolean;
  readonly answer: Json | undefined;
  readonly codes: readonly number[];
  readonly consumes?: readonly string[];
  readonly produces?: readonly string[];
}

/** Adds the paths of one resource and its subresources to `paths`. */
export function addPaths(paths: Json, documented: Documented, types: OperationTypes, dialect: Dialect): void {
  new PathWriter(paths, documented, types, dialect).write();
}

class PathWriter {
  private readonly paths: Json;
  private readonly documented: Documented;
  private readonly types: OperationTypes;
  private readonly dialect: Dialect;
  private readonly root: string;

  constructor(paths: Json, documented: Documented, types: OperationTypes, dialect: Dialect) {
    this.paths = paths;
    this.documented = documented;
    this.types = types;
    this.dialect = dialect;
    const { resource } = documented;
    this.root = resource.group === "" ? `/api/${resource.version}` : `/apis/${apiVersionOf(resource)}`;
  }

  write(): void {
    const { resource } = this.documented;
    const scope = resource.namespaced ? "/namespaces/{namespace}" : "";
    const base = `${this.root}${scope}/${resource.resource}`;
    const collection = this.collectionActions();
    if (collection.length > 0) this.path(base, collection, resource);
    const single = this.objectActions(resource.verbs, this.types.object, false);
    if (single.length > 0) this.path(`${base}/{name}`, single, resource);
    if (resource.namespaced && resource.verbs.includes("list")) {
      const list = collection.filter((action) => action.action === "list");
      this.path(`${this.root}/${resource.resource}`, list, resource);
    }
    for (const subresource of resource.subresources) this.subresource(`${base}/{name}`, subresource);
  }

  private collectionActions(): Action[] {
    const { verbs } = this.documented.resource;
    const { types } = this;
    const actions: Action[] = [];
    if (verbs.includes("list")) {
      actions.push({
        method: "get",
        action: "list",
        query: listQuery,
        answer: types.list,
        codes: [200],
        produces: watchBodies,
      });
    }
    if (verbs.includes("create")) {
      actions.push({
        method: "post",
        action: "post",
        query: writeQuery,
        body: types.object,
        bodyRequired: true,
        answer: types.object,
        codes: [200, 201, 202],
      });
    }
    if (verbs.includes("deletecollection")) {
      const query: QueryName[] = [
        ...deleteQuery,
        ...listQuery.filter((name) => name !== "allowWatchBookmarks" && name !== "watch"),
      ];
      actions.push({
        method: "delete",
        action: "deletecollection",
        query,
        body: types.deleteOptions,
        answer: types.status,
        codes: [200],
      });
    }
    return actions;
  }

  private objectActions(verbs: readonly string[], object: Json, isSubresource: boolean): Action[] {
    const { types } = this;
    const actions: Action[] = [];
    if (verbs.includes("get")) actions.push({ method: "get", action: "get", query: [], answer: object, codes: [200] });
    if (verbs.includes("update")) {
      actions.push({
        method: "put",
        action: "put",
        query: writeQuery,
        body: object,
        bodyRequired: true,
        answer: object,
        codes: [200, 201],
      });
    }
    if (verbs.includes("patch")) {
      actions.push({
        method: "patch",
        action: "patch",
        query: [...writeQuery, "force"],
        body: types.patch,
        bodyRequired: true,
        answer: object,
        codes: [200, 201],
        consumes:
          this.documented.custom === undefined
            ? patchBodies
            : patchBodies.filter((type) => !type.includes("strategic")),
      });
    }
    if (verbs.includes("delete") && !isSubresource) {
      actions.push({
        method: "delete",
        action: "delete",
        query: deleteQuery,
        body: types.deleteOptions,
        answer: types.status,
        codes: [200, 202],
      });
    }
    return actions;
  }

  private subresource(base: string, subresource: { name: string; kind: string; verbs: readonly string[] }): void {
    const { resource } = this.documented;
    const isOwn = subresource.kind === resource.kind;
    const gvk = isOwn ? resource : gvkOfSubresource(subresource.kind, resource);
    const path = `${base}/${subresource.name}`;
    if (subresource.kind.endsWith("Options")) {
      const methods: Record<string, Method> = {
        get: "get",
        create: "post",
        update: "put",
        patch: "patch",
        delete: "delete",
      };
      const actions = subresource.verbs.flatMap((verb): Action[] => {
        const method = methods[verb];
        return method === undefined ? [] : [{ method, action: "connect", query: [], answer: undefined, codes: [200] }];
      });
      this.path(path, actions, gvk);
      return;
    }
    const object = isOwn ? this.types.object : this.types.ofSubresource(subresource.kind);
    if (object === undefined) return;
    if (subresource.name === "log") {
      const answer: Action = {
        method: "get",
        action: "get",
        query: [],
        answer: undefined,
        codes: [200],
        produces: ["text/plain"],
      };
      this.path(path, [answer], gvk);
      return;
    }
    const actions = this.objectActions(subresource.verbs, object, true);
    if (subresource.verbs.includes("create")) {
      actions.push({
        method: "post",
        action: "post",
        query: writeQuery,
        body: object,
        bodyRequired: true,
        answer: object,
        codes: [200, 201, 202],
      });
    }
    this.path(path, actions, gvk);
  }

  private path(path: string, actions: readonly Action[], gvk: GroupVersionKind): void {
    const item: Json = (this.paths[path] ??= {}) as Json;
    const parameters = ["namespace", "name"]
      .filter((name) => path.includes(`{${name}}`))
      .map((name) => pathParameter(name, this.dialect));
    item["parameters"] = [...parameters, queryParameter("pretty", this.dialect)];
    for (const action of actions) item[action.method] = this.operation(path, action, gvk);
  }

  private operation(path: string, action: Action, gvk: GroupVersionKind): Json {
    const { group, version } = this.documented.resource;
    const tag = group === "" ? `core_${version}` : `${group.split(".")[0]}_${version}`;
    const produces = action.produces ?? bodies;
    const consumes = action.consumes ?? ["*/*"];
    const parameters = queryParameters(action.query, this.dialect);
    const common = {
      tags: [tag],
      operationId: operationId(path, action, tag),
      "x-kubernetes-action": action.action,
      "x-kubernetes-group-version-kind": { group: gvk.group, kind: gvk.kind, version: gvk.version },
    };
    if (this.dialect === "v2") {
      const body = action.body === undefined ? [] : [bodyParameter(action.body, action.bodyRequired === true)];
      const schema = action.answer === undefined ? {} : { schema: action.answer };
      const responses = Object.fromEntries(
        action.codes.map((code) => [String(code), { description: descriptionOf(code), ...schema }]),
      );
      responses["401"] = { description: "Unauthorized" };
      return { consumes, produces, schemes: ["https"], parameters: [...body, ...parameters], responses, ...common };
    }
    const content = (media: readonly string[], schema: Json | undefined): Json =>
      schema === undefined ? {} : { content: Object.fromEntries(media.map((type) => [type, { schema }])) };
    const responses: Json = {};
    for (const code of action.codes)
      responses[String(code)] = { description: descriptionOf(code), ...content(produces, action.answer) };
    responses["401"] = { description: "Unauthorized" };
    const body =
      action.body === undefined
        ? {}
        : { requestBody: { ...content(consumes, action.body), ...(action.bodyRequired ? { required: true } : {}) } };
    return { parameters, ...body, responses, ...common };
  }
}

function descriptionOf(code: number): string {
  return code === 201 ? "Created" : code === 202 ? "Accepted" : "OK";
}

function pathParameter(name: string, dialect: Dialect): Json {
  const description =
    name === "name" ? "name of the object" : "object name and auth scope, such as for teams and projects";
  const type = dialect === "v2" ? { type: "string" } : { schema: { type: "string", uniqueItems: true } };
  return { name, in: "path", description, required: true, ...type, ...(dialect === "v2" ? { uniqueItems: true } : {}) };
}

/** Unique and speaking: `listAppsV1NamespacedDeployments`. */
function operationId(path: string, action: Action, tag: string): string {
  const words = path.split("/").slice(path.startsWith("/api/") ? 3 : 4);
  const named = words
    .filter((word) => !word.startsWith("{"))
    .filter((word, index) => index > 0 || word !== "namespaces" || words.length <= 2);
  const isNamespaced = path.includes("{namespace}");
  const parts = [tag, isNamespaced ? "namespaced" : "", ...named, path.includes("{name}") ? "" : "collection"];
  const camel = parts
    .flatMap((part) => part.split(/[^a-zA-Z0-9]/))
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1));
  return `${action.action}${action.action === "connect" ? action.method : ""}${camel.join("")}`;
}

/** Kinds of subresources that belong to another group than their resource. */
function gvkOfSubresource(kind: string, resource: GroupVersionKind): GroupVersionKind {
  const groups: Readonly<Record<string, string>> = {
    Scale: "autoscaling",
    Eviction: "policy",
    TokenRequest: "authentication.k8s.io",
  };
  const group = groups[kind];
  return group === undefined
    ? { group: resource.group, version: resource.version, kind }
    : { group, version: "v1", kind };
}
