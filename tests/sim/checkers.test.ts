import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckerFactory } from "#sim/checkers/checker.ts";
import { durabilityChecker } from "#sim/checkers/durability.ts";
import { nodeChecker } from "#sim/checkers/nodes.ts";
import { objectChecker } from "#sim/checkers/objects.ts";
import { orphanChecker } from "#sim/checkers/orphans.ts";
import { schedulingChecker } from "#sim/checkers/scheduling.ts";
import { serviceChecker } from "#sim/checkers/services.ts";
import { deploymentChecker } from "#sim/checkers/deployments.ts";
import { watchChecker } from "#sim/checkers/watches.ts";
import { workloadChecker } from "#sim/checkers/workloads.ts";
import { writeChecker } from "#sim/checkers/writes.ts";
import type { Change, Stored } from "#sim/history.ts";
import type { RuntimeAct } from "#sim/simulated-runtime.ts";
import type { Swarm } from "#sim/swarm.ts";
import { calmSwarm } from "./play.ts";

type Step =
  | {
      readonly at?: number;
      readonly put: string;
      readonly object: Record<string, unknown>;
      readonly isSame?: boolean;
      /** In place of the next one. */
      readonly revision?: number;
    }
  | { readonly at?: number; readonly remove: string }
  | {
      readonly at?: number;
      readonly act: RuntimeAct["what"];
      readonly host: string;
      readonly uid: string;
      readonly pod?: string;
    }
  | { readonly chunk: string; readonly of: string }
  | { readonly settled: true };

const pods = "/registry/core/pods/default";
const revisionFirst = 1_000_000_000_001;

/** Plays steps to one checker; answers the invariants that it says are broken. */
function play(make: CheckerFactory, steps: readonly Step[], strikes: Swarm["strikes"] = {}): string[] {
  const objects = new Map<string, Stored>();
  const broken: string[] = [];
  let nowMs = 0;
  let revision = revisionFirst - 1;
  const all = (resource: string): Map<string, Stored> =>
    new Map([...objects].filter(([key]) => resourceOf(key) === resource));
  const history = {
    get revision() {
      return revision;
    },
    get: (key: string) => objects.get(key),
    all,
    resources: () => new Set([...objects.keys()].map(resourceOf)),
  };
  const hosts = ["node-1", "node-2"].map((name) => ({ name, agentLives: 1 }));
  const checker = make(
    {
      history,
      swarm: { ...calmSwarm, strikes },
      hosts,
      server: { informers: undefined },
      isCalm: () => true,
      now: () => nowMs,
    },
    (name, what) => broken.push(`${name}: ${what}`),
  );
  const watches = new Map<string, (chunk: Uint8Array) => void>();
  for (const step of steps) {
    if ("at" in step && step.at !== undefined) nowMs = step.at;
    if ("settled" in step) checker.settled?.();
    else if ("chunk" in step) {
      const watch = watches.get(step.of) ?? checker.watching?.("client", step.of);
      assert.ok(watch !== undefined);
      watches.set(step.of, watch);
      watch(new TextEncoder().encode(step.chunk));
    } else if ("act" in step) {
      checker.acted?.(step.host, {
        what: step.act,
        podUid: step.uid,
        pod: `default/${step.pod ?? step.uid}`,
        container: "web",
      });
    } else {
      const change = apply(step);
      checker.changed?.([change]);
    }
  }
  return broken;

  function apply(step: Extract<Step, { put: string } | { remove: string }>): Change {
    revision = "revision" in step && step.revision !== undefined ? step.revision : revision + 1;
    const key = "put" in step ? step.put : step.remove;
    const before = objects.get(key);
    const common = { revision, atMs: nowMs, resource: resourceOf(key), key, before };
    if ("remove" in step) {
      objects.delete(key);
      return { ...common, current: undefined, isSame: false };
    }
    const name = key.split("/").at(-1) ?? "";
    const { metadata = {}, ...rest } = step.object as { metadata?: Record<string, unknown> };
    const current = { metadata: { namespace: "default", name, uid: name, ...metadata }, ...rest } as Stored;
    objects.set(key, current);
    return { ...common, current, isSame: step.isSame === true };
  }
}

function resourceOf(key: string): string {
  const [, , group, resource] = key.split("/");
  return group === "core" ? (resource ?? "") : `${group}/${resource}`;
}

