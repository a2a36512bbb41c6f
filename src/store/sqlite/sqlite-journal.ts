import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { ValueCipher } from "../cipher.ts";
import { placeOf } from "../entry.ts";
import { StoreFailedError, StoreRefusedError } from "../failure.ts";
import type { Journal } from "../journal.ts";
import { baseRevision, dropRowsPerStepMax, dropRowsWaitingMax, dropRowsWorthAStep } from "../limits.ts";
import { RecordIndex } from "../record-index.ts";
import type { Accepted } from "../sequencer.ts";
import type { Event, Revision, StoreRecord, Transaction } from "../store.ts";
import type { JournalReply, JournalRequest, Loaded, Opened } from "./protocol.ts";
import { epochPlace, forEachRow, readRow, type Row, rowIdOf, rowType, RowWriter } from "./rows.ts";

/** The thread holds no data of its own: a small heap keeps an idle server small. Mebibytes. */
const workerLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 };
const firstBufferBytes = 256 * 1024;
const spareBuffersMax = 3;
const spareBufferBytesMax = 4 * 1024 * 1024;

type Reply = JournalReply & { readonly ok: true };

/** The main thread's side: packs what was accepted into one buffer for each group and hands it to the thread of the file. */
export class SqliteJournal implements Journal {
  readonly isBeside = true;
  readonly #worker: Worker;
  readonly #asked: { resolve(reply: Reply): void; reject(error: Error): void }[] = [];
  readonly #writer = new RowWriter(new SharedArrayBuffer(firstBufferBytes));
  readonly #spare: SharedArrayBuffer[] = [];
  readonly #recordIndex = new RecordIndex((revision) => this.#droppedRecords.push(revision - baseRevision));
  readonly #epochRows = new Map<string, number>();
  #droppedFacts: number[] = [];
  #droppedRecords: number[] = [];
  #compacted: Revision = baseRevision;
  #dropping = false;
  #ended: Error | undefined;

  readonly #cipher: ValueCipher | undefined;

