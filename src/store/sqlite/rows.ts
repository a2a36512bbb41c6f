import { crc32 } from "node:zlib";
import { baseRevision, operationsMax } from "../limits.ts";
import type { Revision } from "../store.ts";

/**
 * How a fact lies in the file, little-endian:
 *
 *     0  checksum   CRC-32 of the row with these four bytes zero
 *     4  id         f64: (revision - base) * 1024 + place in the transaction; for records revision - base
 *    12  type       u8
 *    13  0          u8
 *    14  key bytes  u16
 *    16  created    f64: the entry's first revision; for epochs the number
 *    24  time       f64: milliseconds since 1970
 *    32  key, then value
 *
 * On its way between threads each row has its length (u32) before it.
 */
export const rowHeaderBytes = 32;
const lengthBytes = 4;

export const rowType = { put: 1, deleteWithState: 2, delete: 3, epoch: 4, record: 5 } as const;

/** Places of one revision: its operations, then the epoch. */
const placesPerRevision = 1_024;
export const epochPlace = operationsMax;

export function rowIdOf(revision: Revision, place: number): number {
  return (revision - baseRevision) * placesPerRevision + place;
}

export function revisionOfRowId(id: number): Revision {
  return baseRevision + Math.floor(id / placesPerRevision);
}

export function placeOfRowId(id: number): number {
  return id % placesPerRevision;
}

export interface Row {
  readonly id: number;
  readonly type: number;
  readonly key: string;
  readonly created: number;
  readonly time: number;
  /** A copy of its own. */
  readonly value: Uint8Array;
}

const nothing = new Uint8Array(0);

/** Packs rows into one growing buffer that both threads see: handing it over copies nothing. */
export class RowWriter {
  #shared: SharedArrayBuffer;
  #buffer: Buffer;
  #view: DataView;
  #length = 0;
  rows = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#shared = buffer;
    this.#buffer = Buffer.from(buffer);
    this.#view = new DataView(buffer);
  }

  get length(): number {
    return this.#length;
  }

  add(id: number, type: number, key: string, created: number, time: number, value: Uint8Array = nothing): void {
    const start = this.#length;
    const room = lengthBytes + rowHeaderBytes + key.length * 3 + value.length;
    if (start + room > this.#buffer.length) this.#grow(start + room);
    const row = start + lengthBytes;
    const keyBytes = this.#buffer.write(key, row + rowHeaderBytes);
    const length = rowHeaderBytes + keyBytes + value.length;
    const view = this.#view;
    view.setUint32(start, length, true);
    view.setUint32(row, 0, true);
    view.setFloat64(row + 4, id, true);
    view.setUint16(row + 12, type, true);
    view.setUint16(row + 14, keyBytes, true);
    view.setFloat64(row + 16, created, true);
    view.setFloat64(row + 24, time, true);
    this.#buffer.set(value, row + rowHeaderBytes + keyBytes);
    this.#length = row + length;
    this.rows += 1;
  }

  /** Takes a finished row over, as it lies in the file. */
  addRaw(row: Uint8Array): void {
    const start = this.#length;
    if (start + lengthBytes + row.length > this.#buffer.length) this.#grow(start + lengthBytes + row.length);
    this.#view.setUint32(start, row.length, true);
    this.#buffer.set(row, start + lengthBytes);
    this.#length = start + lengthBytes + row.length;
    this.rows += 1;
  }

  #grow(needed: number): void {
    const buffer = new SharedArrayBuffer(Math.max(needed, this.#buffer.length * 2));
    const grown = Buffer.from(buffer);
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#shared = buffer;
    this.#buffer = grown;
    this.#view = new DataView(buffer);
  }

  /** The filled buffer; the writer goes on in `next`. */
  take(next: SharedArrayBuffer): SharedArrayBuffer {
    const taken = this.#shared;
    this.#shared = next;
    this.#buffer = Buffer.from(next);
    this.#view = new DataView(next);
    this.#length = 0;
    this.rows = 0;
    return taken;
  }
}

/** Calls `each` with every row of a packed buffer, without copying. */
export function forEachRow(buffer: SharedArrayBuffer, length: number, each: (row: Uint8Array) => void): void {
  const view = new DataView(buffer);
  let position = 0;
  while (position < length) {
    const rowBytes = view.getUint32(position, true);
    each(new Uint8Array(buffer, position + lengthBytes, rowBytes));
    position += lengthBytes + rowBytes;
  }
}

/** Computes and writes the checksum. */
export function sealRow(row: Uint8Array): void {
  const checksum = crc32(row);
  row[0] = checksum & 255;
  row[1] = (checksum >>> 8) & 255;
  row[2] = (checksum >>> 16) & 255;
  row[3] = checksum >>> 24;
}

/** Whether the row is what was written under this id. */
export function isWhole(row: Uint8Array, id: number): boolean {
  if (row.length < rowHeaderBytes) return false;
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
  const stored = view.getUint32(0, true);
  view.setUint32(0, 0, true);
  const whole = crc32(row) === stored;
  view.setUint32(0, stored, true);
  return whole && view.getFloat64(4, true) === id;
}

export function readRow(row: Uint8Array): Row {
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
  const keyEnd = rowHeaderBytes + view.getUint16(14, true);
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  return {
    id: view.getFloat64(4, true),
    type: view.getUint16(12, true),
    key: bytes.toString("utf8", rowHeaderBytes, keyEnd),
    created: view.getFloat64(16, true),
    time: view.getFloat64(24, true),
    value: row.slice(keyEnd),
  };
}