const running = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
type Body = Record<string, unknown>;
const ownedBy = (uid: string, kind = "ReplicaSet"): Body => ({
  ownerReferences: [{ kind, name: uid, uid, controller: true }],
});
const deployment = (spec: Body, generation = 1): Body => ({
  metadata: { generation },
  spec: { replicas: 2, ...spec },
  status: { observedGeneration: generation },
});
const revised = (revision: string, spec: Body = {}): Body => ({
  metadata: { generation: 1, annotations: { "deployment.kubernetes.io/revision": revision } },
  spec: { replicas: 0, ...spec },
  status: {
    conditions: [
      { type: "Available", status: "True" },
      { type: "Progressing", status: "True" },
    ],
  },
});
let templates = 0;
const replicaSet = (replicas: number, generation = 1): Body => ({
  metadata: { generation, ...ownedBy("web", "Deployment") },
  spec: { replicas, template: { spec: { containers: [{ image: String((templates += 1)) }] } } },
  status: { observedGeneration: generation },
});
const ofTemplate = (image: string, hash: string): Body => ({
  ...replicaSet(0),
  spec: {
    replicas: 0,
    template: { metadata: { labels: { "pod-template-hash": hash } }, spec: { containers: [{ image }] } },
  },
});
const pod = (owner: string, more: Body = {}): Body => ({
  metadata: ownedBy(owner),
  spec: { containers: [] },
  status: running,
  ...more,
});
const web = "/registry/apps/deployments/default/web";
const set = (name: string): string => `/registry/apps/replicasets/default/${name}`;
const noSurge = { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } };
const watched = "/api/v1/pods?resourceVersion=1000000000000&watch=true";
const event = (type: string, revision: number): string =>
  `${JSON.stringify({ type, object: { metadata: { name: "a", resourceVersion: String(revision) } } })}\n`;

