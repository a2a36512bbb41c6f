import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, Pod, PodSpec } from "#api/generated/core-v1.ts";
import type { SandboxStatus } from "#world/container-runtime.ts";
import { hashAnnotation, resourcesAnnotation } from "./labels.ts";
import type { ObservedContainer, ObservedPod, PodMemory } from "./observed.ts";
import { planPod } from "./plan.ts";
import { podStatusOf } from "./status.ts";

const now = Date.parse("2026-01-01T12:00:00Z");

function pod(spec: Partial<PodSpec> = {}, more: { deleted?: boolean } = {}): Pod {
  return {
    metadata: {
      name: "p",
      namespace: "default",
      uid: "u",
      ...(more.deleted === true ? { deletionTimestamp: "2026-01-01T12:00:30Z" } : {}),
    },
    spec: { containers: [container("app")], restartPolicy: "Always", ...spec },
    status: {},
  };
}

function container(name: string, more: Partial<Container> = {}): Container {
  return { name, image: "i", resources: {}, ...more };
}

function sandbox(attempt = 0, state: "Ready" | "NotReady" = "Ready"): SandboxStatus {
  return {
    id: `s${attempt}`,
    metadata: { name: "p", uid: "u", namespace: "default", attempt },
    state,
    createdAt: 0,
    labels: {},
    annotations: {},
    network: { ip: "10.0.0.2", additionalIps: [] },
  };
}

function ran(
  name: string,
  state: "Running" | "Exited" | "Created",
  more: Partial<ObservedContainer> & { attempt?: number } = {},
): ObservedContainer {
  const attempt = more.attempt ?? 0;
  return {
    id: `${name}${attempt}`,
    metadata: { name, attempt },
    state,
    createdAt: now - 60_000,
    startedAt: now - 60_000,
    finishedAt: state === "Exited" ? now : 0,
    exitCode: 0,
    imageRef: "",
    reason: "",
    message: "",
    labels: {},
    annotations: {},
    logPath: "",
    sandboxId: "s0",
    ...more,
  };
}

function memory(more: Partial<PodMemory> = {}): PodMemory {
  return {
    running: new Set(),
    failures: new Map(),
    probes: new Map(),
    backOff: new Map(),
    killDeadlines: new Map(),
    volumesReady: true,
    tornDown: false,
    apiStatus: {},
    messages: new Map(),
    resized: new Map(),
    ...more,
  };
}

function observed(
  containers: readonly ObservedContainer[],
  sandboxes: readonly SandboxStatus[] = [sandbox()],
): ObservedPod {
  return { containers, sandboxes };
}

/** The plan as text: what is done to whom. */
function check(of: Pod, seen: ObservedPod, remembered: PodMemory, expected: string): void {
  const plan = planPod(of, seen, remembered, new Map([["app", "h"]]), now);
  const texts = plan.actions.map((action) => {
    if (action.do === "start-container") return `start ${action.container.name}#${action.attempt}`;
    if (action.do === "kill-container") return `kill ${action.name} in ${action.graceSeconds}s`;
    return "id" in action ? `${action.do} ${action.id}` : action.do;
  });
  const waits = [...plan.waiting]
    .filter(([, { reason }]) => reason !== "ContainerCreating" && reason !== "PodInitializing")
    .map(([name, { reason }]) => `${name}: ${reason}`);
  const wake = plan.wakeAt === undefined ? [] : [`again in ${(plan.wakeAt - now) / 1000}s`];
  assert.equal([...texts, ...waits, ...wake, ...(plan.finished ? ["finished"] : [])].join(", "), expected);
}

const up = { started: true, ready: true };

test("a pod begins with its volumes, then its sandbox, then its containers", () => {
  check(pod(), observed([], []), memory({ volumesReady: false }), "set-up-volumes");
  check(pod(), observed([], []), memory(), "create-sandbox");
  check(pod(), observed([], []), memory({ running: new Set(["sandbox"]) }), "");
  check(pod(), observed([]), memory(), "start app#0");
  check(pod(), observed([ran("app", "Running")]), memory(), "");
  // After a restart of the agent the volumes are looked at again; what runs is looked after meanwhile.
  const failed = memory({ volumesReady: false, probes: new Map([["app0", { ...up, kill: { message: "m" } }]]) });
  check(pod(), observed([ran("app", "Running")]), failed, "set-up-volumes, kill app in 30s");
  check(pod(), observed([ran("app", "Exited")]), memory({ volumesReady: false }), "set-up-volumes");
});

test("what failed is tried again when its time has come", () => {
  const failed = (retryAt: number) =>
    memory({ failures: new Map([["start:app", { reason: "ImagePullBackOff", message: "m", count: 1, retryAt }]]) });
  check(pod(), observed([]), failed(now + 5_000), "app: ImagePullBackOff, again in 5s");
  check(pod(), observed([]), failed(now), "start app#0, app: ImagePullBackOff");
});

