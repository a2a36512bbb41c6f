import type { PolicyRule, Subject } from "#api/generated/rbac-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import { uncoveredRules } from "../authorize/cover.ts";
import { bootstrapObjects, type BootstrapObject } from "./objects.ts";
import type { ClusterFacts } from "./system-objects.ts";

/** How the objects reach the API: as requests like any other, made by a member of system:masters. Rejects on failure. */
export interface BootstrapWriter {
  get(resource: Resource<unknown>, at: { namespace?: string; name: string }): Promise<ApiObject | undefined>;
  create(resource: Resource<unknown>, object: ApiObject): Promise<unknown>;
  /** The object carries the resourceVersion that was judged. */
  update(resource: Resource<unknown>, object: ApiObject): Promise<unknown>;
  delete(resource: Resource<unknown>, at: { namespace?: string; name: string }): Promise<unknown>;
}

const autoupdate = "rbac.authorization.kubernetes.io/autoupdate";

/** Makes what a cluster must have, and repairs it; what people added stays. Run at each start. */
export async function bootstrap(writer: BootstrapWriter, facts: ClusterFacts): Promise<void> {
  for (const step of bootstrapObjects(facts)) await Promise.all(step.map((wanted) => ensure(writer, wanted)));
}

async function ensure(writer: BootstrapWriter, wanted: BootstrapObject): Promise<void> {
  const { namespace, name = "" } = wanted.object.metadata;
  const at = { ...(namespace === undefined ? {} : { namespace }), name };
  const stored = await writer.get(wanted.resource, at);
  if (stored === undefined) {
    await writer.create(wanted.resource, wanted.object);
    return;
  }
  const next = repaired(wanted, stored);
  if (next === undefined) return;
  if (next === "make anew") {
    await writer.delete(wanted.resource, at);
    await writer.create(wanted.resource, wanted.object);
  } else {
    await writer.update(wanted.resource, next);
  }
}

/** The stored object with what it lacks; undefined when it lacks nothing, or when somebody opted out of its upkeep. */
function repaired({ object, upkeep }: BootstrapObject, stored: ApiObject): ApiObject | "make anew" | undefined {
  switch (upkeep) {
    case "create":
      return undefined;
    case "replace":
      return replaced(object, stored);
    case "rules":
      return withRules(object, stored);
    case "subjects":
      return withSubjects(object, stored);
  }
}

function replaced(object: ApiObject, stored: ApiObject): ApiObject | undefined {
  const { metadata: _, ...fields } = object;
  if (Object.entries(fields).every(([name, value]) => contains(stored[name], value))) return undefined;
  return { ...stored, ...fields };
}

function withRules(object: ApiObject, stored: ApiObject): ApiObject | undefined {
  if (stored.metadata.annotations?.[autoupdate] === "false") return undefined;
  // The rules of an aggregated role are the aggregation controller's.
  const missing = object["aggregationRule"] === undefined ? uncoveredRules(rulesOf(stored), rulesOf(object)) : [];
  const lost =
    object["aggregationRule"] !== undefined && !contains(stored["aggregationRule"], object["aggregationRule"]);
  if (missing.length === 0 && !lost && contains(stored.metadata.labels, object.metadata.labels)) return undefined;
  return {
    ...withMetadata(object, stored),
    rules: [...rulesOf(stored), ...missing],
    ...(object["aggregationRule"] === undefined ? {} : { aggregationRule: object["aggregationRule"] }),
  };
}

/** A binding's role cannot be changed: one that binds another role is made anew. */
function withSubjects(object: ApiObject, stored: ApiObject): ApiObject | "make anew" | undefined {
  if (stored.metadata.annotations?.[autoupdate] === "false") return undefined;
  if (!contains(stored["roleRef"], object["roleRef"])) return "make anew";
  const present = subjectsOf(stored);
  const missing = subjectsOf(object).filter((subject) => !present.some((other) => contains(other, subject)));
  if (missing.length === 0) return undefined;
  return { ...withMetadata(object, stored), subjects: [...present, ...missing] };
}

function withMetadata(object: ApiObject, stored: ApiObject): ApiObject {
  const labels = { ...stored.metadata.labels, ...object.metadata.labels };
  const annotations = { ...stored.metadata.annotations, ...object.metadata.annotations };
  return { ...stored, metadata: { ...stored.metadata, labels, annotations } };
}

function rulesOf(object: ApiObject): PolicyRule[] {
  return (object["rules"] as PolicyRule[] | undefined) ?? [];
}

function subjectsOf(object: ApiObject): Subject[] {
  return (object["subjects"] as Subject[] | undefined) ?? [];
}

/** Whether everything that `wanted` says stands in `stored` as well; lists must be as long. */
function contains(stored: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return stored === wanted;
  if (typeof stored !== "object" || stored === null) return false;
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(stored) &&
      stored.length === wanted.length &&
      wanted.every((value, index) => contains(stored[index], value))
    );
  }
  return Object.entries(wanted).every(([key, value]) => contains((stored as Record<string, unknown>)[key], value));
}
