/** A server that is killed: writes objects, and tells of each that was acknowledged. Arguments: the folder, the number. */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { AuditLogFile } from "#apiserver/audit/log-file.ts";
import { defaultPolicy } from "#apiserver/audit/policy.ts";
import { auditSinks } from "#apiserver/audit/sinks.ts";
import { openSqliteStore } from "#store/sqlite/sqlite-store.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { realDisk } from "../../src/world/node/disk.ts";
import { send, startInProcess } from "../api/harness.ts";

const [folder = "", count = "0"] = process.argv.slice(2);
const timers = realTimers({ keepAlive: true });
const store = await openSqliteStore({
  path: join(folder, "store.db"),
  clock: realClock,
  timers,
  failed: (error) => {
    throw error;
  },
});
const log = new AuditLogFile({ disk: realDisk, clock: realClock, timers, folder, log: () => undefined });
const audit = { policy: defaultPolicy, sinks: auditSinks(log, undefined) };
const server = await startInProcess({ store, audit });
const write = async (index: number): Promise<void> => {
  const object = { metadata: { name: `m${index}` }, data: { a: "b" } };
  const answer = await send(server, "POST", "/api/v1/namespaces/default/configmaps", object);
  // Nothing may stand between the answer and the parent's knowledge of it.
  writeSync(1, `${answer.status} ${answer.headers["audit-id"]}\n`);
};
for (let index = 0; index < Number(count); index += 8)
  await Promise.all(Array.from({ length: 8 }, (_, offset) => write(index + offset)));
