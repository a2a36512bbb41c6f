// What `kubectl get` shows: the words of the columns and of the states that users know.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiObject } from "#api/kind.ts";
import { created, kindOf, now } from "./created.ts";

/** Cells by column name, in lower case. */
function row(manifest: string, change: (object: Record<string, any>) => void = () => {}): Record<string, unknown> {
  const object = created(manifest) as ApiObject & Record<string, any>;
  change(object);
  const { rules } = kindOf(object);
  const cells = rules.cells?.(object, now) ?? [];
  return Object.fromEntries((rules.columns ?? []).map((column, index) => [column.name.toLowerCase(), cells[index]]));
}

function headings(manifest: string): string {
  const { rules } = kindOf(created(manifest));
  return (rules.columns ?? [])
    .map((column) => (column.priority === 0 ? column.name : `(${column.name})`))
    .join(" ")
    .toUpperCase();
}

const pod =
  "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, image: a}, " +
  "{name: b, image: b}], initContainers: [{name: i, image: i}]}}";

const waiting = (name: string, reason: string) => ({
  name,
  ready: false,
  restartCount: 0,
  state: { waiting: { reason } },
});
const running = (name: string, ready = true) => ({
  name,
  ready,
  restartCount: 0,
  started: true,
  state: { running: {} },
});
const ended = (name: string, exitCode: number, reason?: string) => ({
  name,
  ready: false,
  restartCount: 0,
  state: { terminated: { exitCode, ...(reason !== undefined && { reason }) } },
});

const states: readonly (readonly [
  title: string,
  status: Record<string, unknown>,
  ready: string,
  state: string,
  restarts?: string,
])[] = [
  ["a new pod", { phase: "Pending" }, "0/2", "Pending"],
  [
    "a pod whose init container runs",
    { phase: "Pending", initContainerStatuses: [running("i", false)] },
    "0/2",
    "Init:0/1",
  ],
  [
    "a pod whose init container failed",
    { phase: "Pending", initContainerStatuses: [ended("i", 1, "Error")] },
    "0/2",
    "Init:Error",
  ],
  [
    "a pod whose init container cannot be pulled",
    { phase: "Pending", initContainerStatuses: [waiting("i", "ImagePullBackOff")] },
    "0/2",
    "Init:ImagePullBackOff",
  ],
  [
    "a pod being prepared",
    {
      phase: "Pending",
      initContainerStatuses: [ended("i", 0, "Completed")],
      containerStatuses: [waiting("a", "PodInitializing"), waiting("b", "PodInitializing")],
    },
    "0/2",
    "PodInitializing",
  ],
  ["a running pod", { phase: "Running", containerStatuses: [running("a"), running("b")] }, "2/2", "Running"],
  [
    "a crashing container",
    {
      phase: "Running",
      containerStatuses: [
        running("a"),
        {
          ...waiting("b", "CrashLoopBackOff"),
          restartCount: 4,
          lastState: { terminated: { exitCode: 1, finishedAt: "2026-07-01T11:59:55Z" } },
        },
      ],
    },
    "1/2",
    "CrashLoopBackOff",
    "4 (5s ago)",
  ],
  [
    "a container out of memory",
    { phase: "Running", containerStatuses: [ended("a", 137, "OOMKilled"), running("b")] },
    "1/2",
    "OOMKilled",
  ],
  [
    "an exit without a reason",
    { phase: "Running", containerStatuses: [ended("a", 3), running("b")] },
    "1/2",
    "ExitCode:3",
  ],
  [
    "a finished pod",
    { phase: "Succeeded", containerStatuses: [ended("a", 0, "Completed"), ended("b", 0, "Completed")] },
    "0/2",
    "Completed",
  ],
  [
    "one container done, the other not ready",
    {
      phase: "Running",
      containerStatuses: [ended("a", 0, "Completed"), running("b")],
      conditions: [{ type: "Ready", status: "False" }],
    },
    "1/2",
    "NotReady",
  ],
  ["an evicted pod", { phase: "Failed", reason: "Evicted" }, "0/2", "Evicted"],
  [
    "a gated pod",
    { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] },
    "0/2",
    "SchedulingGated",
  ],
];

for (const [title, status, ready, state, restarts = "0"] of states) {
  test(`${title}: ${ready} ${state} ${restarts}`, () => {
    const cells = row(pod, (object) => (object["status"] = status));
    assert.deepEqual([cells["ready"], cells["status"], cells["restarts"]], [ready, state, restarts]);
  });
}

