import { concatBytes } from "#base/bytes.ts";
import { encodeWatchFrame } from "#codec/protobuf.ts";
import type { Entry, Event } from "#store/store.ts";
import type { Clock } from "#world/clock.ts";
import type { ValueLine } from "#world/http.ts";
import type { Representation } from "../negotiate.ts";
import { bytesOf } from "../objects/bytes.ts";
import type { ObjectCache } from "../objects/cache.ts";
import { inVersion } from "../objects/convert.ts";
import { encodeProtobufObject } from "../objects/protobuf.ts";
import { jsonInVersion, metadataBytes, tableOf, tableRow, type IncludeObject } from "../objects/represent.ts";
import { withRevision } from "../objects/stored.ts";
import { sharedValue } from "../objects/values.ts";
import type { Served } from "../registry.ts";

/** What a watcher hands over: bytes, or the value that they would be. */
export type Frame = Uint8Array | ValueLine;

export type EventType = "ADDED" | "MODIFIED" | "DELETED";

/** How a watcher wants its events written. Watchers with equal `id` share the bytes. */
export interface FrameForm {
  readonly served: Served;
  readonly representation: Representation;
  readonly include: IncludeObject;
  readonly id: string;
}

export function frameForm(served: Served, representation: Representation, include: IncludeObject): FrameForm {
  return { served, representation, include, id: `${served.apiVersion}|${representation.id}|${include}` };
}

const heads: Readonly<Record<string, Uint8Array>> = {
  ADDED: bytesOf('{"type":"ADDED","object":'),
  MODIFIED: bytesOf('{"type":"MODIFIED","object":'),
  DELETED: bytesOf('{"type":"DELETED","object":'),
  BOOKMARK: bytesOf('{"type":"BOOKMARK","object":'),
  ERROR: bytesOf('{"type":"ERROR","object":'),
};
const tail = bytesOf("}\n");

interface MadeLine {
  readonly type: EventType;
  readonly hasLeft: boolean;
  readonly apiVersion: string;
  readonly line: ValueLine;
}

/** The frames of one change, each made once. */
export class FrameSource {
  readonly #event: Event;
  readonly #objects: ObjectCache;
  readonly #clock: Clock;
  #frames: Map<string, Uint8Array> | undefined;
  readonly #lines: MadeLine[] = [];
  #left: Entry | undefined;
  /** What the last watcher got. Most of a crowd wants the same, so the work is done once for all of them. */
  #lastWish = "";
  #lastFrame: Frame | undefined;

  constructor(event: Event, objects: ObjectCache, clock: Clock) {
    this.#event = event;
    this.#objects = objects;
    this.#clock = clock;
  }

  /** The frame for everybody with the same wish, made by the first of them; undefined: the change does not concern them. */
  forWish(wish: string, make: () => Frame | undefined): Frame | undefined {
    if (wish !== this.#lastWish) {
      this.#lastFrame = make();
      this.#lastWish = wish;
    }
    return this.#lastFrame;
  }

  /** `hasLeft`: the object still exists but stopped matching, so its last matching state is shown with this revision. */
  frame(type: EventType, form: FrameForm, withColumns: boolean, hasLeft: boolean): Uint8Array {
    const key = `${type}|${withColumns ? "c" : ""}${hasLeft ? "l" : ""}|${form.id}`;
    this.#frames ??= new Map();
    const known = this.#frames.get(key);
    if (known !== undefined) return known;
    const entry = hasLeft ? this.#leftEntry() : this.#event.entry;
    const made = entryFrame({ objects: this.#objects, clock: this.#clock }, type, entry, form, withColumns);
    this.#frames.set(key, made);
    return made;
  }

  /** The same for readers of this process that take values. */
  line(type: EventType, form: FrameForm, hasLeft: boolean): ValueLine {
    const { apiVersion } = form.served;
    for (const made of this.#lines)
      if (made.type === type && made.hasLeft === hasLeft && made.apiVersion === apiVersion) return made.line;
    const entry = hasLeft ? this.#leftEntry() : this.#event.entry;
    const line: ValueLine = {
      value: { type, object: sharedValue(this.#objects, form.served, entry) },
      length: entry.value.length,
      bytes: () => this.frame(type, form, false, hasLeft),
    };
    this.#lines.push({ type, hasLeft, apiVersion, line });
    return line;
  }

  #leftEntry(): Entry {
    const { previous, revision } = this.#event;
    if (previous === undefined) throw new Error("an object that was not there cannot stop matching");
    this.#left ??= {
      ...previous,
      key: previous.key,
      value: withRevision(previous.value, revision),
      modified: revision,
      attachment: undefined,
    };
    return this.#left;
  }
}

interface Tools {
  readonly objects: ObjectCache;
  readonly clock: Clock;
}

/** One event as it goes over the wire. */
function entryFrame(tools: Tools, type: EventType, entry: Entry, form: FrameForm, withColumns: boolean): Uint8Array {
  return frameOf(form, type, () => objectBytes(tools, entry, form, withColumns));
}

/** Objects of this size are not copied into a frame: it goes out in pieces. In bytes. */
const wholeFrameBytesMax = 64 * 1024;

/** Of larger ones so much at a time: what waits for hundreds of clients lies encrypted in memory. In bytes. */
const framePieceBytes = 256 * 1024;

/** The same in pieces, which are one where the object is small. */
export function entryFramePieces(
  tools: Tools,
  type: EventType,
  entry: Entry,
  form: FrameForm,
  withColumns: boolean,
): readonly Uint8Array[] {
  if (form.representation.media === "protobuf" || entry.value.length <= wholeFrameBytesMax)
    return [entryFrame(tools, type, entry, form, withColumns)];
  const pieces = [heads[type]!];
  const object = objectBytes(tools, entry, form, withColumns);
  for (let at = 0; at < object.length; at += framePieceBytes) pieces.push(object.subarray(at, at + framePieceBytes));
  pieces.push(tail);
  return pieces;
}

/** An event around the bytes of an object. */
export function frameOf(form: FrameForm, type: string, object: () => Uint8Array): Uint8Array {
  if (form.representation.media === "protobuf") return encodeWatchFrame(type, object());
  return concatBytes([heads[type]!, object(), tail]);
}

function objectBytes({ objects, clock }: Tools, entry: Entry, form: FrameForm, withColumns: boolean): Uint8Array {
  const { served, representation, include } = form;
  const call = { parts: { objects, clock } } as Parameters<typeof tableRow>[0];
  if (representation.as === "Table") {
    const row = tableRow(call, served, entry, include, representation.version);
    return tableOf(served, representation.version, `"resourceVersion":"${entry.modified}"`, [row], withColumns);
  }
  if (representation.as !== "object") return metadataBytes(call, entry, representation);
  if (representation.media === "protobuf")
    return encodeProtobufObject(served, inVersion(served, objects.decoded(entry)));
  return jsonInVersion(call, served, entry);
}
