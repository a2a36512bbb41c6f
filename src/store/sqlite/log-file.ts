import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { StoreFailedError, StoreRefusedError } from "../failure.ts";
import { baseRevision, loadChunkBytes } from "../limits.ts";
import { isWalDamaged } from "./wal-check.ts";
import type { Loaded, Opened } from "./protocol.ts";
import { isWhole, forEachRow, rowHeaderBytes, rowType, RowWriter, sealRow } from "./rows.ts";

/** Raised whenever an older program would misread the file. */
export const formatVersion = 1;
const applicationId = 0x53_54_52_4d;
const pageBytes = 8_192;
const stateBytes = 40;
const sumModulus = 2 ** 48;

const sqliteBusy = 5;
const sqliteCorrupt = 11;
const sqliteFull = 13;
const sqliteNotADatabase = 26;

/**
 * The file itself, used by one thread: an append-only table of facts, one of reason records, and one row of state that is
 * written with every group and knows how many rows there must be and the sum of their ids.
 */
export class LogFile {
  readonly #path: string;
  readonly #lock: DatabaseSync;
  readonly #database: DatabaseSync;
  readonly #insertFact: StatementSync;
  readonly #insertRecord: StatementSync;
  readonly #dropFact: StatementSync;
  readonly #dropRecord: StatementSync;
  readonly #writeState: StatementSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #head = baseRevision;
  #compacted = baseRevision;
  #rows = 0;
  #sum = 0;
  /** What loading has seen so far, compared with the state at the end. */
  #seenRows = 0;
  #seenSum = 0;

  private constructor(path: string, lock: DatabaseSync, database: DatabaseSync) {
    this.#path = path;
    this.#lock = lock;
    this.#database = database;
    this.#insertFact = database.prepare("INSERT INTO log (id, data) VALUES (?, ?)");
    this.#insertRecord = database.prepare("INSERT INTO records (id, data) VALUES (?, ?)");
    this.#dropFact = database.prepare("DELETE FROM log WHERE id = ?");
    this.#dropRecord = database.prepare("DELETE FROM records WHERE id = ?");
    this.#writeState = database.prepare("INSERT OR REPLACE INTO state (id, data) VALUES (0, ?)");
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
  }

  /** Opens or creates the file. Throws StoreRefusedError when it must not be used. */
  static open(path: string, pagesMax: number | undefined): LogFile {
    const lock = lockFile(path);
    try {
      if (isWalDamaged(path)) throw damaged(path, "commits in its write-ahead log cannot be read any more");
      const database = new DatabaseSync(path);
      const isNew = prepareFile(database, path);
      if (pagesMax !== undefined) database.exec(`PRAGMA max_page_count = ${Math.floor(pagesMax)}`);
      const file = new LogFile(path, lock, database);
      if (isNew) file.#saveState();
      else file.#readState();
      return file;
    } catch (error) {
      lock.close();
      throw explain(error, path, "open");
    }
  }

