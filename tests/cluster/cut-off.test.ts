/** Whoever ends a test or a bench before it is done finds nothing of its cluster afterwards. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

/** Starts a cluster, says where, and waits for ever. */
const starters = {
  "a test's": `
    const { startSimulatedCluster } = await import("${join(import.meta.dirname, "harness.ts")}");
    const { dataDir } = startSimulatedCluster(1);`,
  "a bench's": `
    const running = await import("${join(import.meta.dirname, "../../benches/cluster/running-cluster.ts")}");
    const { freePort } = await import("${join(import.meta.dirname, "../free-port.ts")}");
    const place = running.newPlace("${process.env["TMPDIR"] ?? "/tmp"}", freePort());
    await running.up(place, "--simulate", "1");
    const { dataDir } = place;`,
};

for (const [whose, program] of Object.entries(starters)) {
  test(`${whose} cluster goes away with the one who is ended`, async () => {
    const code = `${program}
      console.log(dataDir);
      setInterval(() => undefined, 1_000);`;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", code], {
      cwd: join(import.meta.dirname, "../.."),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    const [text] = (await Promise.race([once(child.stdout, "data"), ended])) as [Buffer | number];
    const dataDir = String(text).trim();
    assert.ok(existsSync(join(dataDir, "store.db")), `no cluster: ${dataDir}`);
    child.kill("SIGTERM");
    assert.deepEqual(await ended, [143, null]);
    assert.equal(existsSync(dataDir), false);
  });
}