test("init containers run one by one, sidecars first and throughout", () => {
  const spec = { initContainers: [container("a"), container("side", { restartPolicy: "Always" }), container("b")] };
  const a = ran("a", "Exited");
  const side = ran("side", "Running");
  const probes = new Map([["side0", up]]);
  check(pod(spec), observed([]), memory(), "start a#0");
  check(pod(spec), observed([ran("a", "Running")]), memory(), "");
  check(pod(spec), observed([a]), memory(), "start side#0");
  check(pod(spec), observed([a, side]), memory(), "");
  check(pod(spec), observed([a, side]), memory({ probes }), "start b#0");
  check(pod(spec), observed([a, side, ran("b", "Exited", { exitCode: 1 })]), memory({ probes }), "start b#1");
  check(pod(spec), observed([a, side, ran("b", "Exited")]), memory({ probes }), "start app#0");
  check(
    pod(spec),
    observed([a, ran("side", "Exited"), ran("b", "Exited"), ran("app", "Running")]),
    memory(),
    "start side#1",
  );
  check(
    pod({ ...spec, restartPolicy: "Never" }),
    observed([ran("a", "Exited", { exitCode: 1 })]),
    memory(),
    "stop-sandbox s0, finished",
  );
});

test("restart policies hold", () => {
  const exited = (exitCode: number) => observed([ran("app", "Exited", { exitCode })]);
  check(pod(), exited(0), memory(), "start app#1");
  check(pod({ restartPolicy: "OnFailure" }), exited(1), memory(), "start app#1");
  check(pod({ restartPolicy: "OnFailure" }), exited(0), memory(), "stop-sandbox s0, finished");
  check(pod({ restartPolicy: "Never" }), exited(1), memory(), "stop-sandbox s0, finished");
  check(
    pod({ restartPolicy: "Never" }),
    observed([], []),
    memory({ apiStatus: { containerStatuses: [status("app")] } }),
    "finished",
  );
  const rules = [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }];
  check(
    pod({ restartPolicy: "Never", containers: [container("app", { restartPolicyRules: rules })] }),
    exited(42),
    memory(),
    "start app#1",
  );
});

function status(name: string) {
  return {
    name,
    state: { running: {} },
    lastState: {},
    ready: true,
    restartCount: 0,
    image: "",
    imageID: "",
    containerID: "containerd://x",
  };
}

test("restarts wait 10 s, doubling up to 5 min, forgiven after 10 min", () => {
  const crash = (attempt: number, delayMs: number | undefined, at = now - 60_000) =>
    [
      observed([ran("app", "Exited", { exitCode: 1, attempt })]),
      memory({ backOff: delayMs === undefined ? new Map() : new Map([["app", { delayMs, at }]]) }),
    ] as const;
  check(pod(), ...crash(1, 10_000), "app: CrashLoopBackOff, again in 10s");
  check(pod(), ...crash(7, 300_000), "app: CrashLoopBackOff, again in 300s");
  check(pod(), ...crash(7, 300_000, now - 601_000), "start app#8");
  const starting = { ...crash(1, 10_000)[1], running: new Set(["start:app"]) };
  check(pod(), crash(1, 10_000)[0], starting, "");
  // The agent was restarted and knows only the count.
  check(pod(), ...crash(3, undefined), "app: CrashLoopBackOff, again in 40s");
  check(pod(), ...crash(90, undefined), "app: CrashLoopBackOff, again in 300s");
});

test("a failed liveness probe and a new image end a container", () => {
  const running = observed([ran("app", "Running", { annotations: { [hashAnnotation]: "h" } })]);
  const failed = memory({ probes: new Map([["app0", { ...up, kill: { message: "m", graceSeconds: 5 } }]]) });
  check(pod(), running, failed, "kill app in 5s");
  check(
    pod(),
    observed([ran("app", "Running", { annotations: { [hashAnnotation]: "old" } })]),
    memory(),
    "kill app in 30s",
  );
});

test("new resources are given in place, or by a restart where the container says so", () => {
  const resources = { limits: { cpu: "2", memory: "1Gi" } };
  const running = observed([
    ran("app", "Running", { annotations: { [resourcesAnnotation]: `{"limits":{"cpu":"1","memory":"1Gi"}}` } }),
  ]);
  const asked = (restartPolicy: string): Pod =>
    pod({ containers: [container("app", { resources, resizePolicy: [{ resourceName: "cpu", restartPolicy }] })] });
  check(asked("NotRequired"), running, memory(), "resize-container app0");
  check(asked("NotRequired"), running, memory({ resized: new Map([["app0", JSON.stringify(resources)]]) }), "");
  check(asked("RestartContainer"), running, memory(), "kill app in 30s");
});

test("a sandbox that ended is replaced and its containers with it", () => {
  check(pod(), observed([ran("app", "Exited")], [sandbox(0, "NotReady")]), memory(), "create-sandbox");
  check(pod(), observed([ran("app", "Running")], [sandbox(0, "NotReady")]), memory(), "kill app in 0s");
  check(pod(), observed([ran("app", "Exited")], [sandbox(1), sandbox(0, "NotReady")]), memory(), "start app#1");
});

