/** What goes wrong before a cluster runs ends in one sentence that says what is wrong and what to do, and leaves nothing half-made. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { machine, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
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

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "steer-bad-"));
  folders.push(folder);
  return join(folder, "data");
}

test("unknown commands and flags, and values out of range", () => {
  const folder = freshFolder();
  refuses(["fly"], /There is no command "fly"\. \.\/steer help/, folder);
  refuses(["help", "fly"], /There is no command "fly"\. \.\/steer help/, folder);
  refuses(["up", "--nonsense"], /'--nonsense'.*\.\/steer up --help/s, folder);
  refuses(["up", "--simulate", "many"], /--simulate is "many"\. It takes a whole number/, folder);
  refuses(["up", "--simulate", "1", "--port", "99999"], /--port is "99999"/, folder);
  refuses(["up", "--store", "paper", "--simulate", "1"], /--store is "paper"\. It takes sqlite or memory/, folder);
});

test("packages that cannot be installed leave those that are there as they were", () => {
  const folder = freshFolder();
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  writeFileSync(join(folder, "node_modules/kept"), "");
  for (const file of ["steer", "package.json", "package-lock.json", ".npmrc"])
    copyFileSync(join(projectRoot, file), join(folder, file));
  const nobody = { npm_config_registry: "http://127.0.0.1:9/", npm_config_cache: join(folder, "cache") };
  const env = { ...process.env, ...nobody, npm_config_fetch_retries: "0" };
  const result = spawnSync(join(folder, "steer"), ["help"], { encoding: "utf8", timeout: 120_000, env });
  assert.equal(result.status, 1, result.stderr);
  assert.match(result.stderr, /npm could not install the packages; .* Check the network/);
  assert.deepEqual(readdirSync(join(folder, "node_modules")), ["kept"]);
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

test("a folder or a file of somebody else is left alone", () => {
  const folder = freshFolder();
  mkdirSync(folder, { recursive: true });
  const precious = join(folder, "precious");
  writeFileSync(precious, "mine");
  refuses(["up", "--simulate", "1"], /holds no cluster, but something else \(precious\)\. .*--data-dir/, folder);
  const onFile = run(["up", "--simulate", "1"], precious);
  assert.match(onFile.stderr, /precious is a file\. Name a folder with --data-dir/);
  const belowFile = run(["up", "--simulate", "1"], join(precious, "below"));
  assert.match(belowFile.stderr, /a part of this path is a file\. Name a folder with --data-dir/);
  assert.equal(readFileSync(precious, "utf8"), "mine");
});

test("flags that a cluster was not made with, a cluster that is down, and a key that is gone", () => {
  const cluster = startSimulatedCluster(1);
  try {
    const other = cluster.steer("up", "--store", "memory");
    assert.notEqual(other.code, 0);
    assert.match(other.stderr, /--store is "memory", but the cluster in .* was made with sqlite\. Leave the flag out/);
    assert.equal(cluster.steer("up").code, 0, "without flags it is no harm");
    assert.equal(cluster.steer("down").code, 0);
    for (const command of [["top"], ["advise"], ["canary", "web"], ["why", "deployment/web"]])
      refuses(command, /API does not answer: .*ECONNREFUSED.*\.\/steer status .*\.\/steer up starts/, cluster.dataDir);
    rmSync(join(cluster.dataDir, "pki/ca.key"));
    const { code, stderr } = cluster.steer("up");
    assert.notEqual(code, 0);
    assert.match(stderr, /Cannot read .*ca\.key: it is missing beside its certificate\. Restore the file, or .*reset/);
    assert.doesNotMatch(stderr, /\n\s+at /);
    assert.ok(existsSync(join(cluster.dataDir, "store.db")), "the data stay");
  } finally {
    cluster.remove();
  }
});

test("a data dir that was removed by hand and is used for something else", () => {
  const cluster = startSimulatedCluster(1);
  const other = freshFolder();
  try {
    rmSync(cluster.dataDir, { recursive: true });
    mkdirSync(cluster.dataDir);
    writeFileSync(join(cluster.dataDir, "precious"), "mine");
    const lost = /has lost its data, but parts of it are still on this machine\. Remove them with .*reset/;
    for (const command of ["up", "down", "status", "kubeconfig"]) refuses([command], lost, cluster.dataDir);
    // By another way to write its path.
    symlinkSync(cluster.dataDir, other);
    const removed = run(["reset", "--yes"], other);
    assert.equal(removed.code, 0, removed.stderr);
    assert.deepEqual(readdirSync(cluster.dataDir), ["precious"]);
    refuses(["status"], /There is no cluster in/, cluster.dataDir);
    assert.match(run(["reset", "--yes"], cluster.dataDir).stderr, /nothing to remove/);
  } finally {
    cluster.remove();
  }
});

test("several starts of one cluster at the same moment make it once, and a down waits for them", async () => {
  const folder = freshFolder();
  const command = (...args: string[]): Promise<{ code: number | null; stderr: string }> =>
    new Promise((resolve) => {
      const child = spawn(steer, [...args, "--data-dir", folder], { stdio: ["ignore", "ignore", "pipe"] });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.on("close", (code) => resolve({ code, stderr }));
    });
  const port = String(41_000 + (process.pid % 1000));
  try {
    const starts = await Promise.all([1, 2, 3].map(() => command("up", "--simulate", "1", "--port", port)));
    assert.deepEqual(
      starts.map(({ code }) => code),
      [0, 0, 0],
      starts.map(({ stderr }) => stderr).join("\n"),
    );
    assert.equal(starts.filter(({ stderr }) => stderr.includes("the API answers")).length, 1);
    assert.equal(starts.filter(({ stderr }) => stderr.includes("the cluster runs already")).length, 2);
    const [down, up] = await Promise.all([command("down"), command("up")]);
    assert.deepEqual([down.code, up.code], [0, 0], down.stderr + up.stderr);
  } finally {
    assert.equal(run(["reset", "--yes"], folder).code, 0);
  }
  assert.equal(existsSync(folder), false);
});

/** Runs a script where mounts are its own, so that the machine can look poorer than it is. */
function elsewhere(script: string, folder: string): { code: number; stderr: string } {
  mkdirSync(folder, { recursive: true });
  const result = spawnSync("unshare", ["--mount", "sh", "-euc", script, "sh", steer, folder], {
    encoding: "utf8",
    timeout: 120_000,
  });
  return { code: result.status ?? -1, stderr: result.stderr };
}

