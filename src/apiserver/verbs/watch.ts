import type { Entry, Snapshot } from "#store/store.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { Failure, tooManyRequests } from "../failure.ts";
import { streamSeatMs } from "../fairness/limits.ts";
import { endOf, keyOf } from "../keys.ts";
import { retryAfterSeconds, watchesMax, watchTimeoutSecondsMin } from "../limits.ts";
import { contentTypes, jsonObject } from "../negotiate.ts";
import { includeOf } from "../objects/represent.ts";
import { headersFor, representationFor } from "../objects/respond.ts";
import { givesValues } from "../objects/values.ts";
import { watchOptionsProblem, wholeNumber } from "../reads/list-options.ts";
import { askedRevision, waitForRevision } from "../reads/revisions.ts";
import { selectionOf, type Selection } from "../reads/selection.ts";
import type { Served } from "../registry.ts";
import { isTrue } from "../stages/route.ts";
import { frameForm } from "../watch/frames.ts";
import { ConvertedWatch } from "../watch/converted-watch.ts";
import { Watcher } from "../watch/watcher.ts";

/** A watch of a collection, or of one object by the deprecated path. */
export async function watch(call: Call, served: Served): Promise<HttpResponse | Failure> {
  const { query, name } = call.info;
  const { hub, objects, timers, clock, random } = call.parts;
  if (watchesMax <= hub.count) return tooManyRequests("too many watches, please try again later", retryAfterSeconds);
  const representation = representationFor(call, served, true);
  if (representation instanceof Failure) return representation;
  const selected = selectionOf(call, served);
  if (selected instanceof Failure) return selected;
  const selection = name === "" ? selected : { ...selected, name };
  const start = await startOf(call, selection);
  if (start instanceof Failure) return start;

  const seconds = wholeNumber(query, "timeoutSeconds");
  if (seconds instanceof Failure) return seconds;
  const timeoutMs = 1000 * (seconds > 0 ? seconds : watchTimeoutSecondsMin * (1 + random.float()));
  const wantsBookmarks = flag(query.get("allowWatchBookmarks"));
  // What a webhook has to convert is watched as it is stored, and converted on its way.
  const isConverted = served.custom?.conversion !== undefined && !representation.as.startsWith("Partial");
  const form = isConverted
    ? frameForm({ ...served, custom: undefined, isStorage: true }, jsonObject, "None")
    : frameForm(served, representation, includeOf(call));
  const isCounted = !call.inProcess && !call.user.groups.includes("system:masters");
  if (isCounted && !call.parts.watchesByUser.open(call.user.name))
    return tooManyRequests("too many watches of one user, please try again later", retryAfterSeconds);
  const { measures } = call.parts;
  const { resource } = served;
  const watcher = new Watcher({
    // The server's own loops are no clients.
    counted:
      measures === undefined || call.inProcess
        ? undefined
        : { sent: measures.watchEvents(resource), brokenOff: () => measures.watchTerminated(resource) },
    hub,
    objects,
    timers,
    clock,
    selection,
    form,
    initial: start.initial,
    from: start.from,
    wantsBookmarks,
    marksInitialEnd: start.marksInitialEnd && wantsBookmarks,
    timeoutMs,
    givesValues: givesValues(call, served, representation),
    begun: seatUntilBegun(call, start),
    closed: () => {
      if (isCounted) call.parts.watchesByUser.close(call.user.name);
    },
  });
  const contentType = contentTypes[representation.media];
  const isProtobuf = representation.media === "protobuf";
  const headers = headersFor(call, isProtobuf ? `${contentType};stream=watch` : contentType);
  const body = isConverted ? new ConvertedWatch(call, served, representation, watcher) : watcher;
  return { status: 200, headers, body };
}

/** A watch that begins with what exists keeps its seats until that is sent, or has taken too long. */
function seatUntilBegun(call: Call, { initial }: Start): (bytes: number) => void {
  const { finished } = call;
  if (initial === undefined || finished === undefined) return () => undefined;
  call.finished = undefined;
  const timer = call.parts.timers.after(streamSeatMs, () => finished(0));
  return (bytes) => {
    timer.cancel();
    finished(bytes);
  };
}

interface Start {
  readonly initial: IterableIterator<Entry> | undefined;
  readonly from: number;
  readonly marksInitialEnd: boolean;
}

/** Where a watch begins: at a revision, or with what exists now. */
async function startOf(call: Call, selection: Selection): Promise<Start | Failure> {
  const { query } = call.info;
  const { store } = call.parts;
  const problem = watchOptionsProblem(query);
  if (problem !== undefined) return problem;
  const sendInitial = query.get("sendInitialEvents");
  const revision = askedRevision(query.get("resourceVersion"));
  if (revision instanceof Failure) return revision;
  if (revision !== undefined && store.visible < revision) {
    const late = await waitForRevision(call, revision);
    if (late !== undefined) return late;
  }
  const isInitialAsked = sendInitial !== null && isTrue(sendInitial);
  const isInitialRefused = sendInitial !== null && !isTrue(sendInitial);
  if (!isInitialAsked && (revision !== undefined || isInitialRefused)) {
    return { initial: undefined, from: revision ?? store.visible, marksInitialEnd: false };
  }
  const snapshot = store.snapshot();
  return { initial: rangeOf(call, snapshot, selection), from: snapshot.revision, marksInitialEnd: isInitialAsked };
}

function rangeOf(call: Call, snapshot: Snapshot, selection: Selection): IterableIterator<Entry> {
  const { served, namespace, name } = selection;
  if (name !== "" && (namespace !== "" || !served.resource.namespaced)) {
    const entry = snapshot.get(keyOf(served.prefix, namespace, name));
    return (entry === undefined ? [] : [entry]).values();
  }
  const prefix = namespace === "" ? served.prefix : `${served.prefix}${namespace}/`;
  const end = endOf(prefix);
  return call.parts.indexes.candidates(selection, snapshot, prefix, end) ?? snapshot.range(prefix, end);
}

function flag(text: string | null): boolean {
  return text !== null && isTrue(text);
}
