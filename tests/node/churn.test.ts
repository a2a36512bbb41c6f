import assert from "node:assert/strict";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Pod } from "#api/generated/core-v1.ts";
import { pods } from "#api/generated/resources.ts";
import { busybox, cannotRun, TestNode } from "./test-node.ts";

let node: TestNode;
before(async () => {
  if (cannotRun === false) node = await TestNode.start();
});
after(async () => {
  if (cannotRun === false) await node.stop();
});

const container = {
  name: "main",
  image: busybox,
  command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait $!"],
  resources: {},
  volumeMounts: [
    { name: "memory", mountPath: "/memory" },
    { name: "disk", mountPath: "/disk", subPath: "inner" },
  ],
};
const volumes = [
  { name: "memory", emptyDir: { medium: "Memory" } },
  { name: "disk", emptyDir: {} },
];

/** What the kernel and our folders hold beyond the pods that the test knows. */
function held(): string {
  const own = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(node.dir)).length;
  const folders = ["node/pods", "memory", "logs"].map((name) => readdirSync(`${node.dir}/${name}`).length);
  const cgroups = globSync(`/sys/fs/cgroup/memory${node.cgroupRoot}/kubepods{,/*}/pod*`).length;
  return `${own} mounts, ${cgroups} cgroups, ${folders.join("+")} folders`;
}

async function cycle(names: readonly string[], graceSeconds: number): Promise<void> {
  const made: Pod[] = names.map((name) => node.addPod(name, { containers: [container], volumes }));
  await Promise.all(
    names.map((name) => node.until(name, ({ status }) => status.containerStatuses?.[0]?.ready === true)),
  );
  for (const name of names) node.api.remove(pods, { namespace: "default", name }, graceSeconds);
  await Promise.all(names.map((name) => node.deleted(name)));
  for (const pod of made) await node.nothingLeft(pod);
}

test(
  "pods that come and go leave no mount, cgroup or folder, also when they are removed by force",
  { skip: cannotRun },
  async () => {
    await cycle(["first"], 1);
    const before = held();
    await cycle(["a", "b", "c", "d"], 1);
    await cycle(["e", "f", "g", "h"], 0);
    assert.equal(held(), before);
    assert.deepEqual(node.problems, []);
  },
);
