import { concatBytes } from "#base/bytes.ts";
import type { ApiObject } from "#api/kind.ts";
import { encodeJson, parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import type { ByteSink, ByteStream } from "#world/http.ts";
import type { Call } from "../call.ts";
import { convertedObject, ensureConverted } from "../custom/conversion.ts";
import { conversionBacklogMax } from "../custom/limits.ts";
import type { Failure } from "../failure.ts";
import type { Representation } from "../negotiate.ts";
import { bytesOf } from "../objects/bytes.ts";
import { representValue } from "../objects/represent.ts";
import type { Served } from "../registry.ts";
import { statusObject } from "../status.ts";

interface WatchEvent {
  readonly type: string;
  readonly object: ApiObject;
}

const newline = 0x0a;

/**
 * A watch whose objects a webhook converts: it takes the events of a watch of the stored objects, asks for what has gathered at
 * once, and passes them on in their order. Nothing is skipped: a conversion that fails ends the watch.
 */
export class ConvertedWatch implements ByteStream {
  readonly #call: Call;
  readonly #served: Served;
  readonly #representation: Representation;
  readonly #stored: ByteStream;
  #sink: ByteSink | undefined;
  #waiting: WatchEvent[] = [];
  #isConverting = false;
  #isFull = false;
  #isStoredHeld = false;
  #isEnding = false;
  #isOver = false;

  constructor(call: Call, served: Served, representation: Representation, stored: ByteStream) {
    this.#call = call;
    this.#served = served;
    this.#representation = representation;
    this.#stored = stored;
  }

  open(sink: ByteSink): void {
    this.#sink = sink;
    this.#stored.open({
      write: (chunk) => this.#take(chunk),
      end: () => {
        this.#isEnding = true;
        this.#goOn();
      },
      abort: (reason) => {
        this.#isOver = true;
        sink.abort(reason);
      },
    });
  }

  drained(): void {
    this.#isFull = false;
    this.#goOn();
  }

  close(): void {
    this.#isOver = true;
    this.#stored.close();
  }

  /** False: no more until what waits is done. */
  #take(chunk: Uint8Array): boolean {
    for (let start = 0; start < chunk.length;) {
      const end = chunk.indexOf(newline, start);
      const parsed = parseJson(chunk.subarray(start, end === -1 ? chunk.length : end));
      if (!parsed.ok || !isRecord(parsed.value)) throw new Error("cannot read an event that was just written");
      this.#waiting.push({ type: String(parsed.value["type"]), object: parsed.value["object"] as ApiObject });
      start = end === -1 ? chunk.length : end + 1;
    }
    this.#isStoredHeld = conversionBacklogMax <= this.#waiting.length;
    this.#goOn();
    return !this.#isStoredHeld;
  }

  #goOn(): void {
    if (this.#isOver || this.#isConverting || this.#isFull) return;
    if (this.#waiting.length === 0) {
      if (this.#isEnding) this.#finish();
      else if (this.#isStoredHeld) {
        this.#isStoredHeld = false;
        this.#stored.drained();
      }
      return;
    }
    const events = this.#waiting;
    this.#waiting = [];
    this.#isConverting = true;
    const objects = events.filter(({ type }) => type !== "BOOKMARK" && type !== "ERROR").map(({ object }) => object);
    ensureConverted(this.#call, this.#served, objects).then(
      (failure) => {
        this.#isConverting = false;
        this.#send(events, failure);
      },
      (error: unknown) => {
        this.#isOver = true;
        this.#stored.close();
        this.#sink?.abort(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  #send(events: readonly WatchEvent[], failure: Failure | undefined): void {
    if (this.#isOver || this.#sink === undefined) return;
    const frames =
      failure === undefined
        ? events.map((event) => this.#frame(event))
        : [frame("ERROR", encodeJson(statusObject(failure)))];
    this.#isFull = !this.#sink.write(concatBytes(frames));
    if (failure !== undefined) {
      this.#stored.close();
      this.#finish();
    } else this.#goOn();
  }

  #frame({ type, object }: WatchEvent): Uint8Array {
    if (type === "ERROR" || type === "BOOKMARK") return frame(type, encodeJson(object));
    const converted = convertedObject(object, this.#served.apiVersion) ?? object;
    return frame(type, representValue(this.#call, this.#served, converted, this.#representation));
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink?.end();
  }
}

function frame(type: string, object: Uint8Array): Uint8Array {
  return concatBytes([bytesOf(`{"type":"${type}","object":`), object, bytesOf("}\n")]);
}
