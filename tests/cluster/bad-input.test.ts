/** What goes wrong before a cluster runs ends in one sentence that says what is wrong and what to do, and leaves nothing half-made. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isRoot, projectRoot, startSimulatedCluster } from "./harness.ts";

const steer = join(projectRoot, "steer");

function run(args: readonly string[], dataDir: string): { code: number; stderr: string } {
  const result = spawnSync(steer, [...args, "--data-dir", dataDir], { encoding: "utf8", timeout: 120_000 });
  return { code: result.status ?? -1, stderr: result.stderr };
}

/** The command fails with a message, without a stack trace, and leaves the folder as it found it. */
function refuses(args: readonly string[], message: RegExp, dataDir: string): void {
  const before = existsSync(dataDir) ? readdirSync(dataDir) : [];
  const { code, stderr } = run(args, dataDir);
  assert.notEqual(code, 0, stderr);
  assert.match(stderr, message);
  assert.doesNotMatch(stderr, /\n\s+at /, "a user's mistake shows no stack trace");
  assert.deepEqual(existsSync(dataDir) ? readdirSync(dataDir) : [], before);
}

function freshFolder(): string {
  return join(mkdtempSync(join(tmpdir(), "steer-bad-")), "data");
}

test("unknown commands and flags, and values out of range", () => {
  const folder = freshFolder();
  refuses(["fly"], /There is no command "fly"\. \.\/steer help/, folder);
  refuses(["up", "--nonsense"], /'--nonsense'.*\.\/steer up --help/s, folder);
  refuses(["up", "--simulate", "many"], /--simulate is "many"\. It takes a whole number/, folder);
  refuses(["up", "--simulate", "1", "--port", "99999"], /--port is "99999"/, folder);
  refuses(["up", "--store", "paper", "--simulate", "1"], /--store is "paper"\. It takes sqlite or memory/, folder);
});

test("commands without a cluster", () => {
  const folder = freshFolder();
  for (const command of [
    ["down"],
    ["status"],
    ["kubeconfig"],
    ["kubectl", "get", "nodes"],
    ["why", "deployment/web"],
    ["image", "load", "x.tar"],
  ]) {
    refuses(command, /There is no cluster .*in .*\.\/steer up/s, folder);
  }
});

test("a taken port names the flag that changes it", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  try {
    refuses(
      ["up", "--simulate", "1", "--port", String(port)],
      new RegExp(`Port ${port} is taken.* Choose another with --port`, "s"),
      freshFolder(),
    );
  } finally {
    server.close();
  }
});

test("a data dir that is not ours, and one from a newer program", () => {
  const folder = freshFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "cluster.json"), "not json");
  refuses(["up", "--simulate", "1"], /Cannot read .*cluster\.json: it is not JSON.*reset/s, folder);
  writeFileSync(join(folder, "cluster.json"), `{"formatVersion": 99}`);
  refuses(["up", "--simulate", "1"], /format version is 99/, folder);
  assert.equal(run(["reset", "--yes"], folder).code, 0);
  assert.ok(!existsSync(folder), "reset removes also what cannot be read");
});

test("a damaged store is refused and kept", () => {
  const cluster = startSimulatedCluster(1);
  try {
    cluster.kubectl("create", "configmap", "kept", "--from-literal=a=1");
    assert.equal(cluster.steer("down").code, 0);
    writeFileSync(
      join(cluster.dataDir, "store.db"),
      "this is no database, and it is long enough to be looked at as one".repeat(100),
    );
    const { code, stderr } = cluster.steer("up");
    assert.notEqual(code, 0);
    assert.match(stderr, /store/i);
    assert.ok(existsSync(join(cluster.dataDir, "store.db")), "what a user may want to repair stays");
    assert.deepEqual(cluster.steer("down").code, 0);
  } finally {
    cluster.remove();
  }
});

test("not root", { skip: isRoot ? false : "needs root to become somebody else" }, () => {
  const home = mkdtempSync(join(tmpdir(), "steer-nobody-"));
  chmodSync(home, 0o777);
  try {
    const asNobody = (...args: string[]) =>
      spawnSync(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", join(projectRoot, "src/main/steer.ts"), ...args],
        {
          encoding: "utf8",
          uid: 65534,
          gid: 65534,
          env: { ...process.env, HOME: home, NODE_COMPILE_CACHE: join(home, "cache") },
        },
      );
    const { status, stderr } = asNobody("up", "--data-dir", join(home, "data"));
    assert.notEqual(status, 0);
    assert.match(stderr, /Real containers need root.*sudo \.\/steer up.*--simulate/s);
    assert.ok(!existsSync(join(home, "data")));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
