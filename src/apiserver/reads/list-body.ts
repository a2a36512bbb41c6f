import { concatBytes } from "#base/bytes.ts";
import { schemaOf } from "#api/schemas.ts";
import { parseJson } from "#codec/json.ts";
import { encodeProtobufList } from "#codec/protobuf.ts";
import type { Entry } from "#store/store.ts";
import type { ByteSink, ByteStream, HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { listFirstSliceBytes, listSliceBytes, sliceMs } from "../limits.ts";
import { contentTypes, type Representation } from "../negotiate.ts";
import { bytesOf } from "../objects/bytes.ts";
import { inVersion } from "../objects/convert.ts";
import { JsonIndenter, wantsPretty } from "../objects/pretty.ts";
import { protobufMessage, protobufMetadataMessage } from "../objects/protobuf.ts";
import { includeOf, itemsLackBrace, jsonItem, jsonOpen, partialMetadata, tableRow } from "../objects/represent.ts";
import { gzipFor, gzippedHeaders, headersFor } from "../objects/respond.ts";
import { columnDefinitions } from "../objects/table.ts";
import { encodeYaml } from "../objects/yaml.ts";
import type { Served } from "../registry.ts";

export interface ListMetadata {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export interface ListOrder {
  readonly served: Served;
  readonly representation: Representation;
  readonly metadata: ListMetadata;
  /** Undefined stands for an entry that was looked at and left out. */
  readonly entries: IterableIterator<Entry | undefined>;
}

/** The answer of a list: whole when it is small, else sent slice by slice while it is put together. */
export async function listResponse(call: Call, order: ListOrder): Promise<HttpResponse> {
  const headers = headersFor(call, contentTypes[order.representation.media]);
  if (order.representation.media === "protobuf") return { status: 200, headers, body: await protobufList(call, order) };
  if (order.representation.media === "yaml") return { status: 200, headers, body: await yamlList(call, order) };
  const plain = new ListWriter(call, order);
  const writer = wantsPretty(call) ? new IndentedWriter(plain) : plain;
  const first = writer.slice();
  const gzip = gzipFor(call, first.length);
  if (gzip !== undefined) {
    const parts = [first];
    while (!writer.done) {
      await call.parts.timers.yield();
      parts.push(writer.slice());
    }
    return { status: 200, headers: gzippedHeaders(headers), body: await gzip(concatBytes(parts)) };
  }
  if (writer.done) return { status: 200, headers, body: first };
  return { status: 200, headers, body: new SlicedBody(call, writer, first) };
}

/** A list as YAML, item by item with turns for others between them: YAML takes a hundred times as long as JSON. */
async function yamlList(call: Call, order: ListOrder): Promise<Uint8Array> {
  const { clock, timers } = call.parts;
  const { served, representation, metadata, entries } = order;
  const { item, lacksBrace } = itemsOf(call, order);
  const inItems = representation.as === "Table" ? "rows" : "items";
  const { [inItems]: _none, ...around } = read(bytesOf(`${headOf(served, representation, metadata)}]}`));
  const parts: Uint8Array[] = [];
  let until = clock.monotonic() + sliceMs;
  for (const entry of entries) {
    if (entry !== undefined) {
      const json = lacksBrace ? concatBytes([jsonOpen, item(entry)]) : item(entry);
      const yaml = encodeYaml({ [inItems]: [read(json)] });
      // Each item as a list of one, whose name is left away. What is nested too deep for YAML comes as JSON, which is YAML too.
      if (yaml[0] === brace) parts.push(concatBytes([bytesOf("- "), json, bytesOf("\n")]));
      else parts.push(yaml.subarray(inItems.length + ":\n".length));
    }
    if (until < clock.monotonic()) {
      await timers.yield();
      until = clock.monotonic() + sliceMs;
    }
  }
  if (parts.length === 0) return encodeYaml({ ...around, [inItems]: [] });
  return concatBytes([encodeYaml(around), bytesOf(`${inItems}:\n`), ...parts]);
}

function read(json: Uint8Array): Record<string, unknown> {
  const parsed = parseJson(json);
  if (!parsed.ok) throw new Error(`cannot read a list that was just written: ${parsed.message}`);
  return parsed.value as Record<string, unknown>;
}

/** The JSON of an entry as it stands in the list; objects of built-in kinds come without their opening brace. */
function itemsOf(
  call: Call,
  { served, representation }: ListOrder,
): { item: (entry: Entry) => Uint8Array; lacksBrace: boolean } {
  const include = includeOf(call);
  const { as, version } = representation;
  if (as === "object") return { item: (entry) => jsonItem(call, served, entry), lacksBrace: itemsLackBrace(served) };
  if (as === "Table") return { item: (entry) => tableRow(call, served, entry, include, version), lacksBrace: false };
  return { item: (entry) => partialMetadata(entry, version), lacksBrace: false };
}

const comma = 0x2c;
const brace = 0x7b;

/** Makes a list a slice at a time. */
interface SliceWriter {
  readonly done: boolean;
  /** The next piece. `mayReuse`: nobody needs the last one any more. */
  slice(mayReuse?: boolean): Uint8Array;
}

/** The slices of a list as people read them. */
class IndentedWriter implements SliceWriter {
  readonly #writer: SliceWriter;
  readonly #indenter = new JsonIndenter();

  constructor(writer: SliceWriter) {
    this.#writer = writer;
  }

  get done(): boolean {
    return this.#writer.done;
  }

  slice(): Uint8Array {
    return this.#indenter.write(this.#writer.slice(true));
  }
}

/** Puts a JSON list together. */
class ListWriter implements SliceWriter {
  readonly #call: Call;
  readonly #order: ListOrder;
  readonly #item: (entry: Entry) => Uint8Array;
  readonly #lacksBrace: boolean;
  #head: Uint8Array | undefined;
  /** An item that did not fit into the last slice. */
  #carried: Uint8Array | undefined;
  #isFirst = true;
  /** Most lists are small: room is made as it is needed. */
  #sliceBytes = listFirstSliceBytes;
  #last: Uint8Array | undefined;
  done = false;

  constructor(call: Call, order: ListOrder) {
    const { served, representation, metadata } = order;
    this.#call = call;
    this.#order = order;
    const { item, lacksBrace } = itemsOf(call, order);
    this.#item = item;
    this.#lacksBrace = lacksBrace;
    this.#head = bytesOf(headOf(served, representation, metadata));
  }

  /** `listSliceBytes`, or what was done in `sliceMs`, or the rest. */
  slice(mayReuse = false): Uint8Array {
    const { clock } = this.#call.parts;
    const until = clock.monotonic() + sliceMs;
    const needed = Math.max(this.#sliceBytes, (this.#head?.length ?? 0) + 4);
    // Half a gigabyte of fresh slices would make the collector look through the whole heap again and again.
    const isReused = mayReuse && this.#last !== undefined && needed <= this.#last.length;
    const { buffer, length } = this.#fill(isReused ? this.#last! : new Uint8Array(needed), until);
    this.#last = buffer;
    return buffer.subarray(0, length);
  }

  #fill(given: Uint8Array, until: number): { buffer: Uint8Array; length: number } {
    const { clock } = this.#call.parts;
    let buffer = given;
    let length = 0;
    if (this.#head !== undefined) {
      buffer.set(this.#head, 0);
      length = this.#head.length;
      this.#head = undefined;
    }
    for (let looked = 1; ; looked++) {
      const bytes = this.#carried ?? this.#next();
      this.#carried = undefined;
      if (bytes === undefined) {
        this.done = true;
        const whole = closed(buffer, length);
        return { buffer: whole, length: whole.length };
      }
      if (bytes.length > 0) {
        const needed = bytes.length + 4;
        if (buffer.length < length + needed && buffer.length < listSliceBytes) {
          this.#sliceBytes = Math.min(listSliceBytes, Math.max(2 * buffer.length, length + needed));
          const larger = new Uint8Array(this.#sliceBytes);
          larger.set(buffer.subarray(0, length));
          buffer = larger;
        }
        if (buffer.length < length + needed) {
          if (length > 0) {
            this.#carried = bytes;
            return { buffer, length };
          }
          buffer = new Uint8Array(needed);
        }
        if (!this.#isFirst) buffer[length++] = comma;
        this.#isFirst = false;
        if (this.#lacksBrace) buffer[length++] = brace;
        buffer.set(bytes, length);
        length += bytes.length;
      }
      if ((looked & 63) === 0 && until < clock.monotonic()) return { buffer, length };
    }
  }

  #next(): Uint8Array | undefined {
    const { value, done } = this.#order.entries.next();
    if (done === true) return undefined;
    return value === undefined ? leftOut : this.#item(value);
  }
}

const leftOut = new Uint8Array(0);

function closed(buffer: Uint8Array, length: number): Uint8Array {
  if (buffer.length < length + 2) {
    const larger = new Uint8Array(length + 2);
    larger.set(buffer.subarray(0, length));
    buffer = larger;
  }
  buffer[length] = 0x5d;
  buffer[length + 1] = 0x7d;
  return buffer.subarray(0, length + 2);
}

function headOf(served: Served, { as, version }: Representation, metadata: ListMetadata): string {
  const meta = JSON.stringify(metadata);
  if (as === "object") {
    const { apiVersion, resource } = served;
    return `{"kind":"${resource.kind}List","apiVersion":"${apiVersion}","metadata":${meta},"items":[`;
  }
  if (as === "Table") {
    const columns = JSON.stringify(columnDefinitions(served.kind));
    return `{"kind":"Table","apiVersion":"meta.k8s.io/${version}","metadata":${meta},"columnDefinitions":${columns},"rows":[`;
  }
  return `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${version}","metadata":${meta},"items":[`;
}

/** A large list on its way: the next slice is made when the client has taken the last. */
class SlicedBody implements ByteStream {
  readonly #call: Call;
  readonly #writer: SliceWriter;
  #first: Uint8Array | undefined;
  #sink: ByteSink | undefined;
  #closed = false;
  #mayReuse = false;

  constructor(call: Call, writer: SliceWriter, first: Uint8Array) {
    this.#call = call;
    this.#writer = writer;
    this.#first = first;
  }

  open(sink: ByteSink): void {
    this.#sink = sink;
    this.#send();
  }

  drained(): void {
    this.#mayReuse = this.#sink?.returnsMemory === true;
    this.#send();
  }

  close(): void {
    this.#closed = true;
  }

  #send(): void {
    if (this.#closed || this.#sink === undefined) return;
    const bytes = this.#first ?? this.#writer.slice(this.#mayReuse);
    this.#first = undefined;
    this.#mayReuse = false;
    const room = this.#sink.write(bytes);
    if (this.#writer.done) this.#sink.end();
    else if (room) this.#call.parts.timers.soon(() => this.#send());
  }
}

/** Protobuf needs the length first, so such a list is made whole; its items' messages are cached. */
async function protobufList(call: Call, order: ListOrder): Promise<Uint8Array> {
  const { served, representation, metadata, entries } = order;
  const { clock, timers, objects } = call.parts;
  const isMetadata = representation.as !== "object";
  const encoding = isMetadata ? "message:metadata" : `message:${served.apiVersion}`;
  const items: Uint8Array[] = [];
  let until = clock.monotonic() + sliceMs;
  for (const entry of entries) {
    if (entry !== undefined) {
      const make = (): Uint8Array => {
        const object = objects.decoded(entry);
        return isMetadata ? protobufMetadataMessage(object) : protobufMessage(served, inVersion(served, object));
      };
      items.push(objects.encoding(entry, encoding, make));
    }
    if (until < clock.monotonic()) {
      await timers.yield();
      until = clock.monotonic() + sliceMs;
    }
  }
  const list = isMetadata
    ? { apiVersion: `meta.k8s.io/${representation.version}`, kind: "PartialObjectMetadataList" }
    : { apiVersion: served.apiVersion, kind: `${served.resource.kind}List` };
  return encodeProtobufList({ ...list, metadata: { ...metadata } }, schemaOf("meta/v1.ListMeta"), items);
}