test("a replaced sandbox goes with the last container kept of it", () => {
  const running = ran("app", "Running", { attempt: 2, sandboxId: "s1" });
  check(
    pod(),
    observed([running, ran("app", "Exited", { attempt: 1 })], [sandbox(1), sandbox(0, "NotReady")]),
    memory(),
    "",
  );
  check(pod(), observed([running], [sandbox(1), sandbox(0, "NotReady")]), memory(), "remove-sandbox s0");
});

test("a deletion ends containers, then sidecars, then sandbox, volumes and the object", () => {
  const spec = {
    initContainers: [container("one", { restartPolicy: "Always" }), container("two", { restartPolicy: "Always" })],
  };
  const ending = { since: now, graceSeconds: 30 };
  const running = [ran("one", "Running"), ran("two", "Running"), ran("app", "Running")];
  const gone = pod(spec, { deleted: true });
  check(gone, observed(running), memory({ ending }), "kill app in 30s");
  check(gone, observed(running), memory({ ending, killDeadlines: new Map([["app0", now + 30_000]]) }), "");
  check(
    gone,
    observed(running),
    memory({ ending: { since: now, graceSeconds: 1 }, killDeadlines: new Map([["app0", now + 30_000]]) }),
    "kill app in 1s",
  );
  check(gone, observed(running.slice(0, 2)), memory({ ending }), "kill two in 30s");
  check(
    gone,
    observed(running.slice(0, 1)),
    memory({ ending: { since: now - 28_500, graceSeconds: 30 } }),
    "kill one in 2s",
  );
  check(gone, observed([]), memory({ ending, running: new Set(["start:app"]) }), "");
  check(gone, observed([]), memory({ ending }), "stop-sandbox s0");
  check(gone, observed([], [sandbox(0, "NotReady")]), memory({ ending, running: new Set(["stop-sandbox:s0"]) }), "");
  check(gone, observed([], [sandbox(0, "NotReady")]), memory({ ending }), "tear-down, finished");
  check(gone, observed([], [sandbox(0, "NotReady")]), memory({ ending, tornDown: true }), "delete-pod, finished");
});

test("only the last of a container's past stays", () => {
  const past = [3, 2, 1, 0].map((attempt) => ran("app", attempt === 3 ? "Running" : "Exited", { attempt }));
  check(pod(), observed(past), memory(), "remove-container app1, remove-container app0");
});

test("the status says what kubectl shows", () => {
  const show = (of: Pod, seen: ObservedPod, remembered: PodMemory): string => {
    const plan = planPod(of, seen, remembered, new Map(), now);
    const { phase, conditions, containerStatuses } = podStatusOf(of, seen, remembered, plan, {
      now,
      takenOnMs: now,
      hostIps: ["192.0.2.1"],
    });
    const [first] = containerStatuses ?? [];
    const state =
      first?.state.waiting?.reason ??
      (first?.state.running === undefined ? (first?.state.terminated?.reason ?? "") : "Running");
    const ready = conditions?.find(({ type }) => type === "Ready");
    const why = ready?.reason === undefined ? "" : ` (${ready.reason})`;
    return `${phase} ${state} restarts=${first?.restartCount} ready=${ready?.status}${why}`;
  };
  const crash = memory({ backOff: new Map([["app", { delayMs: 10_000, at: now }]]) });
  assert.equal(
    show(pod(), observed([], []), memory()),
    "Pending ContainerCreating restarts=0 ready=False (ContainersNotReady)",
  );
  assert.equal(
    show(pod(), observed([ran("app", "Running")]), memory({ probes: new Map([["app0", up]]) })),
    "Running Running restarts=0 ready=True",
  );
  assert.equal(
    show(pod(), observed([ran("app", "Exited", { attempt: 2, exitCode: 1 })]), crash),
    "Running CrashLoopBackOff restarts=2 ready=False (ContainersNotReady)",
  );
  assert.equal(
    show(pod({ restartPolicy: "Never" }), observed([ran("app", "Exited")]), memory()),
    "Succeeded Completed restarts=0 ready=False (PodCompleted)",
  );
  assert.equal(
    show(
      pod({ restartPolicy: "Never" }),
      observed([ran("app", "Exited", { exitCode: 137, reason: "OOMKilled" })]),
      memory(),
    ),
    "Failed OOMKilled restarts=0 ready=False (PodFailed)",
  );
  assert.equal(
    show(pod(), observed([ran("app", "Exited")], []), memory({ apiStatus: { phase: "Failed" } })),
    "Failed Completed restarts=0 ready=False (PodFailed)",
  );
  const gated = pod({ readinessGates: [{ conditionType: "example.com/ok" }] });
  assert.equal(
    show(gated, observed([ran("app", "Running")]), memory({ probes: new Map([["app0", up]]) })),
    "Running Running restarts=0 ready=False (ReadinessGatesNotReady)",
  );
});
