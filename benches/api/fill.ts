import { join } from "node:path";
import type { ApiObject } from "#api/kind.ts";
import { keyOf } from "../../src/apiserver/keys.ts";
import { encodeStored } from "../../src/apiserver/objects/stored.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { realRandom } from "../../src/world/node/random.ts";

/**
 * Puts objects into the store of a cluster that stands still, as the API would have stored them: 300,000 creates over HTTPS would
 * take minutes.
 */
export async function fill(
  dataDir: string,
  prefix: string,
  count: number,
  make: (index: number) => ApiObject,
): Promise<number> {
  const store = await openSqliteStore({
    path: join(dataDir, "store.db"),
    clock: realClock,
    timers: realTimers({ keepAlive: true }),
    failed: (error) => {
      throw error;
    },
  });
  let bytes = 0;
  for (let from = 0; from < count; from += 2_000) {
    const group = Array.from({ length: Math.min(2_000, count - from) }, (_, i) => {
      const object = make(from + i);
      object.metadata.uid = realRandom.uuid();
      object.metadata.creationTimestamp = "2026-01-01T00:00:00Z";
      const { value, stampAt } = encodeStored(object);
      bytes += value.length;
      const key = keyOf(prefix, object.metadata.namespace, object.metadata.name ?? "");
      return store.commit({ operations: [{ type: "put", key, value, stampAt }] });
    });
    await Promise.all(group);
  }
  await store.close();
  return bytes / count;
}
