import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Container, Pod } from "#api/generated/core-v1.ts";
import { pods } from "#api/generated/resources.ts";
import { busybox, cannotRun, TestNode } from "./test-node.ts";

let node: TestNode;
before(async () => {
  if (cannotRun === false) node = await TestNode.start();
});
after(async () => {
  if (cannotRun === false) await node.stop();
});

function sh(name: string, script: string, more: Partial<Container> = {}): Container {
  return { name, image: busybox, command: ["sh", "-c", script], resources: {}, ...more };
}

const waitForTerm = "trap 'exit 0' TERM; sleep 1000 & wait $!";
const isReady = (pod: Pod): boolean => pod.status.conditions?.find(({ type }) => type === "Ready")?.status === "True";
const waitingReason = (pod: Pod, index = 0): string | undefined =>
  pod.status.containerStatuses?.[index]?.state.waiting?.reason;

async function removed(name: string): Promise<void> {
  node.api.remove(pods, { namespace: "default", name }, 2);
  await node.deleted(name);
}

test("a pod runs, is restarted when it ends, and leaves nothing when it is deleted", { skip: cannotRun }, async () => {
  node.addPod("web", { containers: [sh("main", `echo hello; ${waitForTerm}`)] });
  const running = await node.until("web", isReady);
  assert.equal(running.status.phase, "Running");
  assert.match(running.status.podIP ?? "", /^10\./);
  assert.equal(running.status.qosClass, "BestEffort");
  await node.logged(running, "main", (text) => text === "hello\n");
  assert.equal((await node.exec(running, "main", "hostname")).trim(), "web");

  await node.end(running);
  const restarted = await node.until(
    "web",
    (pod) => pod.status.containerStatuses?.[0]?.restartCount === 1 && isReady(pod),
  );
  assert.equal(restarted.status.containerStatuses?.[0]?.lastState.terminated?.reason, "Completed");

  await removed("web");
  await node.nothingLeft(running);
});

test("init containers run in order, a sidecar before the app and beyond its end", { skip: cannotRun }, async () => {
  node.addPod("job", {
    restartPolicy: "Never",
    volumes: [{ name: "notes", emptyDir: {} }],
    initContainers: [
      sh("first", "echo first >> /notes/order", { volumeMounts: [{ name: "notes", mountPath: "/notes" }] }),
      sh("beside", `echo sidecar >> /notes/order; ${waitForTerm}`, {
        restartPolicy: "Always",
        volumeMounts: [{ name: "notes", mountPath: "/notes" }],
      }),
      sh("second", "echo second >> /notes/order", { volumeMounts: [{ name: "notes", mountPath: "/notes" }] }),
    ],
    containers: [
      sh("main", "echo app >> /notes/order; cat /notes/order; echo done > /dev/termination-log", {
        volumeMounts: [{ name: "notes", mountPath: "/notes" }],
      }),
    ],
  });
  const done = await node.until("job", (pod) => pod.status.phase === "Succeeded");
  const [first, beside] = done.status.initContainerStatuses ?? [];
  assert.equal(await node.log(done, "main"), "first\nsidecar\nsecond\napp\n");
  assert.equal(done.status.containerStatuses?.[0]?.state.terminated?.message, "done\n");
  assert.equal(first?.state.terminated?.reason, "Completed");
  assert.notEqual(beside?.state.terminated, undefined);
  assert.equal(done.status.conditions?.find(({ type }) => type === "Ready")?.reason, "PodCompleted");
  await removed("job");
});

test("what cannot start says why, in the words that kubectl shows", { skip: cannotRun }, async () => {
  node.addPod("crash", { containers: [sh("main", "exit 3")] });
  node.addPod("never", {
    containers: [sh("main", "", { image: "localhost/absent:1", imagePullPolicy: "Never" })],
  });
  node.addPod("pull", {
    containers: [sh("main", "", { image: "127.0.0.1:1/absent:1", imagePullPolicy: "IfNotPresent" })],
  });
  node.addPod("name", { containers: [sh("main", "", { image: "UPPER CASE" })] });
  node.addPod("command", { restartPolicy: "Never", containers: [sh("main", "", { command: ["/no/such/file"] })] });
  node.addPod("config", {
    containers: [
      sh("main", "", { env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "absent", key: "a" } } }] }),
    ],
  });
  node.addPod("memory", {
    restartPolicy: "Never",
    containers: [
      sh("main", "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done", { resources: { limits: { memory: "20Mi" } } }),
    ],
  });
  const crash = await node.until("crash", (pod) => waitingReason(pod) === "CrashLoopBackOff");
  assert.equal(crash.status.containerStatuses?.[0]?.lastState.terminated?.exitCode, 3);
  assert.match(
    crash.status.containerStatuses?.[0]?.state.waiting?.message ?? "",
    /^back-off 10s restarting failed container=main/,
  );
  await node.until("never", (pod) => waitingReason(pod) === "ErrImageNeverPull");
  await node.until("pull", (pod) => waitingReason(pod) === "ErrImagePull");
  await node.until("pull", (pod) => waitingReason(pod) === "ImagePullBackOff");
  await node.until("name", (pod) => waitingReason(pod) === "InvalidImageName");
  const command = await node.until("command", (pod) => pod.status.phase === "Failed");
  assert.match(command.status.containerStatuses?.[0]?.state.terminated?.message ?? "", /no such file/);
  assert.equal(command.status.containerStatuses?.[0]?.state.terminated?.reason, "StartError");
  const config = await node.until("config", (pod) => waitingReason(pod) === "CreateContainerConfigError");
  assert.match(config.status.containerStatuses?.[0]?.state.waiting?.message ?? "", /configmap "absent" not found/);
  const memory = await node.until("memory", (pod) => pod.status.phase === "Failed");
  assert.equal(memory.status.containerStatuses?.[0]?.state.terminated?.reason, "OOMKilled");
  for (const name of ["crash", "never", "pull", "name", "command", "config", "memory"]) await removed(name);
});

