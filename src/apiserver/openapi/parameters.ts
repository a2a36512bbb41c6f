import type { Dialect, Json } from "./documented.ts";

interface Query {
  readonly type: "string" | "integer" | "boolean";
  readonly description: string;
}

const queries = {
  allowWatchBookmarks: { type: "boolean", description: "Asks for events of type BOOKMARK in a watch." },
  continue: { type: "string", description: "The token of an earlier, limited list: answers what follows." },
  dryRun: {
    type: "string",
    description:
      "When present, nothing is persisted. The only valid value is All: all stages of the request are processed.",
  },
  fieldManager: {
    type: "string",
    description: "The name of the actor that makes the change; at most 128 printable characters.",
  },
  fieldSelector: { type: "string", description: "Restricts the objects by their fields. Defaults to everything." },
  fieldValidation: {
    type: "string",
    description:
      "What to do about unknown or duplicate fields: Ignore drops them, Warn warns of each, Strict fails the request.",
  },
  force: { type: "boolean", description: "Takes over conflicting fields of other managers. Only for apply patches." },
  gracePeriodSeconds: { type: "integer", description: "Seconds before the object is deleted; zero deletes at once." },
  ignoreStoreReadErrorWithClusterBreakingPotential: {
    type: "boolean",
    description: "Deletes an object whose stored form cannot be read. Dangerous.",
  },
  labelSelector: { type: "string", description: "Restricts the objects by their labels. Defaults to everything." },
  limit: {
    type: "integer",
    description: "The most items that a list answers at once; the rest follows with continue.",
  },
  orphanDependents: { type: "boolean", description: "Deprecated: use propagationPolicy." },
  pretty: { type: "string", description: "If 'true', the output is pretty printed." },
  propagationPolicy: {
    type: "string",
    description: "Whether dependents are deleted: Orphan, Background or Foreground.",
  },
  resourceVersion: { type: "string", description: "Constrains which versions a request may be served from." },
  resourceVersionMatch: {
    type: "string",
    description: "How resourceVersion is applied to lists: NotOlderThan or Exact.",
  },
  sendInitialEvents: {
    type: "boolean",
    description: "Begins a watch with the objects that exist, ended by a bookmark.",
  },
  shardSelector: { type: "string", description: "Restricts a list or watch to a shard of the objects." },
  timeoutSeconds: { type: "integer", description: "Ends a list or watch after this time." },
  watch: { type: "boolean", description: "Streams changes instead of a list." },
} as const satisfies Record<string, Query>;

export type QueryName = keyof typeof queries;

export function queryParameter(name: QueryName, dialect: Dialect): Json {
  const { type, description } = queries[name];
  const head = { name, in: "query", description };
  return dialect === "v2" ? { ...head, type, uniqueItems: true } : { ...head, schema: { type, uniqueItems: true } };
}

export function queryParameters(names: readonly QueryName[], dialect: Dialect): Json[] {
  return names.map((name) => queryParameter(name, dialect));
}

/** OpenAPI 2 has bodies among the parameters. */
export function bodyParameter(schema: Json, required: boolean): Json {
  return { name: "body", in: "body", ...(required ? { required } : {}), schema };
}
