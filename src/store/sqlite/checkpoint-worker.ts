import { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";

/** Moves the write-ahead log into the file while another thread goes on committing; blocks nobody. */
const database = new DatabaseSync((workerData as { path: string }).path);
try {
  database.exec("PRAGMA busy_timeout = 0; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
  database.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
} finally {
  database.close();
}
