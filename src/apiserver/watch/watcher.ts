import { encodeJson } from "#codec/json.ts";
import { schemaOf } from "#api/schemas.ts";
import { encodeProtobuf } from "#codec/protobuf.ts";
import type { Entry, Event } from "#store/store.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { ByteSink, ByteStream } from "#world/http.ts";
import { expired, Failure } from "../failure.ts";
import { namesOf } from "../keys.ts";
import { sliceMs, watchBacklogBytesMax, watchBacklogFramesMax, watchPieceBytesMax } from "../limits.ts";
import type { ObjectCache } from "../objects/cache.ts";
import { encodeProtobufMetadata } from "../objects/protobuf.ts";
import { selects, type Selection } from "../reads/selection.ts";
import { statusObject } from "../status.ts";
import { entryFramePieces, type Frame, FrameSource, frameOf, type FrameForm } from "./frames.ts";
import type { WatchHub } from "./hub.ts";

export interface WatcherOptions {
  readonly hub: WatchHub;
  readonly objects: ObjectCache;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly selection: Selection;
  readonly form: FrameForm;
  /** What is sent as ADDED first; undefined: nothing. */
  readonly initial: IterableIterator<Entry> | undefined;
  /** The revision after which changes are sent. */
  readonly from: number;
  readonly wantsBookmarks: boolean;
  /** Sends the bookmark that ends the initial events. */
  readonly marksInitialEnd: boolean;
  readonly timeoutMs: number;
  /** Changes go as values where the reader takes them. */
  readonly givesValues: boolean;
  /** Called once when what exists has been handed over, or nobody waits for it any more: with its length in bytes. */
  readonly begun: (bytes: number) => void;
  readonly closed: () => void;
  /** Counts what is sent, and whether the client did not keep up; absent: nobody does. */
  readonly counted?: { readonly sent: { add(by?: number): void }; readonly brokenOff: () => void } | undefined;
}

/** Initial events that are put together before the client must have taken some, in bytes. */
const initialBatchBytes = 256 * 1024;

/**
 * One watch: first what exists, pulled as the client takes it; then the store's history up to where the hub stands; then live.
 * Each change is sent once and in order, because `position` says what has been seen.
 */