test("a pod that goes is Terminating, and Unknown when its node is lost", () => {
  const going = (status: object) =>
    row(pod, (object) => {
      object["metadata"].deletionTimestamp = "2026-07-01T11:59:00Z";
      object["status"] = status;
    })["status"];
  assert.equal(going({ phase: "Running" }), "Terminating");
  assert.equal(going({ phase: "Running", reason: "NodeLost" }), "Unknown");
});

test("a sidecar counts among the containers and its restarts stay", () => {
  const cells = row(pod.replace("{name: i, image: i}", "{name: i, image: i, restartPolicy: Always}"), (object) => {
    object["status"] = {
      phase: "Running",
      initContainerStatuses: [{ ...running("i"), restartCount: 2 }],
      containerStatuses: [running("a"), running("b")],
    };
  });
  assert.deepEqual([cells["ready"], cells["status"], cells["restarts"]], ["3/3", "Running", "2"]);
});

for (const [manifest, expected] of [
  [pod, "NAME READY STATUS RESTARTS AGE (IP) (NODE) (NOMINATED NODE) (READINESS GATES)"],
  [
    "{apiVersion: v1, kind: Node, metadata: {name: n1}}",
    "NAME STATUS ROLES AGE VERSION (INTERNAL-IP) (EXTERNAL-IP) (OS-IMAGE) (KERNEL-VERSION) (CONTAINER-RUNTIME)",
  ],
  ["{apiVersion: v1, kind: Service, metadata: {name: s}}", "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE (SELECTOR)"],
  [
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}",
    "NAME READY UP-TO-DATE AVAILABLE AGE (CONTAINERS) (IMAGES) (SELECTOR)",
  ],
  ["{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: d}}", "NAME READY AGE (CONTAINERS) (IMAGES)"],
  [
    "{apiVersion: v1, kind: Event, metadata: {name: e}}",
    "LAST SEEN TYPE REASON OBJECT (SUBOBJECT) (SOURCE) MESSAGE (FIRST SEEN) (COUNT) (NAME)",
  ],
] as const) {
  test(`columns: ${expected}`, () => assert.equal(headings(manifest), expected));
}

test("a node's roles, state and addresses", () => {
  const cells = row(
    "{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {node-role.kubernetes.io/worker: '', " +
      "node-role.kubernetes.io/gpu: ''}}, spec: {unschedulable: true}}",
    (object) => {
      object["status"] = {
        conditions: [{ type: "Ready", status: "True" }],
        addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
        nodeInfo: { kubeletVersion: "v1.36.3" },
      };
    },
  );
  assert.deepEqual(
    [cells["status"], cells["roles"], cells["internal-ip"], cells["external-ip"], cells["version"], cells["age"]],
    ["Ready,SchedulingDisabled", "gpu,worker", "10.0.0.1", "<none>", "v1.36.3", "60m"],
  );
});

test("a service's addresses and ports", () => {
  const base =
    "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: TYPE, selector: {b: c, a: b}, " +
    "ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 53, protocol: UDP}]}}";
  const cells = row(base.replace("TYPE", "LoadBalancer"));
  assert.deepEqual(
    [cells["cluster-ip"], cells["external-ip"], cells["port(s)"], cells["selector"]],
    ["<none>", "<pending>", "80:30080/TCP,53/UDP", "a=b,b=c"],
  );
});

test("an autoscaler's targets", () => {
  const cells = row(
    "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: " +
      "{scaleTargetRef: {kind: Deployment, name: d}, maxReplicas: 3}}",
    (object) =>
      (object["status"].currentMetrics = [
        { type: "Resource", resource: { name: "cpu", current: { averageUtilization: 12 } } },
      ]),
  );
  assert.deepEqual([cells["reference"], cells["targets"], cells["minpods"]], ["Deployment/d", "cpu: 12%/80%", "1"]);
});

test("a job's completions and duration", () => {
  const cells = row(
    "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {completions: 3, template: {spec: " +
      "{restartPolicy: Never, containers: [{name: a, image: a}]}}}}",
    (object) => (object["status"] = { succeeded: 1, startTime: "2026-07-01T11:57:50Z" }),
  );
  assert.deepEqual([cells["status"], cells["completions"], cells["duration"]], ["Running", "1/3", "2m10s"]);
});
