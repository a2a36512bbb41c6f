import type { Entry, Snapshot } from "#store/store.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { ensureConverted } from "../custom/conversion.ts";
import { badRequest, expired, Failure } from "../failure.ts";
import { endOf, keyOf } from "../keys.ts";
import { sliceMs } from "../limits.ts";
import { contentTypes } from "../negotiate.ts";
import { headersFor, representationFor } from "../objects/respond.ts";
import { givesValues, sharedValue } from "../objects/values.ts";
import { continueExpired, decodeContinue, encodeContinue } from "../reads/continue.ts";
import { listResponse, type ListMetadata, type ListOrder } from "../reads/list-body.ts";
import { listOptionsProblem, wholeNumber } from "../reads/list-options.ts";
import { askedRevision, waitForRevision } from "../reads/revisions.ts";
import { selectionOf, selects, type Selection } from "../reads/selection.ts";
import type { Served } from "../registry.ts";

/** GET of a collection. */
export async function list(call: Call, served: Served): Promise<HttpResponse | Failure> {
  const representation = representationFor(call, served);
  if (representation instanceof Failure) return representation;
  const selection = selectionOf(call, served);
  if (selection instanceof Failure) return selection;
  const page = await pageOf(call);
  if (page instanceof Failure) return page;
  const prefix = selection.namespace === "" ? served.prefix : `${served.prefix}${selection.namespace}/`;
  const end = endOf(prefix);
  const start = page.start === "" ? prefix : prefix + page.start;
  const { snapshot } = page;
  const entries = entriesFor(call, selection, snapshot, start, end);
  if (page.limit === 0) {
    const metadata: ListMetadata = { resourceVersion: String(snapshot.revision) };
    if (served.custom?.conversion !== undefined) {
      const all = await take(call, selection, entries, Number.MAX_SAFE_INTEGER);
      return convertedList(call, { served, representation, metadata, entries: all.entries });
    }
    return listResponse(call, { served, representation, metadata, entries: chosen(call, selection, entries) });
  }
  const taken = await take(call, selection, entries, page.limit);
  const metadata: { -readonly [K in keyof ListMetadata]: ListMetadata[K] } = {
    resourceVersion: String(snapshot.revision),
  };
  if (taken.next !== undefined) {
    metadata.continue = encodeContinue({ revision: snapshot.revision, start: taken.next.slice(prefix.length) });
    if (selection.labels === undefined && selection.fields.length === 0)
      metadata.remainingItemCount = snapshot.count(taken.next, end);
  }
  if (givesValues(call, served, representation)) return valueList(call, served, metadata, taken.entries);
  return convertedList(call, { served, representation, metadata, entries: taken.entries });
}

/** What is to be looked at: one object where one is named, what an index knows, else everything between the keys. */
function entriesFor(
  call: Call,
  selection: Selection,
  snapshot: Snapshot,
  start: string,
  end: string,
): IterableIterator<Entry> {
  const { served, namespace, name } = selection;
  if (name !== "" && (namespace !== "" || !served.resource.namespaced)) {
    const key = keyOf(served.prefix, namespace, name);
    const entry = start <= key && key < end ? snapshot.get(key) : undefined;
    return (entry === undefined ? [] : [entry]).values();
  }
  return call.parts.indexes.candidates(selection, snapshot, start, end) ?? snapshot.range(start, end);
}

interface ConvertedOrder extends Omit<ListOrder, "entries"> {
  readonly entries: readonly Entry[];
}

/** A list whose entries were converted before the first of them is sent, where a webhook does that. */
async function convertedList(call: Call, order: ConvertedOrder): Promise<HttpResponse | Failure> {
  const { served, entries } = order;
  if (served.custom?.conversion !== undefined) {
    const failure = await ensureConverted(
      call,
      served,
      entries.map((entry) => call.parts.objects.decoded(entry)),
    );
    if (failure !== undefined) return failure;
  }
  return listResponse(call, { ...order, entries: entries.values() });
}