test("probes decide about readiness and restarts", { skip: cannotRun }, async () => {
  // On a busy machine an answer takes longer than the second that is usual.
  const fast = { periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 30 };
  node.addPod("probed", {
    containers: [
      sh("main", `touch /tmp/alive; ${waitForTerm}`, {
        readinessProbe: { ...fast, exec: { command: ["test", "-e", "/tmp/ready"] } },
        livenessProbe: { ...fast, exec: { command: ["test", "-e", "/tmp/alive"] } },
      }),
    ],
  });
  const running = await node.until("probed", (pod) => pod.status.phase === "Running");
  assert.equal(isReady(running), false);
  await node.exec(running, "main", "touch", "/tmp/ready");
  await node.until("probed", isReady);
  await node.exec(running, "main", "sh", "-c", "/bin/busybox rm /tmp/alive");
  await node.until("probed", (pod) => pod.status.containerStatuses?.[0]?.restartCount === 1);
  assert.ok(
    node.api.events.some(
      ({ reason, message }) => reason === "Unhealthy" && message.startsWith("Liveness probe failed"),
    ),
  );
  await removed("probed");
});

test("HTTP and TCP probes reach the pod's address", { skip: cannotRun }, async () => {
  const probe = { periodSeconds: 1 };
  node.addPod("served", {
    containers: [
      sh("main", "mkdir -p /tmp/www; echo ok > /tmp/www/healthz; exec httpd -f -p 8080 -h /tmp/www", {
        ports: [{ name: "web", containerPort: 8080 }],
        startupProbe: { ...probe, tcpSocket: { port: 8080 }, failureThreshold: 30 },
        readinessProbe: { ...probe, httpGet: { path: "/healthz", port: "web" } },
      }),
    ],
  });
  await node.until("served", isReady);
  await removed("served");
});

test("preStop runs first, then the grace, then SIGKILL", { skip: cannotRun }, async () => {
  node.addPod("stubborn", {
    containers: [
      sh("main", "trap '' TERM; while true; do sleep 1; done", {
        lifecycle: { preStop: { exec: { command: ["touch", "/tmp/stopping"] } } },
      }),
    ],
  });
  await node.until("stubborn", isReady);
  const began = performance.now();
  node.api.remove(pods, { namespace: "default", name: "stubborn" }, 3);
  const ended = await node.until(
    "stubborn",
    (pod) => pod.status.containerStatuses?.[0]?.state.terminated !== undefined,
  );
  const tookMs = performance.now() - began;
  assert.equal(ended.status.containerStatuses?.[0]?.state.terminated?.exitCode, 137);
  // Not before the grace is over; how soon after it is the machine's business.
  assert.ok(tookMs >= 2_900, `took ${tookMs} ms`);
  await node.deleted("stubborn");
});

test("a restarted agent finds its containers and changes nothing", { skip: cannotRun }, async () => {
  node.addPod("steady", {
    containers: [sh("main", waitForTerm, { readinessProbe: { exec: { command: ["true"] }, periodSeconds: 100 } })],
  });
  const before = await node.until("steady", isReady);
  node.agent.stop();
  node.addPod("orphan", { containers: [sh("main", waitForTerm)] });
  await node.startAgent();
  const orphan = await node.until("orphan", isReady);
  const after = await node.until("steady", isReady);
  assert.deepEqual(after.status, before.status);
  assert.equal(after.metadata.resourceVersion, before.metadata.resourceVersion);

  node.agent.stop();
  node.api.remove(pods, { namespace: "default", name: "orphan" }, 0);
  await node.startAgent();
  await node.nothingLeft(orphan);
  await removed("steady");
  assert.deepEqual(node.problems, []);
});
