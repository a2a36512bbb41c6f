import { decodePercent } from "#base/percent.ts";
import type { ApiObject } from "#api/kind.ts";
import { semanticallyEqual } from "#api/validation/immutable.ts";
import { stringifyJson } from "#codec/json.ts";
import { formatMilliTime } from "#codec/time.ts";
import type { Transaction } from "#store/store.ts";
import type { Call } from "../call.ts";
import { recordBytesMax } from "../limits.ts";
import type { Served } from "../registry.ts";

/** Objects that change as a heartbeat or that are reports themselves: their writes need no reason. */
const unrecorded: ReadonlySet<string> = new Set(["leases", "events"]);

/** Why a write happens, as its headers say. Only the house itself is believed. */
export interface GivenCause {
  readonly actor: string | undefined;
  readonly rule: string | undefined;
  readonly because: string | undefined;
  readonly epoch: Transaction["epoch"];
}

const noCause: GivenCause = { actor: undefined, rule: undefined, because: undefined, epoch: undefined };

/** The cause that the caller gave, when it may give one: controllers inside the process, administrators, nodes. */
export function causeOf(call: Call): GivenCause {
  const headers = call.request.headers;
  if (headers["steersman-actor"] === undefined && headers["steersman-epoch"] === undefined) return noCause;
  const trusted =
    call.inProcess || call.user.groups.includes("system:masters") || call.user.groups.includes("system:nodes");
  if (!trusted) return noCause;
  return {
    actor: decoded(headers["steersman-actor"]),
    rule: decoded(headers["steersman-rule"]),
    because: decoded(headers["steersman-because"]),
    epoch: epochOf(headers["steersman-epoch"]),
  };
}

function decoded(text: string | undefined): string | undefined {
  return text === undefined ? undefined : decodePercent(text);
}

function epochOf(text: string | undefined): Transaction["epoch"] {
  const slash = text?.lastIndexOf("/") ?? -1;
  if (text === undefined || slash === -1) return undefined;
  const leader = decoded(text.slice(0, slash));
  const number = Number(text.slice(slash + 1));
  return leader !== undefined && Number.isSafeInteger(number) && 0 < number ? { leader, number } : undefined;
}

export function subjectOf(served: Served, namespace: string, name: string): string {
  const { group, resource } = served.kind.storage;
  return `${group}/${resource}/${namespace}/${name}`;
}

/** What a write changes: `old` is undefined for creations, `object` for deletions. */
export interface Change {
  readonly verb: string;
  readonly old: ApiObject | undefined;
  readonly object: ApiObject | undefined;
}

/** The record that goes into the transaction of a write. */
export function recordOf(call: Call, served: Served, change: Change): Transaction["record"] {
  const metadata = (change.old ?? change.object)?.metadata ?? {};
  // A binding is created too, though its pod is there.
  const code = change.old === undefined || call.info.verb === "create" ? 201 : 200;
  const entry = call.parts.audit?.entryOf(call, code, metadata.name ?? "");
  const subject = subjectOf(served, metadata.namespace ?? "", metadata.name ?? "");
  const reason = unrecorded.has(served.kind.storage.resource) ? undefined : reasonOf(call, served, change);
  if (entry === undefined) return reason === undefined ? undefined : { subject, bytes: encoder.encode(reason) };
  // The audit entry is JSON already: it becomes one more member of the record.
  const members = reason === undefined ? "" : `${reason.slice(1, -1)},`;
  return { subject, bytes: encoder.encode(`{${members}"audit":${entry}}`) };
}

const encoder = new TextEncoder();

function reasonOf(call: Call, served: Served, change: Change): string | undefined {
  const metadata = (change.old ?? change.object)?.metadata ?? {};
  const { actor, rule, because } = causeOf(call);
  const isGiven = actor !== undefined;
  // Members that are undefined are not written.
  const record = {
    time: formatMilliTime(call.parts.clock.now()),
    user: call.user.name,
    verb: change.verb,
    subresource: call.info.subresource === "" ? undefined : call.info.subresource,
    object: { kind: served.kind.storage.kind, namespace: metadata.namespace, name: metadata.name, uid: metadata.uid },
    resourceVersionBefore: change.old?.metadata.resourceVersion,
    userAgent: isGiven ? undefined : call.request.headers["user-agent"],
    changed: isGiven ? undefined : changedFields(change),
    actor,
    rule: isGiven ? rule : undefined,
    because: isGiven ? because : undefined,
  };
  const text = stringifyJson(record);
  return recordBytesMax < text.length ? undefined : text;
}

const bookkeeping: ReadonlySet<string> = new Set(["resourceVersion", "managedFields", "generation"]);

/** Paths of two levels that differ: `spec.replicas`, `metadata.labels`, `data.key`. */
function changedFields({ old, object }: Change): string[] | undefined {
  if (old === undefined || object === undefined) return undefined;
  const changed: string[] = [];
  for (const field of new Set([...Object.keys(old), ...Object.keys(object)])) {
    const before = old[field];
    const after = object[field];
    if (semanticallyEqual(before, after)) continue;
    if (!isObject(before) || !isObject(after)) {
      changed.push(field);
      continue;
    }
    for (const inner of new Set([...Object.keys(before), ...Object.keys(after)])) {
      if (field === "metadata" && bookkeeping.has(inner)) continue;
      if (!semanticallyEqual(before[inner], after[inner])) changed.push(`${field}.${inner}`);
    }
  }
  return changed.slice(0, 32);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
