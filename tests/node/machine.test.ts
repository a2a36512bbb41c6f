import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { linuxMachine } from "#world/node/machine.ts";
import { realProcesses } from "#world/node/processes.ts";
import { cannotRun } from "./test-node.ts";

const machine = linuxMachine(realProcesses);
/** Each is a mount and an unmount by their own programs; the walk itself is tried more often. */
const tries = 150;

test(
  "a folder that is swapped for a link while it is looked at never shows the machine",
  { skip: cannotRun },
  async () => {
    const dir = mkdtempSync("/tmp/steersman-machine-");
    const target = `${dir}/target`;
    mkdirSync(`${dir}/volume/a/b`, { recursive: true });
    mkdirSync(`${dir}/outside/b`, { recursive: true });
    writeFileSync(`${dir}/outside/b/secret`, "");
    symlinkSync(`${dir}/outside`, `${dir}/volume/link`);
    const swap = `cd ${dir}/volume; while true; do mv a x; mv link a; mv a link; mv x a; done`;
    const swapper = spawn("sh", ["-c", swap], { stdio: "ignore" });
    try {
      let mounted = 0;
      for (let index = 0; index < tries; index += 1) {
        try {
          await machine.bindBeneath(`${dir}/volume`, "a/b", target, { create: false });
          mounted += 1;
          assert.ok(!existsSync(`${target}/secret`), `try ${index} shows what is outside`);
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
        }
        await machine.unmount(target);
      }
      assert.ok(mounted > 0, "no try went well");
    } finally {
      swapper.kill("SIGKILL");
      for (const point of await machine.mountsBelow(dir)) await machine.unmount(point);
      rmSync(dir, { recursive: true });
    }
  },
);

test("missing folders are made inside, with the volume's mode", { skip: cannotRun }, async () => {
  const dir = mkdtempSync("/tmp/steersman-machine-");
  try {
    mkdirSync(`${dir}/volume`, { mode: 0o750 });
    writeFileSync(`${dir}/volume/file`, "content");
    await machine.bindBeneath(`${dir}/volume`, "new/inner", `${dir}/folder`, { create: true });
    assert.equal(statSync(`${dir}/volume/new/inner`).mode & 0o777, 0o750);
    await machine.bindBeneath(`${dir}/volume`, "file", `${dir}/one`, { create: true });
    assert.ok(statSync(`${dir}/one`).isFile());
    for (const path of ["../x", "/etc", "new/../../x"]) {
      await assert.rejects(machine.bindBeneath(`${dir}/volume`, path, `${dir}/no`, { create: true }), {
        name: "PathEscapeError",
      });
    }
    assert.deepEqual((await machine.mountsBelow(dir)).toSorted(), [`${dir}/folder`, `${dir}/one`]);
  } finally {
    for (const point of await machine.mountsBelow(dir)) await machine.unmount(point);
    rmSync(dir, { recursive: true });
  }
});

test("a group gets a volume's files, and nothing that links lead to", { skip: cannotRun }, async () => {
  const dir = mkdtempSync("/tmp/steersman-machine-");
  try {
    mkdirSync(`${dir}/volume/inner`, { recursive: true });
    writeFileSync(`${dir}/volume/inner/file`, "", { mode: 0o600 });
    writeFileSync(`${dir}/outside`, "", { mode: 0o600 });
    symlinkSync(`${dir}/outside`, `${dir}/volume/link`);
    await machine.ownByGroup(`${dir}/volume`, 1234);
    const show = (path: string): string => `${statSync(path).gid} ${(statSync(path).mode & 0o7777).toString(8)}`;
    assert.deepEqual([`${dir}/volume/inner`, `${dir}/volume/inner/file`, `${dir}/outside`].map(show), [
      "1234 2775",
      "1234 660",
      "0 600",
    ]);
    assert.deepEqual(readdirSync(`${dir}/volume`).toSorted(), ["inner", "link"]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("cgroups come and go in all of the kernel's trees", { skip: cannotRun }, async () => {
  const root = `/steersman-cgroups-${process.pid}`;
  await machine.setCgroup(`${root}/a/b`, { cpuShares: 512, memoryBytes: 64 << 20 });
  assert.deepEqual(await machine.listCgroups(root), ["a"]);
  const usage = await machine.cgroupUsage(`${root}/a/b`);
  assert.equal(usage?.cpuNanos, 0);
  await machine.removeCgroup(root);
  assert.deepEqual(globSync(`/sys/fs/cgroup/{,*/}${root.slice(1)}`), []);
  assert.equal(await machine.cgroupUsage(`${root}/a/b`), undefined);
});