const ownMounts = { skip: isRoot ? false : "needs root to mount" };

test("a full disk: at the first start, at a later one, and in the middle of it", ownMounts, () => {
  const tooSmall = elsewhere(
    `mount -t tmpfs -o size=10m none "$2"; "$1" up --simulate 1 --data-dir "$2/data"`,
    freshFolder(),
  );
  assert.notEqual(tooSmall.code, 0);
  assert.match(tooSmall.stderr, /has 10 MiB free; a cluster needs 200 MiB\. Free some space/);

  const port = 20_000 + (process.pid % 12_000);
  const later = elsewhere(
    `mount -t tmpfs -o size=300m none "$2"
     "$1" up --simulate 1 --port ${port} --data-dir "$2/data" >&2
     "$1" down --data-dir "$2/data"
     dd if=/dev/zero of="$2/filler" bs=1M 2>/dev/null || true
     "$1" up --data-dir "$2/data" && exit 1
     test -s "$2/data/store.db"`,
    freshFolder(),
  );
  assert.equal(later.code, 0, later.stderr);
  assert.match(later.stderr, /has \d MiB free; a cluster needs 20 MiB\. Free some space, then run this again/);

  // Bytes are free, but no file more can be made: nobody sees it before.
  const midway = elsewhere(
    `mount -t tmpfs -o size=300m,nr_inodes=6 none "$2"
     "$1" up --simulate 1 --port ${port} --data-dir "$2/data" && exit 1
     test ! -e "$2/data"`,
    freshFolder(),
  );
  assert.equal(midway.code, 0, midway.stderr);
  assert.match(midway.stderr, /the disk is full\. Free some space, then run this again/);
  assert.doesNotMatch(midway.stderr, /\n\s+at /);
});

test("a data dir that is a file system of its own", ownMounts, () => {
  const { code, stderr } = elsewhere(
    `mkdir "$2/data" && mount -t tmpfs none "$2/data"
     "$1" up --simulate 1 --port ${20_000 + (process.pid % 12_000)} --data-dir "$2/data" >&2
     "$1" reset --yes --data-dir "$2/data"
     test -z "$(ls -A "$2/data")"`,
    freshFolder(),
  );
  assert.equal(code, 0, stderr);
});

test("a machine without apt-get that lacks a program", ownMounts, () => {
  const folder = freshFolder();
  const { code, stderr } = elsewhere(
    `mount -t tmpfs none "$2"
     hide() { mkdir -p "$2/$1" "$2/$1.work"; for name in $3; do mknod "$2/$1/$name" c 0 0; done
       mount -t overlay -o "lowerdir=/usr/$1,upperdir=$2/$1,workdir=$2/$1.work" none "/usr/$1"; }
     hide bin "$2" apt-get; hide sbin "$2" "nft policy-rc.d"
     "$1" up --data-dir "$2/data" && exit 1
     test ! -e "$2/data" -a ! -e /usr/sbin/policy-rc.d`,
    folder,
  );
  assert.equal(code, 0, stderr);
  assert.match(stderr, /programs are missing and this machine has no apt-get: .*nftables.*\. Install them with/);
  assert.doesNotMatch(stderr, /\n\s+at /);
});

test("an installation that is interrupted", ownMounts, () => {
  const { code, stderr } = elsewhere(
    `mount -t tmpfs none "$2"
     cd "$2" && mkdir bin bin.work sbin sbin.work
     printf '#!/bin/sh\nexec sleep 5\n' > bin/apt-get && chmod +x bin/apt-get
     mknod sbin/nft c 0 0 && mknod sbin/policy-rc.d c 0 0
     for name in bin sbin; do
       mount -t overlay -o "lowerdir=/usr/$name,upperdir=$2/$name,workdir=$2/$name.work" none "/usr/$name"
     done
     "$1" up --data-dir "$2/data" & up=$!
     until test -e /usr/sbin/policy-rc.d; do kill -0 $up; sleep 0.1; done
     kill -TERM $up
     wait $up && exit 1
     test ! -e /usr/sbin/policy-rc.d -a ! -e "$2/data"`,
    freshFolder(),
  );
  assert.equal(code, 0, stderr);
  assert.match(stderr, /installing Debian packages: nftables/);
});

test("an older kernel", ownMounts, () => {
  const folder = freshFolder();
  const result = spawnSync("setarch", [machine(), "--uname-2.6", steer, "up", "--data-dir", folder], {
    encoding: "utf8",
  });
  assert.notEqual(result.status, 0);
  assert.match(result.stderr, /The kernel is 2\.6\..* need Linux 5\.10 or newer/);
  assert.ok(!existsSync(folder));
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
