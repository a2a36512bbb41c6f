import { fileURLToPath } from "node:url";
import { parentPort, Worker } from "node:worker_threads";
import { StoreRefusedError } from "../failure.ts";
import { checkpointBytes, walBytesMax } from "../limits.ts";
import { LogFile } from "./log-file.ts";
import type { JournalReply, JournalRequest } from "./protocol.ts";

/** The thread that owns the file: one request at a time, and checkpoints beside the commits by a thread of their own. */
const commitOverheadBytes = 3 * 8_192;
const droppedRowBytes = 1_024;

const port = parentPort;
if (port === null) throw new Error("journal-worker.ts runs as a worker");

let path = "";
let file: LogFile | undefined;
/** About how long the write-ahead log is. */
let walBytes = 0;
let checkpointer: Worker | undefined;
let checkpointing = false;
/** What a commit or a checkpoint met; every later request is told. */
let failure: Error | undefined;

function opened(): LogFile {
  if (file === undefined) throw new Error("The store is not open");
  return file;
}

function answer(request: JournalRequest): JournalReply {
  switch (request.ask) {
    case "open": {
      path = request.path;
      file = LogFile.open(path, request.pagesMax);
      return { ok: true, opened: file.opened };
    }
    case "load":
      return { ok: true, loaded: opened().load(request.table, request.after) };
    case "commit": {
      opened().append(request.buffer, request.length, request.head);
      walBytes += request.length + commitOverheadBytes;
      return { ok: true };
    }
    case "drop": {
      opened().drop(request.log, request.records, request.compacted);
      walBytes += (request.log.length + request.records.length) * droppedRowBytes;
      return { ok: true };
    }
    case "records":
      return { ok: true, rows: opened().records(request.ids) };
    case "close": {
      file?.close();
      file = undefined;
      return { ok: true };
    }
    default:
      request satisfies never;
      throw new Error("Unknown request");
  }
}

/** Most of the log is moved by another thread; what was added meanwhile is moved here, between two groups. */
function checkpointBeside(): void {
  if (walBytes > walBytesMax) {
    if (opened().checkpoint("TRUNCATE")) walBytes = 0;
    return;
  }
  if (walBytes < checkpointBytes || checkpointing) return;
  checkpointing = true;
  if (checkpointer === undefined) {
    checkpointer = new Worker(fileURLToPath(import.meta.resolve("#store/sqlite/checkpoint-worker.ts")), {
      workerData: { path },
    });
    checkpointer.on("message", () => checkpointed());
    // It reports nothing that the next commit would not meet; the log's own bound holds without it.
    checkpointer.on("error", () => undefined);
    checkpointer.once("exit", () => {
      checkpointer = undefined;
      checkpointing = false;
    });
  }
  checkpointer.postMessage("checkpoint");
}

function checkpointed(): void {
  checkpointing = false;
  if (file === undefined) return;
  try {
    if (file.checkpoint("RESTART")) walBytes = 0;
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
}

port.on("message", (request: JournalRequest) => {
  try {
    if (failure !== undefined && request.ask !== "close") throw failure;
    port.postMessage(answer(request));
    if (request.ask === "commit" || request.ask === "drop") checkpointBeside();
    if (request.ask !== "close") return;
    checkpointer?.postMessage("end");
    port.close();
  } catch (error) {
    // A group behind a failed one was judged on what that one wrote: it must not become durable without it.
    if (request.ask === "commit" || request.ask === "drop")
      failure ??= error instanceof Error ? error : new Error(String(error));
    const kind = error instanceof StoreRefusedError ? "refused" : "failed";
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ ok: false, kind, message } satisfies JournalReply);
  }
});
