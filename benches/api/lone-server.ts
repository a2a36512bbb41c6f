import { join } from "node:path";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { startOverHttps } from "../../tests/api/harness.ts";

export interface LoneAnswer {
  readonly baseUrl: string;
  readonly certificate: string;
}

/** An API server alone in a process of its own: no loops, no admission, everyone may do everything; the durable store of a folder. */
async function serve(folder: string): Promise<LoneAnswer> {
  const store = await openSqliteStore({
    path: join(folder, "store.db"),
    clock: realClock,
    timers: realTimers({ keepAlive: true }),
    failed: (error) => {
      throw error;
    },
  });
  const { baseUrl, certificate } = await startOverHttps({ store });
  return { baseUrl, certificate };
}

process.on("message", (message: { readonly folder: string } | "collect") => {
  if (message === "collect") {
    globalThis.gc?.();
    process.send!("collected");
  } else void serve(message.folder).then((answer) => process.send!(answer));
});
process.on("disconnect", () => process.exit(0));