  get opened(): Opened {
    return { head: this.#head, compacted: this.#compacted };
  }

  #saveState(): void {
    const bytes = new Uint8Array(stateBytes);
    const view = new DataView(bytes.buffer);
    view.setFloat64(8, this.#head, true);
    view.setFloat64(16, this.#compacted, true);
    view.setFloat64(24, this.#rows, true);
    view.setFloat64(32, this.#sum, true);
    view.setUint32(0, crc32(bytes), true);
    this.#writeState.run(bytes);
  }

  #readState(): void {
    const row = this.#database.prepare("SELECT data FROM state WHERE id = 0").get();
    const bytes = row?.["data"];
    if (!(bytes instanceof Uint8Array) || bytes.length !== stateBytes)
      throw damaged(this.#path, "its state row is missing");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const checksum = view.getUint32(0, true);
    view.setUint32(0, 0, true);
    if (crc32(bytes) !== checksum) throw damaged(this.#path, "the checksum of its state row is wrong");
    this.#head = view.getFloat64(8, true);
    this.#compacted = view.getFloat64(16, true);
    this.#rows = view.getFloat64(24, true);
    this.#sum = view.getFloat64(32, true);
  }

  /** The next rows after an id, checked. After the last one the whole table is known to be complete. */
  load(table: "log" | "records", after: number): Loaded {
    const writer = new RowWriter(new SharedArrayBuffer(loadChunkBytes));
    let last = after;
    let done = true;
    try {
      for (const row of this.#database
        .prepare(`SELECT id, data FROM ${table} WHERE id > ? ORDER BY id`)
        .iterate(after)) {
        const { id, data } = row;
        if (typeof id !== "number" || !(data instanceof Uint8Array) || id <= last)
          throw damaged(this.#path, "rows are out of order");
        if (!isWhole(data, id)) throw damaged(this.#path, `the checksum of row ${id} of table ${table} is wrong`);
        if (table === "log") {
          this.#seenRows += 1;
          this.#seenSum = (this.#seenSum + id) % sumModulus;
        }
        writer.addRaw(data);
        last = id;
        if (writer.length < loadChunkBytes - 4_096) continue;
        done = false;
        break;
      }
    } catch (error) {
      throw explain(error, this.#path, "read");
    }
    if (done && table === "log" && (this.#seenRows !== this.#rows || this.#seenSum !== this.#sum)) {
      throw damaged(
        this.#path,
        `it must have ${this.#rows} rows and has ${this.#seenRows}, or others than were written`,
      );
    }
    const { length } = writer;
    return { buffer: writer.take(new SharedArrayBuffer(0)), length, last, done };
  }

  /** Appends a packed group in one transaction; durable when it returns. */
  append(buffer: SharedArrayBuffer, length: number, head: number): void {
    try {
      this.#begin.run();
      let rows = this.#rows;
      let sum = this.#sum;
      forEachRow(buffer, length, (row) => {
        sealRow(row);
        const id = new DataView(buffer, row.byteOffset + 4, 8).getFloat64(0, true);
        if (row[12] === rowType.record) {
          this.#insertRecord.run(id, row);
          return;
        }
        rows += 1;
        sum = (sum + id) % sumModulus;
        this.#insertFact.run(id, row);
      });
      this.#head = head;
      this.#rows = rows;
      this.#sum = sum;
      this.#saveState();
      this.#commit.run();
    } catch (error) {
      throw explain(error, this.#path, "write to");
    }
  }

  /** Removes rows that nothing needs any more. A row that is not there means that the file is damaged. */
  drop(facts: readonly number[], records: readonly number[], compacted: number): void {
    try {
      this.#begin.run();
      for (const id of facts) {
        if (this.#dropFact.run(id).changes !== 1) throw damaged(this.#path, `row ${id} is missing`);
        this.#rows -= 1;
        this.#sum = (this.#sum - (id % sumModulus) + sumModulus) % sumModulus;
      }
      for (const id of records) this.#dropRecord.run(id);
      this.#compacted = compacted;
      this.#saveState();
      this.#commit.run();
    } catch (error) {
      throw explain(error, this.#path, "drop old rows of");
    }
  }

  /** The rows of records that still exist, checked. */
  records(ids: readonly number[]): Uint8Array[] {
    const statement = this.#database.prepare("SELECT data FROM records WHERE id = ?");
    const rows: Uint8Array[] = [];
    for (const id of ids) {
      const data = statement.get(id)?.["data"];
      if (!(data instanceof Uint8Array)) continue;
      if (data.length < rowHeaderBytes || !isWhole(data, id)) throw damaged(this.#path, `record ${id} is damaged`);
      rows.push(data);
    }
    return rows;
  }

  /** Moves the write-ahead log into the table's pages, waiting for nobody; true when the log starts over. */
  checkpoint(mode: "RESTART" | "TRUNCATE"): boolean {
    try {
      return this.#database.prepare(`PRAGMA wal_checkpoint(${mode})`).get()?.["busy"] === 0;
    } catch (error) {
      throw explain(error, this.#path, "checkpoint");
    }
  }

  close(): void {
    try {
      this.checkpoint("TRUNCATE");
    } catch {
      // What was committed stays in the write-ahead log and is found there at the next start.
    }
    this.#database.close();
    this.#lock.close();
  }
}

/** A second process must not write to the same file: its memory would know nothing of ours. Freed by the kernel at our end. */
function lockFile(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(`${path}.lock`);
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; COMMIT");
    return lock;
  } catch (error) {
    lock?.close();
    if (codeOf(error) === sqliteBusy) {
      throw new StoreRefusedError(`The store ${path} is in use by another process: stop that one first`, {
        cause: error,
      });
    }
    throw explain(error, path, "open");
  }
}

/** Settings, format check, tables; true when the file is new. */
function prepareFile(database: DatabaseSync, path: string): boolean {
  const number = (name: string): number => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  const tables = Number(database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"]);
  const isNew = tables === 0;
  if (isNew) {
    database.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA auto_vacuum = NONE`);
  } else {
    if (number("application_id") !== applicationId)
      throw new StoreRefusedError(`${path} is not a store of this program`);
    const version = number("user_version");
    if (version > formatVersion) {
      const message = `The store ${path} has format ${version}, this program knows up to ${formatVersion}: start the newer program`;
      throw new StoreRefusedError(message);
    }
  }
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
    PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 10000; PRAGMA cell_size_check = ON`);
  if (isNew) {
    database.exec(`BEGIN IMMEDIATE;
      CREATE TABLE log (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
      CREATE TABLE records (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
      CREATE TABLE state (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
      PRAGMA application_id = ${applicationId};
      PRAGMA user_version = ${formatVersion};
      COMMIT`);
  }
  return isNew;
}

function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 255;
}

function damaged(path: string, how: string): StoreRefusedError {
  return new StoreRefusedError(`The store ${path} is damaged: ${how}. Restore it from a backup`);
}

function explain(error: unknown, path: string, action: string): Error {
  if (error instanceof StoreRefusedError || error instanceof StoreFailedError) return error;
  const code = codeOf(error);
  const text = error instanceof Error ? error.message : String(error);
  if (code === sqliteFull) {
    return new StoreFailedError(
      `Cannot ${action} the store ${path}: the disk is full. Free some space and start again`,
      { cause: error },
    );
  }
  if (code === sqliteCorrupt || code === sqliteNotADatabase) return damaged(path, text);
  if (action === "open") return new StoreRefusedError(`Cannot open the store ${path}: ${text}`, { cause: error });
  return new StoreFailedError(`Cannot ${action} the store ${path}: ${text}`, { cause: error });
}
