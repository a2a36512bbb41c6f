import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

/** Moves the write-ahead log into the file while another thread goes on committing; blocks nobody. */
const idleMs = 30_000;

const port = parentPort;
if (port === null) throw new Error("checkpoint-worker.ts runs as a worker");

const database = new DatabaseSync((workerData as { path: string }).path);
database.exec("PRAGMA busy_timeout = 0; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
const checkpoint = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");

function end(): void {
  database.close();
  port?.close();
}

let idle = setTimeout(end, idleMs);
port.on("message", (message: "checkpoint" | "end") => {
  clearTimeout(idle);
  if (message === "end") {
    end();
    return;
  }
  checkpoint.get();
  idle = setTimeout(end, idleMs);
  port.postMessage("done");
});
