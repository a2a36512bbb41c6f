/** DNS messages in the form of RFC 1035, as far as a cluster's server needs them. */

export const types = { A: 1, CNAME: 5, SOA: 6, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const;
export const codes = {
  ok: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;
const classInternet = 1;
const nameBytesMax = 255;

export interface Query {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** Lower case, without the dot at the end; empty for the root. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The question as sent, so that the answer repeats the case of its letters. */
  readonly question: Uint8Array;
  readonly edns: { readonly payloadBytes: number; readonly version: number } | undefined;
}

/** Data of a record; names are lower case without the dot at the end. */
export type RecordData =
  | { readonly type: "A"; readonly address: string }
  | { readonly type: "CNAME" | "PTR"; readonly target: string }
  | {
      readonly type: "SRV";
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: "TXT"; readonly text: string }
  | {
      readonly type: "SOA";
      readonly primary: string;
      readonly mailbox: string;
      readonly serial: number;
      readonly minimum: number;
    }
  /** Taken over from another server's answer; holds no compressed names. */
  | { readonly type: "raw"; readonly number: number; readonly bytes: Uint8Array };

export interface DnsRecord {
  readonly name: string;
  readonly ttlSeconds: number;
  readonly data: RecordData;
}

export interface Answer {
  readonly code: number;
  readonly authoritative: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** What to do with bytes that are no query: nothing (`drop`), or an answer that says so. */
export type ParsedQuery =
  | { readonly kind: "query"; readonly query: Query }
  | { readonly kind: "bad"; readonly id: number }
  | { readonly kind: "drop" };

/** Reads a query of exactly one question. */
export function parseQuery(bytes: Uint8Array): ParsedQuery {
  if (bytes.length < 12) return { kind: "drop" };
  const id = u16(bytes, 0);
  const flags = u16(bytes, 2);
  if ((flags & 0x8000) !== 0) return { kind: "drop" };
  const bad = { kind: "bad", id } as const;
  if (u16(bytes, 4) !== 1 || u16(bytes, 6) !== 0) return bad;
  const name = readName(bytes, 12);
  if (name === undefined || bytes.length < name.end + 4) return bad;
  const edns = findEdns(bytes, name.end + 4, u16(bytes, 8), u16(bytes, 10));
  if (edns === "bad") return bad;
  return {
    kind: "query",
    query: {
      id,
      opcode: (flags >>> 11) & 15,
      recursionDesired: (flags & 0x0100) !== 0,
      name: name.text,
      type: u16(bytes, name.end),
      class: u16(bytes, name.end + 2),
      question: bytes.slice(12, name.end + 4),
      edns,
    },
  };
}

function findEdns(bytes: Uint8Array, start: number, authorities: number, additionals: number): Query["edns"] | "bad" {
  let at = start;
  for (let index = 0; index < authorities + additionals; index++) {
    const name = readName(bytes, at);
    if (name === undefined || bytes.length < name.end + 10) return "bad";
    const end = name.end + 10 + u16(bytes, name.end + 8);
    if (bytes.length < end) return "bad";
    if (u16(bytes, name.end) === types.OPT && name.text === "") {
      return { payloadBytes: u16(bytes, name.end + 2), version: bytes[name.end + 5] ?? 0 };
    }
    at = end;
  }
  return undefined;
}

/** Reads a name, following pointers backwards only; undefined when it is malformed or too long. */
function readName(bytes: Uint8Array, start: number): { readonly text: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  let end: number | undefined;
  let length = 0;
  for (;;) {
    const size = bytes[at];
    if (size === undefined) return undefined;
    if (size === 0) return { text: labels.join("."), end: end ?? at + 1 };
    if ((size & 0xc0) === 0xc0) {
      const to = ((size & 0x3f) << 8) | (bytes[at + 1] ?? 0);
      if (bytes.length < at + 2 || at <= to) return undefined;
      end ??= at + 2;
      at = to;
      length += 1;
      if (nameBytesMax < length) return undefined;
      continue;
    }
    if ((size & 0xc0) !== 0 || bytes.length < at + 1 + size) return undefined;
    length += size + 1;
    if (nameBytesMax < length + 1) return undefined;
    labels.push(labelText(bytes, at + 1, size));
    at += size + 1;
  }
}

/** Bytes that no host name has are written so that they match no name of ours and survive being written again. */
function labelText(bytes: Uint8Array, start: number, size: number): string {
  let text = "";
  for (let at = start; at < start + size; at++) {
    const byte = bytes[at] ?? 0;
    text += byte === 0x2e ? "\u012e" : String.fromCharCode(0x41 <= byte && byte <= 0x5a ? byte + 32 : byte);
  }
  return text;
}

/** Writes an answer; one that is longer than `bytesMax` is cut to its question and marked as truncated. */
export function writeAnswer(query: Query, answer: Answer, bytesMax: number): Uint8Array {
  const whole = write(query, answer, false);
  if (whole.length <= bytesMax) return whole;
  return write(query, { ...answer, answers: [], authorities: [], additionals: [] }, true);
}

/** An answer without content: errors. */
export function emptyAnswer(code: number): Answer {
  return { code, authoritative: false, answers: [], authorities: [], additionals: [] };
}

/** The answer to bytes that could not be read as a query. */
export function writeFormatError(id: number): Uint8Array {
  return new Uint8Array([id >>> 8, id & 255, 0x80, codes.formatError, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/** Writes a query of our own for an upstream server. */
export function writeQuery(id: number, question: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + question.length + 11);
  bytes.set([id >>> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  bytes.set(question, 12);
  bytes.set([0, 0, types.OPT, 1_232 >>> 8, 1_232 & 255, 0, 0, 0, 0, 0, 0], 12 + question.length);
  return bytes;
}

/** The question part of a message. */
export function writeQuestion(name: string, type: number): Uint8Array {
  const out = new Writer(64);
  out.name(name);
  out.u16(type);
  out.u16(classInternet);
  return out.done();
}

/** The address and alias records of another server's answer to `id` and `question`; undefined when it is no answer to that. */
export function readRecords(
  bytes: Uint8Array,
): { readonly code: number; readonly truncated: boolean; readonly records: DnsRecord[] } | undefined {
  if (bytes.length < 12) return undefined;
  const flags = u16(bytes, 2);
  const records: DnsRecord[] = [];
  let at = 12;
  for (let index = 0; index < u16(bytes, 4); index++) {
    const name = readName(bytes, at);
    if (name === undefined) return undefined;
    at = name.end + 4;
  }
  for (let index = 0; index < u16(bytes, 6); index++) {
    const name = readName(bytes, at);
    if (name === undefined || bytes.length < name.end + 10) return undefined;
    const type = u16(bytes, name.end);
    const start = name.end + 10;
    const end = start + u16(bytes, name.end + 8);
    if (bytes.length < end) return undefined;
    const seconds = u16(bytes, name.end + 4) * 65_536 + u16(bytes, name.end + 6);
    if (type === types.CNAME) {
      const target = readName(bytes, start);
      if (target === undefined) return undefined;
      records.push({ name: name.text, ttlSeconds: seconds, data: { type: "CNAME", target: target.text } });
    } else if (type === types.A || type === types.AAAA) {
      records.push({
        name: name.text,
        ttlSeconds: seconds,
        data: { type: "raw", number: type, bytes: bytes.slice(start, end) },
      });
    }
    at = end;
  }
  return { code: flags & 15, truncated: (flags & 0x0200) !== 0, records };
}

/** Whether a message answers a question that we asked under `id`. */
export function answersQuestion(bytes: Uint8Array, id: number, question: Uint8Array): boolean {
  if (bytes.length < 12 + question.length || u16(bytes, 0) !== id || (u16(bytes, 2) & 0x8000) === 0) return false;
  if (u16(bytes, 4) !== 1) return false;
  return question.every((byte, index) => lower(byte) === lower(bytes[12 + index] ?? 0));
}

function lower(byte: number): number {
  return 0x41 <= byte && byte <= 0x5a ? byte + 32 : byte;
}

function write(query: Query, answer: Answer, truncated: boolean): Uint8Array {
  const out = new Writer(512);
  const extended = answer.code > 15;
  const flags =
    0x8080 |
    ((query.opcode & 15) << 11) |
    (answer.authoritative ? 0x0400 : 0) |
    (truncated ? 0x0200 : 0) |
    (query.recursionDesired ? 0x0100 : 0) |
    (answer.code & 15);
  out.u16(query.id);
  out.u16(flags);
  out.u16(1);
  out.u16(answer.answers.length);
  out.u16(answer.authorities.length);
  out.u16(answer.additionals.length + (query.edns === undefined ? 0 : 1));
  out.remember(query.name);
  out.bytes(query.question);
  for (const record of [...answer.answers, ...answer.authorities, ...answer.additionals]) out.record(record);
  if (query.edns !== undefined) {
    out.bytes(
      new Uint8Array([0, 0, types.OPT, 1_232 >>> 8, 1_232 & 255, extended ? answer.code >>> 4 : 0, 0, 0, 0, 0, 0]),
    );
  }
  return out.done();
}

class Writer {
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;
  /** Names and their endings, with where they stand, for compression. */
  readonly #names = new Map<string, number>();

  constructor(size: number) {
    this.#buffer = new Uint8Array(size);
  }

  done(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#buffer[this.#length++] = (value >>> 8) & 255;
    this.#buffer[this.#length++] = value & 255;
  }

  u32(value: number): void {
    this.u16(Math.floor(value / 65_536) & 65_535);
    this.u16(value % 65_536);
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Notes a name that is written next by other means. */
  remember(name: string): void {
    let at = this.#length;
    let rest = name;
    while (rest !== "") {
      if (!this.#names.has(rest)) this.#names.set(rest, at);
      const dot = rest.indexOf(".");
      at += (dot === -1 ? rest.length : dot) + 1;
      rest = dot === -1 ? "" : rest.slice(dot + 1);
    }
  }

  name(name: string): void {
    let rest = name;
    while (rest !== "") {
      const known = this.#names.get(rest);
      if (known !== undefined) return this.u16(0xc000 | known);
      if (this.#length < 0x4000) this.#names.set(rest, this.#length);
      const dot = rest.indexOf(".");
      const label = dot === -1 ? rest : rest.slice(0, dot);
      this.#label(label);
      rest = dot === -1 ? "" : rest.slice(dot + 1);
    }
    this.#reserve(1);
    this.#buffer[this.#length++] = 0;
  }

  record({ name, ttlSeconds, data }: DnsRecord): void {
    this.name(name);
    this.u16(data.type === "raw" ? data.number : types[data.type]);
    this.u16(classInternet);
    this.u32(ttlSeconds);
    const lengthAt = this.#length;
    this.u16(0);
    this.#data(data);
    const length = this.#length - lengthAt - 2;
    this.#buffer[lengthAt] = length >>> 8;
    this.#buffer[lengthAt + 1] = length & 255;
  }

  #data(data: RecordData): void {
    switch (data.type) {
      case "A":
        return this.bytes(new Uint8Array(data.address.split(".").map(Number)));
      case "CNAME":
      case "PTR":
        return this.name(data.target);
      case "SRV":
        for (const value of [data.priority, data.weight, data.port]) this.u16(value);
        // RFC 2782 forbids compression here.
        for (const label of data.target.split(".")) this.#label(label);
        return this.#label("");
      case "TXT":
        return this.#label(data.text);
      case "SOA":
        this.name(data.primary);
        this.name(data.mailbox);
        for (const value of [data.serial, 7_200, 1_800, 86_400, data.minimum]) this.u32(value);
        return;
      case "raw":
        return this.bytes(data.bytes);
    }
  }

  /** A length and that many bytes. Longer texts than 255 bytes are a mistake of ours. */
  #label(text: string): void {
    if (255 < text.length) throw new Error(`Cannot write a DNS label of ${text.length} bytes`);
    this.#reserve(text.length + 1);
    this.#buffer[this.#length++] = text.length;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      this.#buffer[this.#length++] = code === 0x12e ? 0x2e : code & 255;
    }
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const bigger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + count));
    bigger.set(this.#buffer);
    this.#buffer = bigger;
  }
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