const cases: readonly {
  story: string;
  checker: CheckerFactory;
  steps: readonly Step[];
  strikes?: Swarm["strikes"];
  broken?: RegExp;
}[] = [
  {
    story: "an object that lives and goes is fine",
    checker: objectChecker,
    steps: [
      { put: `${pods}/a`, object: { metadata: { generation: 1, finalizers: ["x"] }, spec: { x: 1 } } },
      { put: `${pods}/a`, object: { metadata: { generation: 2, finalizers: ["x"] }, spec: { x: 2, nodeName: "n" } } },
      {
        put: `${pods}/a`,
        object: {
          metadata: { generation: 2, deletionTimestamp: "2026-01-01T00:00:30Z", finalizers: [] },
          spec: { x: 2, nodeName: "n" },
        },
      },
      { remove: `${pods}/a` },
      { put: `${pods}/a`, object: { metadata: { uid: "another", generation: 1 }, spec: {} } },
    ],
  },
  {
    story: "revisions leave gaps",
    checker: durabilityChecker,
    steps: [5, 6, 9].map((more) => ({ put: `${pods}/a`, object: {}, revision: revisionFirst + more })),
  },
  ...[0, 1].map((back) => ({
    story: `a revision comes that is ${back} before the last one, as after a crash that forgot it`,
    checker: durabilityChecker,
    steps: [5, 6, 6 - back].map((more) => ({ put: `${pods}/a`, object: {}, revision: revisionFirst + more })),
    broken: /^3 revisions/,
  })),
  {
    story: "a name that is made again keeps its old uid",
    checker: objectChecker,
    steps: [{ put: `${pods}/a`, object: {} }, { remove: `${pods}/a` }, { put: `${pods}/a`, object: {} }],
    broken: /^6 identity/,
  },
  {
    story: "a uid changes",
    checker: objectChecker,
    steps: [
      { put: `${pods}/a`, object: {} },
      { put: `${pods}/a`, object: { metadata: { uid: "b" } } },
    ],
    broken: /^6 identity/,
  },
  {
    story: "a status write counts as a generation",
    checker: objectChecker,
    steps: [
      { put: web, object: { metadata: { generation: 1 }, spec: {}, status: {} } },
      { put: web, object: { metadata: { generation: 2 }, spec: {}, status: { replicas: 1 } } },
    ],
    broken: /^7 generation/,
  },
  {
    story: "a spec changes without a generation",
    checker: objectChecker,
    steps: [
      { put: web, object: { metadata: { generation: 1 }, spec: {} } },
      { put: web, object: { metadata: { generation: 1 }, spec: { replicas: 2 } } },
    ],
    broken: /^7 generation/,
  },
  {
    story: "a write changes nothing",
    checker: objectChecker,
    steps: [
      { put: web, object: {} },
      { put: web, object: {}, isSame: true },
    ],
    broken: /^8 no-op/,
  },
  {
    story: "a deletion is taken back",
    checker: objectChecker,
    steps: [
      { put: web, object: { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } } },
      { put: web, object: {} },
    ],
    broken: /^9 deletion/,
  },
  {
    story: "a finalizer is added to what is being deleted",
    checker: objectChecker,
    steps: ["a", "b"].map((finalizer) => ({
      put: web,
      object: { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: [finalizer] } },
    })),
    broken: /^9 deletion/,
  },
  {
    story: "a watch gets every event",
    checker: watchChecker,
    steps: [
      { put: `${pods}/a`, object: {} },
      { put: `${pods}/a`, object: {} },
      { chunk: event("ADDED", revisionFirst) + event("MODIFIED", revisionFirst + 1).slice(0, 9), of: watched },
      { chunk: event("MODIFIED", revisionFirst + 1).slice(9) + event("BOOKMARK", revisionFirst + 1), of: watched },
    ],
  },
  {
    story: "a watch misses an event",
    checker: watchChecker,
    steps: [
      { put: `${pods}/a`, object: {} },
      { put: `${pods}/a`, object: {} },
      { chunk: event("MODIFIED", revisionFirst + 1), of: watched },
    ],
    broken: /^18 watch reliability/,
  },
  {
    story: "a watch gets an event twice",
    checker: watchChecker,
    steps: [
      { put: `${pods}/a`, object: {} },
      { chunk: event("ADDED", revisionFirst) + event("ADDED", revisionFirst), of: watched },
    ],
    broken: /^18 watch order/,
  },
  {
    story: "a watch gets what is not visible yet",
    checker: watchChecker,
    steps: [
      { put: `${pods}/a`, object: {} },
      { chunk: event("ADDED", revisionFirst) + event("BOOKMARK", revisionFirst + 1), of: watched },
    ],
    broken: /^18 watch:/,
  },
  {
    story: "a Deployment stays within its surge",
    checker: deploymentChecker,
    steps: [
      { put: web, object: deployment(noSurge) },
      { put: set("rs"), object: replicaSet(2) },
      { put: `${pods}/a`, object: pod("rs") },
      { put: `${pods}/b`, object: pod("rs") },
    ],
  },
  {
    story: "ReplicaSets ask for more than the surge",
    checker: deploymentChecker,
    steps: [
      { put: web, object: deployment(noSurge) },
      { put: set("rs"), object: replicaSet(2) },
      { put: set("rt"), object: replicaSet(1) },
    ],
    broken: /^34 surge/,
  },
  {
    story: "there are more pods than the surge allows",
    checker: deploymentChecker,
    steps: [
      { put: web, object: deployment(noSurge) },
      { put: set("rs"), object: replicaSet(2) },
      ...["a", "b", "c"].map((name) => ({ put: `${pods}/${name}`, object: pod("rs") })),
    ],
    broken: /^34 surge/,
  },
  ...[{}, { "clock-stepped": 1_000 }].map((strikes) => ({
    story: `an old ReplicaSet is scaled down while its pods are needed, strikes: ${JSON.stringify(strikes)}`,
    checker: deploymentChecker,
    strikes,
    steps: [
      { put: web, object: deployment(noSurge) },
      { put: set("rs"), object: replicaSet(2) },
      { put: `${pods}/a`, object: pod("rs") },
      { put: `${pods}/b`, object: pod("rs") },
      { at: 60_000, put: set("rs"), object: replicaSet(0, 2) },
    ],
    broken: /^35 availability/,
  })),
  {
    story: "the revision of a Deployment goes back",
    checker: deploymentChecker,
    steps: [
      { put: web, object: revised("2") },
      { put: web, object: revised("1") },
    ],
    broken: /^37 revision/,
  },
  {
    story: "a rollback makes another ReplicaSet of a template that one has",
    checker: deploymentChecker,
    steps: [
      { put: web, object: deployment({}) },
      ...["1", "2"].map((image) => ({ put: set(`rs-${image}`), object: ofTemplate(image, image) })),
      { put: set("rs-3"), object: ofTemplate("1", "3") },
    ],
    broken: /^37 templates: rs-3 and rs-1/,
  },
  {
    story: "more old ReplicaSets stay than the history keeps",
    checker: deploymentChecker,
    steps: [
      { put: web, object: revised("3", { revisionHistoryLimit: 1 }) },
      { put: set("rs"), object: replicaSet(0) },
      { put: set("rt"), object: replicaSet(0) },
      { settled: true },
    ],
    broken: /^37 history/,
  },
  {
    story: "a Deployment without pods says that it is available",
    checker: deploymentChecker,
    steps: [
      { put: web, object: { ...deployment({}), status: { conditions: [{ type: "Available", status: "True" }] } } },
      { settled: true },
    ],
    broken: /^39 conditions/,
  },
  {
    story: "a recreated Deployment begins before the end",
    checker: deploymentChecker,
    steps: [
      { put: web, object: deployment({ strategy: { type: "Recreate" } }) },
      { put: set("rs"), object: replicaSet(1) },
      { put: `${pods}/a`, object: pod("rs") },
      { put: set("rt"), object: replicaSet(1) },
      { put: `${pods}/b`, object: pod("rt") },
    ],
    broken: /^36 recreate/,
  },
  {
    story: "a paused Deployment gets a new ReplicaSet",
    checker: deploymentChecker,
    steps: [
      { put: web, object: deployment({ paused: true }) },
      { put: set("rs"), object: replicaSet(0) },
    ],
    broken: /^37 pause/,
  },
  {
    story: "an object is written all the time",
    checker: writeChecker,
    steps: Array.from({ length: 60 }, (_, at) => ({ at, put: web, object: {} })),
    broken: /^31 hot loop/,
  },
  {
    story: "a pod has two controllers",
    checker: writeChecker,
    steps: [
      {
        put: `${pods}/a`,
        object: {
          metadata: {
            ownerReferences: ["x", "y"].map((uid) => ({ kind: "ReplicaSet", name: uid, uid, controller: true })),
          },
        },
      },
    ],
    broken: /^33 owners/,
  },
  {
    story: "a pod is adopted by what does not select it",
    checker: writeChecker,
    steps: [
      { put: set("rs"), object: { spec: { selector: { matchLabels: { app: "x" } } } } },
      { put: `${pods}/a`, object: {} },
      { put: `${pods}/a`, object: { metadata: ownedBy("rs") } },
    ],
    broken: /^33 owners/,
  },
  {
    story: "a node is given more than it has",
    checker: schedulingChecker,
    steps: [
      {
        put: "/registry/core/nodes/node-1",
        object: { status: { allocatable: { cpu: "1", memory: "1Gi", pods: "10" } } },
      },
      ...["a", "b"].map((name) => ({
        put: `${pods}/${name}`,
        object: { spec: { nodeName: "node-1", containers: [{ resources: { requests: { cpu: "600m" } } }] } },
      })),
    ],
    broken: /^54 capacity/,
  },
  {
    story: "an agent restarts what crashed, the second time after a wait",
    checker: nodeChecker,
    steps: [
      { put: `${pods}/a`, object: { spec: { nodeName: "node-1" }, status: running } },
      ...([0, 20, 10_040] as const).flatMap((at) => [
        { at, act: "started", host: "node-1", uid: "a" } as const,
        { at: at + 10, act: "ended", host: "node-1", uid: "a" } as const,
      ]),
    ],
  },
  {
    story: "an agent does not wait before it restarts",
    checker: nodeChecker,
    steps: [
      { put: `${pods}/a`, object: { spec: { nodeName: "node-1" }, status: running } },
      ...([0, 20, 40] as const).flatMap((at) => [
        { at, act: "started", host: "node-1", uid: "a" } as const,
        { at: at + 10, act: "ended", host: "node-1", uid: "a" } as const,
      ]),
    ],
    broken: /^62 back-off/,
  },
  {
    story: "a pod runs where it is not bound to",
    checker: nodeChecker,
    steps: [
      { put: `${pods}/a`, object: { spec: { nodeName: "node-1" } } },
      { act: "started", host: "node-2", uid: "a" },
    ],
    broken: /^60 bound/,
  },
  {
    story: "an agent ends a container that shall run",
    checker: nodeChecker,
    steps: [
      { put: `${pods}/a`, object: { spec: { nodeName: "node-1" }, status: running } },
      { act: "started", host: "node-1", uid: "a" },
      { act: "stopped", host: "node-1", uid: "a" },
    ],
    broken: /^64 agents/,
  },
  {
    story: "a container runs twice",
    checker: nodeChecker,
    steps: [
      { put: `${pods}/a`, object: { spec: { nodeName: "node-1" }, status: running } },
      { act: "started", host: "node-1", uid: "a" },
      { act: "started", host: "node-1", uid: "a" },
    ],
    broken: /^64 no duplicates/,
  },
  {
    story: "a pod that is gone is still an endpoint",
    checker: serviceChecker,
    steps: [
      {
        put: "/registry/discovery.k8s.io/endpointslices/default/web-1",
        object: {
          metadata: { labels: { "kubernetes.io/service-name": "web" } },
          endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready: true }, targetRef: { name: "a", uid: "a" } }],
        },
      },
      { settled: true },
    ],
    broken: /^67 endpoints/,
  },
  {
    story: "a pod outlives its ReplicaSet",
    checker: orphanChecker,
    steps: [{ put: `${pods}/a`, object: { metadata: ownedBy("rs"), spec: {} } }, { settled: true }],
    broken: /^50 orphans/,
  },
];