/** For a reader of this process: what is stored, as all share it. */
function valueList(call: Call, served: Served, metadata: ListMetadata, entries: readonly Entry[]): HttpResponse {
  const items = entries.map((entry) => sharedValue(call.parts.objects, served, entry));
  const value = { kind: `${served.resource.kind}List`, apiVersion: served.apiVersion, metadata, items };
  return { status: 200, headers: headersFor(call, contentTypes.json), body: noBytes, value };
}

const noBytes = new Uint8Array(0);

function* chosen(call: Call, selection: Selection, entries: Iterable<Entry>): IterableIterator<Entry | undefined> {
  const objects = call.parts.objects;
  if (selection.labels === undefined && selection.fields.length === 0) {
    yield* entries;
    return;
  }
  // Undefined for those left out: whoever sends the list can then give way to others also where nothing matches.
  for (const entry of entries) yield selects(selection, entry, objects) ? entry : undefined;
}

/** The first `limit` wanted entries, and the key after them where something follows. */
async function take(
  call: Call,
  selection: Selection,
  entries: Iterable<Entry>,
  limit: number,
): Promise<{ entries: Entry[]; next: string | undefined }> {
  const { clock, timers, objects } = call.parts;
  const taken: Entry[] = [];
  let until = clock.monotonic() + sliceMs;
  for (const entry of entries) {
    if (limit <= taken.length) return { entries: taken, next: entry.key };
    if (selects(selection, entry, objects)) taken.push(entry);
    if (until < clock.monotonic()) {
      await timers.yield();
      until = clock.monotonic() + sliceMs;
    }
  }
  return { entries: taken, next: undefined };
}

interface Page {
  readonly snapshot: Snapshot;
  /** Relative key to start at; empty: the beginning. */
  readonly start: string;
  /** 0: no limit. */
  readonly limit: number;
}

/** Which state is listed, and which part of it: the table of resourceVersion, resourceVersionMatch and continue (KEP-2340). */
export async function pageOf(call: Call): Promise<Page | Failure> {
  const { query } = call.info;
  const problem = listOptionsProblem(query);
  if (problem !== undefined) return problem;
  const match = query.get("resourceVersionMatch") ?? "";
  const token = query.get("continue") ?? "";
  const versionText = query.get("resourceVersion") ?? "";
  const asked = wholeNumber(query, "limit");
  if (asked instanceof Failure) return asked;
  const timeout = wholeNumber(query, "timeoutSeconds");
  if (timeout instanceof Failure) return timeout;
  const limit = Math.max(0, asked);
  if (token !== "") {
    if (versionText !== "" && versionText !== "0")
      return badRequest("specifying resource version is not allowed when using continue");
    return continuedPage(call, token, limit);
  }
  const revision = askedRevision(versionText);
  if (revision instanceof Failure) return revision;
  const { store } = call.parts;
  if (revision === undefined) return { snapshot: store.snapshot(), start: "", limit };
  if (store.visible < revision) {
    const late = await waitForRevision(call, revision);
    if (late !== undefined) return late;
  }
  const isExact = match === "Exact" || (match === "" && limit > 0);
  if (!isExact) return { snapshot: store.snapshot(), start: "", limit };
  const snapshot = store.snapshot(revision);
  if (typeof snapshot === "string") return expired(`The resourceVersion for the provided list is too old: ${revision}`);
  return { snapshot, start: "", limit };
}

function continuedPage(call: Call, token: string, limit: number): Page | Failure {
  const point = decodeContinue(token);
  if (point instanceof Failure) return point;
  const snapshot = point.revision === 0 ? call.parts.store.snapshot() : call.parts.store.snapshot(point.revision);
  if (snapshot === "compacted") return continueExpired(point);
  if (snapshot === "future") return badRequest("continue key is not valid: it is newer than the server");
  return { snapshot, start: point.start, limit };
}
