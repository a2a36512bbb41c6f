import { fileURLToPath } from "node:url";
import { parentPort, Worker } from "node:worker_threads";
import { StoreRefusedError } from "../failure.ts";
import { checkpointBytes, walBytesMax } from "../limits.ts";
import { LogFile } from "./log-file.ts";
import type { JournalReply, JournalRequest } from "./protocol.ts";

/** The thread that owns the file: one request at a time, and checkpoints beside the commits by a thread of their own. */
const commitOverheadBytes = 3 * 8_192;

const port = parentPort;
if (port === null) throw new Error("journal-worker.ts runs as a worker");

let path = "";
let file: LogFile | undefined;
/** About how long the write-ahead log is. */
let walBytes = 0;
let checkpointing: Worker | undefined;

function opened(): LogFile {
  if (file === undefined) throw new Error("The store is not open");
  return file;
}

function answer(request: JournalRequest): { reply: JournalReply; transfer: ArrayBuffer[] } {
  switch (request.ask) {
    case "open": {
      path = request.path;
      file = LogFile.open(path);
      return { reply: { ok: true, opened: file.opened }, transfer: [] };
    }
    case "load": {
      const loaded = opened().load(request.table, request.after);
      return { reply: { ok: true, loaded }, transfer: [loaded.buffer] };
    }
    case "commit": {
      opened().append(request.buffer, request.length, request.head);
      walBytes += request.length + commitOverheadBytes;
      return { reply: { ok: true, buffer: request.buffer }, transfer: [request.buffer] };
    }
    case "drop": {
      opened().drop(request.log, request.records, request.compacted);
      walBytes += (request.log.length + request.records.length) * 8_192;
      return { reply: { ok: true }, transfer: [] };
    }
    case "records":
      return { reply: { ok: true, rows: opened().records(request.ids) }, transfer: [] };
    case "close": {
      file?.close();
      file = undefined;
      return { reply: { ok: true }, transfer: [] };
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
  if (walBytes < checkpointBytes || checkpointing !== undefined) return;
  const worker = new Worker(fileURLToPath(import.meta.resolve("./checkpoint-worker.ts")), { workerData: { path } });
  checkpointing = worker;
  worker.on("error", () => undefined);
  worker.once("exit", () => {
    checkpointing = undefined;
    if (file === undefined) return;
    try {
      if (file.checkpoint("RESTART")) walBytes = 0;
    } catch (error) {
      // The next commit meets the same trouble and reports it.
      walBytes = Math.max(walBytes, checkpointBytes);
      void error;
    }
  });
}

port.on("message", (request: JournalRequest) => {
  try {
    const { reply, transfer } = answer(request);
    port.postMessage(reply, transfer);
    if (request.ask === "commit" || request.ask === "drop") checkpointBeside();
    if (request.ask === "close") port.close();
  } catch (error) {
    const kind = error instanceof StoreRefusedError ? "refused" : "failed";
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ ok: false, kind, message } satisfies JournalReply);
  }
});