const ofDb = (more: Body = {}): Body => ({
  metadata: ownedBy("db", "StatefulSet"),
  spec: {},
  status: running,
  ...more,
});
const ofSum = (): Body => ({ metadata: ownedBy("sum", "Job"), spec: {}, status: { phase: "Running" } });
const sum = (status: Body): Step => ({
  put: "/registry/batch/jobs/default/sum",
  object: { spec: { parallelism: 1, completions: 2 }, status },
});
const complete = { conditions: [{ type: "Complete", status: "True" }] };

const workloadCases: typeof cases = [
  {
    story: "an ordinal runs on two nodes at once",
    checker: workloadChecker,
    steps: [
      { put: `${pods}/db-0`, object: ofDb({ metadata: { ...ownedBy("db", "StatefulSet"), uid: "u1" } }) },
      { act: "started", host: "node-1", uid: "u1", pod: "db-0" },
      { remove: `${pods}/db-0` },
      { put: `${pods}/db-0`, object: ofDb({ metadata: { ...ownedBy("db", "StatefulSet"), uid: "u2" } }) },
      { act: "started", host: "node-2", uid: "u2", pod: "db-0" },
    ],
    broken: /^40 at most one/,
  },
  {
    story: "an ordinal comes before its predecessor",
    checker: workloadChecker,
    steps: [
      { put: "/registry/apps/statefulsets/default/db", object: { spec: {} } },
      { put: `${pods}/db-1`, object: ofDb() },
    ],
    broken: /^41 order/,
  },
  {
    story: "a node has two pods of a DaemonSet",
    checker: workloadChecker,
    steps: ["a", "b"].map((name) => ({
      put: `${pods}/${name}`,
      object: { metadata: ownedBy("log", "DaemonSet"), spec: { nodeName: "n" } },
    })),
    broken: /^44 one a node/,
  },
  {
    story: "a Job runs more than it may",
    checker: workloadChecker,
    steps: [sum({}), { put: `${pods}/a`, object: ofSum() }, { put: `${pods}/b`, object: ofSum() }],
    broken: /^45 parallelism/,
  },
  {
    story: "a Job forgets a success",
    checker: workloadChecker,
    steps: [sum({ succeeded: 1 }), sum({})],
    broken: /^45 counting/,
  },
  {
    story: "a finished Job goes on",
    checker: workloadChecker,
    steps: [sum(complete), { put: `${pods}/a`, object: ofSum() }],
    broken: /^46 finished/,
  },
  {
    story: "an index that is done gets a pod again",
    checker: workloadChecker,
    steps: [
      sum({ completedIndexes: "0-1,4" }),
      {
        put: `${pods}/a`,
        object: {
          metadata: { ...ownedBy("sum", "Job"), annotations: { "batch.kubernetes.io/job-completion-index": "1" } },
          spec: {},
        },
      },
    ],
    broken: /^45 indexes/,
  },
  {
    story: "a pod of a finished Job is held for ever",
    checker: workloadChecker,
    steps: [
      {
        put: `${pods}/a`,
        object: { metadata: { ...ownedBy("sum", "Job"), finalizers: ["batch.kubernetes.io/job-tracking"] }, spec: {} },
      },
      sum(complete),
      { settled: true },
    ],
    broken: /^46 tracking/,
  },
  {
    story: "a finished Job is not finished any more",
    checker: workloadChecker,
    steps: [sum(complete), sum({})],
    broken: /^46 finished/,
  },
  {
    story: "a Job, a StatefulSet and a DaemonSet go their way",
    checker: workloadChecker,
    steps: [
      sum({}),
      { put: `${pods}/a`, object: ofSum() },
      { put: `${pods}/a`, object: { ...ofSum(), status: { phase: "Succeeded" } } },
      { put: `${pods}/b`, object: ofSum() },
      sum({ succeeded: 2, ...complete }),
      { put: `${pods}/db-0`, object: ofDb() },
      { put: `${pods}/db-1`, object: ofDb() },
      { settled: true },
    ],
  },
];

for (const { story, checker, steps, strikes, broken } of [...cases, ...workloadCases]) {
  test(broken === undefined ? `nothing is wrong: ${story}` : `noticed: ${story}`, () => {
    const found = play(checker, steps, strikes);
    if (broken === undefined) assert.deepEqual(found, []);
    else assert.match(found[0] ?? "nothing was noticed", broken);
  });
}