export class Watcher implements ByteStream {
  readonly selection: Selection;
  readonly #options: WatcherOptions;
  #wish: string;
  #givesValues = false;
  #position: number;
  #sink: ByteSink | undefined;
  #isFull = false;
  #backlog: Frame[] = [];
  #backlogBytes = 0;
  /** The hub will call `send`. */
  #isQueued = false;
  #initial: IterableIterator<Entry> | undefined;
  #catchUp: { close(): void } | undefined;
  #timer: Timer | undefined;
  #sentColumns = false;
  #initialBytes = 0;
  #hasBegun = false;
  #isEnding = false;
  #isOver = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.selection = options.selection;
    this.#wish = wishOf(options);
    this.#position = options.from;
    this.#initial = options.initial;
  }

  open(sink: ByteSink): void {
    this.#sink = sink;
    this.#givesValues = this.#options.givesValues && sink.line !== undefined;
    if (this.#givesValues) this.#wish += "|value";
    this.#timer = this.#options.timers.after(this.#options.timeoutMs, () => this.end());
    if (this.#initial === undefined) this.#startCatchUp();
    else this.#sendInitial();
  }

  drained(): void {
    if (this.#isOver) return;
    this.#isFull = false;
    this.#sendBacklog();
    if (this.#isFull || this.#isOver) return;
    if (this.#isEnding) this.#finish();
    else if (this.#initial !== undefined) this.#sendInitial();
  }

  /** Called by the hub in its turn: sends what has gathered since it was asked to. */
  send(): void {
    this.#isQueued = false;
    if (this.#isFull || this.#isOver) return;
    this.#sendBacklog();
    if (this.#isEnding && !this.#isFull && !this.#isOver) this.#finish();
  }

  /** A few large pieces instead of many small ones. Watches that wait for the same frames get the same piece. */
  #sendBacklog(): void {
    const backlog = this.#backlog;
    if (backlog.length === 0) return;
    let from = 0;
    while (from < backlog.length && !this.#isFull && !this.#isOver) {
      const first = backlog[from]!;
      if (!(first instanceof Uint8Array)) {
        this.#backlogBytes -= first.length;
        from += 1;
        this.#isFull = !this.#sink!.line!(first);
        continue;
      }
      const pieces = this.#piecesFrom(from);
      const bytes = pieces.length === 1 ? first : this.#options.hub.joined(pieces);
      this.#backlogBytes -= bytes.length;
      from += pieces.length;
      this.#isFull = !this.#sink!.write(bytes);
    }
    if (this.#backlog === backlog) this.#backlog = from === backlog.length ? [] : backlog.slice(from);
  }

  /** The frames that go out as one piece of bytes. */
  #piecesFrom(from: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for (let at = from; at < this.#backlog.length; at++) {
      const frame = this.#backlog[at]!;
      bytes += frame.length;
      if (!(frame instanceof Uint8Array) || (pieces.length > 0 && watchPieceBytesMax < bytes)) break;
      pieces.push(frame);
    }
    return pieces;
  }

  close(): void {
    this.#release();
  }

  /** Ends the watch as its time is over: the client watches again from where it stands. */
  end(): void {
    if (this.#isOver || this.#isEnding) return;
    this.#isEnding = true;
    if (this.#backlog.length === 0) this.#finish();
  }

  /** A change that may concern this watch. */
  offer(event: Event, frames: FrameSource): void {
    if (event.revision <= this.#position || this.#isOver || this.#isEnding) return;
    const withColumns = this.#options.form.representation.as === "Table" && !this.#sentColumns;
    const frame = frames.forWish(withColumns ? `${this.#wish}|columns` : this.#wish, () =>
      this.#frameFor(event, frames, withColumns),
    );
    if (frame === undefined) return;
    this.#sentColumns = true;
    this.#options.counted?.sent.add();
    this.#queue(frame);
  }

  /** Transitions of the selection: what starts to match is ADDED, what stops is DELETED (watch contract 12). */
  #frameFor(event: Event, frames: FrameSource, withColumns: boolean): Frame | undefined {
    const { selection } = this;
    if (selection.namespace !== "" && !this.#isInNamespace(event.key)) return undefined;
    const { objects, form } = this.#options;
    const isFiltered = selection.labels !== undefined || selection.fields.length > 0;
    const exists = event.type === "put";
    const matched = event.previous !== undefined && (!isFiltered || selects(selection, event.previous, objects));
    const matches = exists && (!isFiltered || selects(selection, event.entry, objects));
    if (!matched && !matches) return undefined;
    const type = !matches ? "DELETED" : matched ? "MODIFIED" : "ADDED";
    const hasLeft = !matches && exists;
    return this.#givesValues ? frames.line(type, form, hasLeft) : frames.frame(type, form, withColumns, hasLeft);
  }

  /** Everything up to `revision` was sent. */
  bookmark(revision: number): void {
    if (!this.#options.wantsBookmarks || this.#isOver || this.#isEnding || this.#catchUp !== undefined) return;
    this.#queue(this.#bookmarkFrame(Math.max(revision, this.#position), false));
  }

  /** The buckets of names and labels hold watchers of several namespaces. */
  #isInNamespace(key: string): boolean {
    const { served, namespace } = this.selection;
    return namesOf(key, served.prefix, served.resource.namespaced).namespace === namespace;
  }

  #sendInitial(): void {
    const { objects, clock, form } = this.#options;
    const until = clock.monotonic() + sliceMs;
    let bytes = 0;
    while (this.#initial !== undefined && !this.#isFull && !this.#isOver && !this.#isEnding) {
      const { value, done } = this.#initial.next();
      if (done === true) {
        this.#initial = undefined;
        this.#begin();
        if (this.#options.marksInitialEnd) this.#write(this.#bookmarkFrame(this.#position, true));
        this.#startCatchUp();
        return;
      }
      if (!selects(this.selection, value, objects)) {
        if (clock.monotonic() < until) continue;
        break;
      }
      const withColumns = form.representation.as === "Table" && !this.#sentColumns;
      this.#sentColumns = true;
      this.#options.counted?.sent.add();
      for (const piece of entryFramePieces({ objects, clock }, "ADDED", value, form, withColumns)) {
        bytes += piece.length;
        this.#initialBytes += piece.length;
        this.#write(piece);
      }
      if (initialBatchBytes < bytes || until <= clock.monotonic()) break;
    }
    if (this.#initial !== undefined && !this.#isFull && !this.#isOver) this.#options.timers.soon(() => this.#goOn());
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#options.begun(this.#initialBytes);
  }

  #goOn(): void {
    if (this.#initial !== undefined && !this.#isFull && !this.#isOver && !this.#isEnding) this.#sendInitial();
  }

  /** Reads the store's history until the hub's position is reached, then joins the hub. */
  #startCatchUp(): void {
    const { hub } = this.#options;
    if (hub.position <= this.#position) {
      hub.join(this);
      return;
    }
    const { prefix } = this.selection.served;
    const following = hub.follow(this.#position, {
      events: (batch) => {
        for (const event of batch) {
          if (!event.key.startsWith(prefix) || !this.#mayConcern(event)) continue;
          this.offer(event, new FrameSource(event, this.#options.objects, this.#options.clock));
        }
      },
      progress: (revision) => {
        this.#position = Math.max(this.#position, revision);
        if (this.#position < hub.position || this.#isOver) return;
        this.#catchUp?.close();
        this.#catchUp = undefined;
        hub.join(this);
      },
      end: (end) => {
        this.#catchUp = undefined;
        if (end.reason === "compacted") this.#fail(expired(`too old resource version: ${this.#position}`));
        else this.end();
      },
    });
    if (following === "compacted") this.#fail(expired(`too old resource version: ${this.#position}`));
    else if (following === "future") throw new Error("a watch starts after the store's newest revision");
    else this.#catchUp = following;
  }

  #mayConcern(event: Event): boolean {
    const { served, name } = this.selection;
    return name === "" || namesOf(event.key, served.prefix, served.resource.namespaced).name === name;
  }

  #write(frame: Uint8Array): void {
    if (this.#isOver || this.#sink === undefined) return;
    if (!this.#isFull && this.#backlog.length === 0) {
      this.#isFull = !this.#sink.write(frame);
      return;
    }
    this.#keep(frame);
  }

  /** Sends in a moment, together with what else comes by then: what a crowd watches must not block the loop. */
  #queue(frame: Frame): void {
    if (this.#isOver || this.#sink === undefined) return;
    this.#keep(frame);
    if (this.#isFull || this.#isQueued || this.#isOver) return;
    this.#isQueued = true;
    this.#options.hub.sendSoon(this);
  }

  #keep(frame: Frame): void {
    this.#backlog.push(frame);
    this.#backlogBytes += frame.length;
    if (watchBacklogBytesMax < this.#backlogBytes || watchBacklogFramesMax < this.#backlog.length) this.#breakOff();
  }

  /** The client does not keep up: it must not miss a change silently, so the stream breaks. */
  #breakOff(): void {
    const sink = this.#sink;
    this.#options.counted?.brokenOff();
    this.#release();
    sink?.abort(new Error("the watch's client does not keep up"));
  }

  /** An error found after the stream began: an ERROR event, then the end. */
  #fail(failure: Failure): void {
    const { form } = this.#options;
    const status = statusObject(failure);
    const isProtobuf = form.representation.media === "protobuf";
    this.#write(
      frameOf(form, "ERROR", () =>
        isProtobuf ? encodeProtobuf(status, schemaOf("meta/v1.Status")) : encodeJson(status),
      ),
    );
    this.end();
  }

  #bookmarkFrame(revision: number, endsInitial: boolean): Uint8Array {
    const { form } = this.#options;
    const { served, representation } = form;
    const annotations = endsInitial ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
    const metadata = { resourceVersion: String(revision), creationTimestamp: null, ...annotations };
    return frameOf(form, "BOOKMARK", () => {
      if (representation.media === "protobuf") {
        if (representation.as !== "object") return encodeProtobufMetadata({ metadata }, representation.version);
        return encodeProtobuf({ kind: served.resource.kind, apiVersion: served.apiVersion, metadata }, served.schema);
      }
      if (representation.as === "object")
        return encodeJson({ kind: served.resource.kind, apiVersion: served.apiVersion, metadata });
      const apiVersion = `meta.k8s.io/${representation.version}`;
      if (representation.as !== "Table") return encodeJson({ kind: "PartialObjectMetadata", apiVersion, metadata });
      const row = { cells: [], object: { kind: "PartialObjectMetadata", apiVersion, metadata } };
      return encodeJson({
        kind: "Table",
        apiVersion,
        metadata: { resourceVersion: String(revision) },
        columnDefinitions: [],
        rows: [row],
      });
    });
  }

  #finish(): void {
    const sink = this.#sink;
    this.#release();
    sink?.end();
  }

  #release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#catchUp?.close();
    this.#options.hub.leave(this);
    this.#backlog = [];
    this.#initial = undefined;
    this.#begin();
    this.#options.closed();
  }
}

/** Equal for watches that get the same bytes of every change. */
function wishOf({ selection, form }: WatcherOptions): string {
  const labels = selection.labels === undefined ? "" : JSON.stringify(selection.labels.requirements);
  return JSON.stringify([form.id, selection.namespace, selection.name, labels, selection.fields]);
}
