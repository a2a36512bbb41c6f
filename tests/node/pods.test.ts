import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { pods } from "#api/generated/resources.ts";
import { busybox, cannotRun, TestNode } from "./test-node.ts";

let node: TestNode;
before(async () => {
  if (cannotRun === false) node = await TestNode.start();
});
after(async () => {
  if (cannotRun === false) await node.stop();
});

test("a pod runs, is restarted when it ends, and leaves nothing when it is deleted", { skip: cannotRun }, async () => {
  node.addPod("web", { containers: [{ name: "main", image: busybox, command: ["sh", "-c", "echo hello; trap 'exit 0' TERM; sleep 1000 & wait"], resources: {} }] });
  const running = await node.until("web", (pod) => pod.status.conditions?.find(({ type }) => type === "Ready")?.status === "True");
  assert.equal(running.status.phase, "Running");
  assert.match(running.status.podIP ?? "", /^10\./);
  assert.equal(await node.log(running, "main"), "hello\n");
  assert.equal((await node.exec(running, "main", "hostname")).trim(), "web");

  await node.exec(running, "main", "kill", "-9", "-1").catch(() => "");
  await node.exec(running, "main", "sh", "-c", "kill -TERM 1").catch(() => "");
  const restarted = await node.until("web", (pod) => pod.status.containerStatuses?.[0]?.restartCount === 1 && pod.status.containerStatuses[0].ready);
  assert.equal(restarted.status.containerStatuses?.[0]?.lastState.terminated?.reason, "Completed");

  node.api.remove(pods, { namespace: "default", name: "web" }, 2);
  await node.deleted("web");
  assert.deepEqual(node.problems, []);
});