  constructor(cipher?: ValueCipher) {
    this.#cipher = cipher;
    this.#worker = new Worker(fileURLToPath(import.meta.resolve("#store/sqlite/journal-worker.ts")), {
      resourceLimits: workerLimits,
    });
    this.#worker.on("message", (reply: JournalReply) => this.#answered(reply));
    this.#worker.on("error", (error) => this.#end(new StoreFailedError(`The store's thread failed: ${String(error)}`)));
    this.#worker.on("exit", () => this.#end(new StoreFailedError("The store's thread ended")));
  }

  #answered(reply: JournalReply): void {
    const asked = this.#asked.shift();
    if (asked === undefined) throw new Error("The store's thread answered without being asked");
    if (reply.ok) asked.resolve(reply);
    else
      asked.reject(
        reply.kind === "refused" ? new StoreRefusedError(reply.message) : new StoreFailedError(reply.message),
      );
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const asked of this.#asked.splice(0)) asked.reject(this.#ended);
  }

  #ask(request: JournalRequest): Promise<Reply> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** Opens the file and gives back what it holds, in order. Rejects with StoreRefusedError. */
  async open(path: string, pagesMax: number | undefined, facts: (opened: Opened) => (row: Row) => void): Promise<void> {
    const { opened } = await this.#ask({ ask: "open", path, pagesMax });
    if (opened === undefined) throw new Error("The store's thread did not say what it opened");
    this.#compacted = opened.compacted;
    const take = facts(opened);
    await this.#load("log", (row) => {
      if (row.type === rowType.epoch) this.#epochRows.set(row.key, row.id);
      take(this.#cipher === undefined ? row : { ...row, value: this.#cipher.open(row.key, row.value) });
    });
    await this.#load("records", (row) => this.#recordIndex.add(row.key, baseRevision + row.id));
  }

  async #load(table: "log" | "records", take: (row: Row) => void): Promise<void> {
    let next = this.#ask({ ask: "load", table, after: -1 });
    for (;;) {
      const loaded = loadedOf(await next);
      // The thread reads on while these rows are taken in.
      if (!loaded.done) next = this.#ask({ ask: "load", table, after: loaded.last });
      const rows: Row[] = [];
      forEachRow(loaded.buffer, loaded.length, (row) => rows.push(readRow(row)));
      if (table === "log") await this.#cipher?.prepare(rows.map(({ value }) => value));
      for (const row of rows) take(row);
      if (loaded.done) return;
    }
  }

  refusal(operations: Transaction["operations"]): string | undefined {
    for (const { key, type } of operations) {
      const problem = this.#cipher?.refusal(key, type === "delete");
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  get gatheredBytes(): number {
    return this.#writer.length;
  }

  append(accepted: Accepted, record: Transaction["record"], time: number): void {
    const writer = this.#writer;
    const { revision } = accepted.result;
    for (const event of accepted.events) {
      const id = rowIdOf(revision, placeOf(event.entry));
      const { key, entry, previous } = event;
      if (event.type === "delete" && entry.value === previous?.value) {
        writer.add(id, rowType.delete, key, entry.created, time);
        continue;
      }
      const type = event.type === "put" ? rowType.put : rowType.deleteWithState;
      writer.add(id, type, key, entry.created, time, this.#cipher?.seal(key, entry.value) ?? entry.value);
    }
    if (accepted.epoch !== undefined) {
      const { leader, number } = accepted.epoch;
      const former = this.#epochRows.get(leader);
      if (former !== undefined) this.#droppedFacts.push(former);
      const id = rowIdOf(revision, epochPlace);
      this.#epochRows.set(leader, id);
      writer.add(id, rowType.epoch, leader, number, time);
    }
    if (record === undefined) return;
    writer.add(revision - baseRevision, rowType.record, record.subject, 0, time, record.bytes);
    this.#recordIndex.add(record.subject, revision);
  }

  async flush(lastRevision: Revision): Promise<void> {
    const { length } = this.#writer;
    const buffer = this.#writer.take(this.#spare.pop() ?? new SharedArrayBuffer(firstBufferBytes));
    const written = this.#ask({ ask: "commit", buffer, length, head: lastRevision });
    // Rows that this group made may be among those to drop: what is dropped follows the group.
    if (this.#droppedFacts.length > dropRowsWaitingMax) this.#dropSome();
    await written;
    if (buffer.byteLength <= spareBufferBytesMax && this.#spare.length < spareBuffersMax) this.#spare.push(buffer);
  }

  forget(event: Event): void {
    if (event.previous !== undefined)
      this.#droppedFacts.push(rowIdOf(event.previous.modified, placeOf(event.previous)));
    if (event.type === "delete") this.#droppedFacts.push(rowIdOf(event.revision, placeOf(event.entry)));
    this.#compacted = Math.max(this.#compacted, event.revision);
  }

  rest(): void {
    if (this.#droppedFacts.length + this.#droppedRecords.length >= dropRowsWorthAStep) this.#dropSome();
  }

  #dropSome(): void {
    if (this.#dropping) return;
    this.#dropping = true;
    this.#drop().then(
      () => {
        this.#dropping = false;
        if (this.#asked.length === 0 && this.#writer.length === 0) this.rest();
      },
      // The next commit meets the same trouble and reports it.
      () => undefined,
    );
  }

  async #drop(): Promise<void> {
    const log = this.#droppedFacts.splice(0, dropRowsPerStepMax);
    const records = this.#droppedRecords.splice(0, dropRowsPerStepMax);
    await this.#ask({ ask: "drop", log, records, compacted: this.#compacted });
  }

  async compact(compacted: Revision): Promise<void> {
    this.#compacted = Math.max(this.#compacted, compacted);
    do await this.#drop();
    while (this.#droppedFacts.length + this.#droppedRecords.length > 0);
  }

  async records(subject: string, limit: number, upTo: Revision): Promise<StoreRecord[]> {
    const ids = this.#recordIndex.newest(subject, limit, upTo).map((revision) => revision - baseRevision);
    if (ids.length === 0) return [];
    const { rows } = await this.#ask({ ask: "records", ids });
    return (rows ?? []).map((bytes) => {
      const row = readRow(bytes);
      return { revision: baseRevision + row.id, subject, bytes: row.value };
    });
  }

  async recordsAfter(after: Revision, upTo: Revision): Promise<StoreRecord[]> {
    const found = this.#recordIndex.between(after, upTo);
    if (found.length === 0) return [];
    const { rows } = await this.#ask({ ask: "records", ids: found.map(({ revision }) => revision - baseRevision) });
    const subjects = new Map(found.map(({ revision, subject }) => [revision, subject]));
    return (rows ?? []).map((bytes) => {
      const row = readRow(bytes);
      const revision = baseRevision + row.id;
      return { revision, subject: subjects.get(revision) ?? "", bytes: row.value };
    });
  }

  /** After a failed open: ends the thread. */
  async abandon(): Promise<void> {
    this.#ended ??= new StoreFailedError("The store was not opened");
    await this.#worker.terminate();
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    await this.#ask({ ask: "close" });
    this.#ended = new StoreFailedError("The store is closed");
    await this.#worker.terminate();
  }
}

function loadedOf(reply: Reply): Loaded {
  if (reply.loaded === undefined) throw new Error("The store's thread did not send what it loaded");
  return reply.loaded;
}
