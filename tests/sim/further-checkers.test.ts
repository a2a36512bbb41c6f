/** Each checker of orders, collection, devices and dependencies is shown what it must notice, and what it must let pass. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckerFactory } from "#sim/checkers/checker.ts";
import { autoscalerChecker } from "#sim/checkers/autoscalers.ts";
import { collectionChecker } from "#sim/checkers/collection.ts";
import { dependencyChecker } from "#sim/checkers/dependencies.ts";
import { deviceChecker } from "#sim/checkers/devices.ts";
import { orderingChecker } from "#sim/checkers/ordering.ts";
import { ownershipChecker } from "#sim/checkers/ownership.ts";
import { silentNodeChecker } from "#sim/checkers/silent-nodes.ts";
import { schedulingChecker } from "#sim/checkers/scheduling.ts";
import { spreadChecker } from "#sim/checkers/spreading.ts";
import { taintEvictionChecker } from "#sim/checkers/taint-evictions.ts";
import { play, type Body, type Step } from "./play.ts";

const owned = (kind: string, uid: string, more: Body = {}): Body => ({
  ownerReferences: [{ kind, name: uid, uid, controller: true, ...more }],
});
const pod = "/registry/core/pods/default";
const late = 600_000;
const db: Step = { put: "/registry/apps/statefulsets/default/db", object: { spec: { replicas: 1 } } };
const ofDb = (ordinal: number): Step => ({
  put: `${pod}/db-${ordinal}`,
  object: { metadata: owned("StatefulSet", "db") },
});
const deletes = (name: string): Step => ({ at: late, deletes: `/api/v1/namespaces/default/pods/${name}` });
const tick = (policy: string): Step => ({
  put: "/registry/batch/cronjobs/default/tick",
  object: { spec: { concurrencyPolicy: policy } },
});
const jobOf = (name: string, instant: string, conditions: Body[] = []): Step => ({
  put: `/registry/batch/jobs/default/${name}`,
  object: {
    metadata: {
      ...owned("CronJob", "tick"),
      annotations: { "batch.kubernetes.io/cronjob-scheduled-timestamp": instant },
    },
    status: { conditions },
  },
});
const complete = [{ type: "Complete", status: "True" }];
const claims = "/registry/resource.k8s.io/resourceclaims/default";
const holding = (name: string, device: string, users: readonly string[] = [], pool = "n1"): Step => ({
  put: `${claims}/${name}`,
  object: {
    status: {
      allocation: { devices: { results: [{ driver: "gpu", pool, device }] } },
      reservedFor: users.map((uid) => ({ uid })),
    },
  },
});
const user = (name: string, nodeName?: string): Step => ({
  put: `${pod}/${name}`,
  object: { spec: { ...(nodeName && { nodeName }), resourceClaims: [{ name: "gpu", resourceClaimName: "one" }] } },
});
const map = (name: string, metadata: Body = {}): Step => ({
  put: `/registry/core/configmaps/default/${name}`,
  object: { metadata },
});
const collects = (uid: string): Step => ({ deletes: `/x/${uid}`, uid, actor: "controllers/garbage-collection" });
const node = (taints: Body[] = []): Step => ({
  put: "/registry/core/nodes/n1",
  object: { spec: { taints }, status: { allocatable: { pods: "10", cpu: "4", memory: "1Gi" } } },
});
const gone: Body[] = [{ key: "gone", effect: "NoExecute" }];
const bound = (spec: Body = {}): Step => ({ put: `${pod}/web`, object: { spec: { nodeName: "n1", ...spec } } });
const nodeNamed = (name: string): Step => ({ put: `/registry/core/nodes/${name}`, object: {} });
const spreadTo = (name: string, nodeName?: string): Step => ({
  put: `${pod}/${name}`,
  object: {
    metadata: { labels: { app: "s" } },
    spec: {
      ...(nodeName && { nodeName }),
      topologySpreadConstraints: [
        {
          topologyKey: "kubernetes.io/hostname",
          maxSkew: 1,
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: { matchLabels: { app: "s" } },
        },
      ],
    },
  },
});
/** The scheduler asks for three binds at once, which leave two pods on n1 and one on n2. */
const binding: Step[] = [
  ...["n1", "n2"].map(nodeNamed),
  ...["a", "b", "c"].map((name) => spreadTo(name)),
  { binds: "a", to: "n1", at: late },
  { binds: "b", to: "n2" },
  { binds: "c", to: "n1" },
];
const tolerates = { tolerations: [{ key: "gone", operator: "Exists", tolerationSeconds: 300 }] };
const drivenAway: Step = { deletes: "/api/v1/namespaces/default/pods/web", actor: "controllers/taint-eviction" };
const waiting: Step = {
  put: "/registry/batch/jobs/default/late",
  object: { metadata: { annotations: { "steersman.dev/depends-on": "deployment/web" } } },
};
const ofLate: Step = { put: `${pod}/late-1`, object: { metadata: owned("Job", "late"), spec: { nodeName: "n1" } } };
const web = (status: string): Step => ({
  put: "/registry/apps/deployments/default/web",
  object: { status: { conditions: [{ type: "Available", status }] } },
});

const alone = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "a" } } },
    ],
  },
};
const ofSet = (name: string, status: string, kind = "ReplicaSet"): Step => ({
  put: `${pod}/${name}`,
  object: {
    metadata: owned(kind, "web"),
    spec: { nodeName: "n1" },
    status: {
      conditions: [
        { type: "Ready", status },
        { type: "PodScheduled", status: "True" },
      ],
    },
  },
});
const setDeletes = (name: string): Step => ({ ...deletes(name), actor: "controllers/replicaset" });
const autoscaler = (name: string, minReplicas: number, maxReplicas: number): Step => ({
  put: `/registry/autoscaling/horizontalpodautoscalers/default/${name}`,
  object: { spec: { minReplicas, maxReplicas, scaleTargetRef: { kind: "Deployment", name: "web" } } },
});
const heard = (status: string, at: number): Step => ({
  at,
  put: "/registry/core/nodes/n1",
  object: { status: { conditions: [{ type: "Ready", status }] } },
});

const cases: readonly { story: string; checker: CheckerFactory; steps: readonly Step[]; broken?: RegExp }[] = [
  {
    story: "a set shrinks from the highest",
    checker: orderingChecker,
    steps: [db, ofDb(0), ofDb(1), ofDb(2), deletes("db-2")],
  },
  {
    story: "a lower pod goes before a higher one",
    checker: orderingChecker,
    steps: [db, ofDb(0), ofDb(1), ofDb(2), deletes("db-1")],
    broken: /^41 order/,
  },
  {
    story: "one Job an instant, one at a time",
    checker: orderingChecker,
    steps: [tick("Forbid"), jobOf("a", "1"), jobOf("a", "1", complete), jobOf("b", "2")],
  },
  {
    story: "two Jobs of an instant",
    checker: orderingChecker,
    steps: [tick("Allow"), jobOf("a", "1"), jobOf("b", "1")],
    broken: /^48 instants/,
  },
  {
    story: "two Jobs at a time where that is forbidden",
    checker: orderingChecker,
    steps: [tick("Forbid"), jobOf("a", "1"), jobOf("b", "2")],
    broken: /^48 forbid/,
  },
  {
    story: "a Job takes the place of the one before, which goes",
    checker: orderingChecker,
    steps: [tick("Replace"), jobOf("a", "1"), { remove: "/registry/batch/jobs/default/a" }, jobOf("b", "2")],
  },
  {
    story: "a Job takes the place of the one before, which stays",
    checker: orderingChecker,
    steps: [tick("Replace"), jobOf("a", "1"), jobOf("b", "2")],
    broken: /^48 replace/,
  },
  {
    story: "what nobody owns is collected",
    checker: collectionChecker,
    steps: [map("child", owned("ConfigMap", "parent")), collects("child")],
  },
  {
    story: "what is owned is collected",
    checker: collectionChecker,
    steps: [map("parent"), map("child", owned("ConfigMap", "parent")), collects("child")],
    broken: /^49 collection/,
  },
  {
    story: "an owner goes before a dependent that blocks it",
    checker: collectionChecker,
    steps: [
      map("parent", { finalizers: ["foregroundDeletion"] }),
      map("child", owned("ConfigMap", "parent", { blockOwnerDeletion: true })),
      { at: late, remove: "/registry/core/configmaps/default/parent" },
    ],
    broken: /^51 foreground/,
  },
  {
    story: "devices change hands",
    checker: deviceChecker,
    steps: [holding("one", "a"), { remove: `${claims}/one` }, holding("two", "a")],
  },
  {
    story: "one device for two claims",
    checker: deviceChecker,
    steps: [holding("one", "a"), holding("two", "a")],
    broken: /^54 devices.*is .*one's/,
  },
  {
    story: "a pod with its device",
    checker: deviceChecker,
    steps: [holding("one", "a", ["p"]), user("p"), user("p", "n1")],
  },
  {
    story: "a pod without its device",
    checker: deviceChecker,
    steps: [holding("one", "a"), user("p"), user("p", "n1")],
    broken: /not reserved for it/,
  },
  {
    story: "a pod far from its device",
    checker: deviceChecker,
    steps: [holding("one", "a", ["p"], "n2"), user("p"), user("p", "n1")],
    broken: /is elsewhere/,
  },
  {
    story: "a taint that came a moment ago may not have been seen; a tolerated one does not matter",
    checker: schedulingChecker,
    steps: [node(gone), bound(), { at: late, remove: `${pod}/web` }, bound({ tolerations: [{ operator: "Exists" }] })],
  },
  {
    story: "a pod comes to a node that repels it for long",
    checker: schedulingChecker,
    steps: [node(gone), { at: late, ...bound() }],
    broken: /^55 taints/,
  },
  {
    story: "a pod that a gate holds comes to a node",
    checker: schedulingChecker,
    steps: [node(), bound({ schedulingGates: [{ name: "wait" }] })],
    broken: /^55 gates/,
  },
  {
    story: "two pods that want no node together",
    checker: schedulingChecker,
    steps: [
      node(),
      { put: `${pod}/a`, object: { metadata: { labels: { app: "a" } }, spec: { nodeName: "n1" } } },
      bound({ affinity: alone }),
    ],
    broken: /^55 anti-affinity/,
  },
  {
    story: "a ReplicaSet gives up who is not ready",
    checker: ownershipChecker,
    steps: [ofSet("a", "True"), ofSet("b", "False"), setDeletes("b"), setDeletes("a")],
  },
  {
    story: "a ReplicaSet gives up who is ready, and keeps who is not",
    checker: ownershipChecker,
    steps: [ofSet("a", "True"), ofSet("b", "False"), setDeletes("a")],
    broken: /^38 order/,
  },
  {
    story: "a ReplicaSet gives up who became ready a moment ago",
    checker: ownershipChecker,
    steps: [ofSet("a", "False"), ofSet("b", "False"), { ...ofSet("a", "True"), at: late }, setDeletes("a")],
  },
  {
    story: "a ReplicaSet deletes the pod of another kind's workload",
    checker: ownershipChecker,
    steps: [ofSet("a", "True", "StatefulSet"), setDeletes("a")],
    broken: /^33 foreign pods.*StatefulSet/,
  },
  {
    story: "an autoscaler stays within its bounds",
    checker: autoscalerChecker,
    steps: [autoscaler("one", 2, 3), autoscaler("two", 4, 5), { scales: "web", by: "one", replicas: 3 }],
  },
  {
    story: "an autoscaler goes beyond its bounds",
    checker: autoscalerChecker,
    steps: [autoscaler("one", 2, 3), { scales: "web", by: "one", replicas: 4 }],
    broken: /^58 bounds/,
  },
  {
    story: "pods of a silent node are marked in time",
    checker: silentNodeChecker,
    steps: [
      heard("True", 0),
      ofSet("a", "True"),
      heard("Unknown", 40_000),
      ofSet("a", "False"),
      heard("Unknown", late),
    ],
  },
  {
    story: "pods of a silent node are said to be ready",
    checker: silentNodeChecker,
    steps: [heard("True", 0), ofSet("a", "True"), heard("Unknown", 40_000), heard("Unknown", late)],
    broken: /^59 silent nodes/,
  },
  {
    story: "pods are spread over nodes; what went a moment ago may be counted still",
    checker: spreadChecker,
    steps: [
      ...["n1", "n2"].map(nodeNamed),
      ...[spreadTo("a", "n1"), spreadTo("b", "n2"), spreadTo("c", "n1")].map((step) => ({ ...step, at: late })),
      { remove: `${pod}/b` },
      spreadTo("d", "n2"),
      { remove: `${pod}/d` },
      spreadTo("e", "n1"),
    ],
  },
  {
    story: "a bind that others were judged with arrives after them",
    checker: spreadChecker,
    steps: [...binding, ...[spreadTo("c", "n1"), spreadTo("a", "n1"), spreadTo("b", "n2")]],
  },
  {
    story: "a bind that others were judged with gets lost, and its pod goes",
    checker: spreadChecker,
    steps: [...binding, { remove: `${pod}/b` }, ...[spreadTo("a", "n1"), spreadTo("c", "n1")]],
  },
  {
    story: "a bind that got lost long ago still counts",
    checker: spreadChecker,
    steps: [...binding, { ...spreadTo("a", "n1"), at: 2 * late }, spreadTo("c", "n1")],
    broken: /^55 spread: .*: n1 has 2 such pods then, n2 0/,
  },
  {
    story: "a pod is bound elsewhere than it was asked for, and counted there",
    checker: spreadChecker,
    steps: [...binding, ...[spreadTo("a", "n1"), spreadTo("b", "n1")]],
    broken: /^55 spread: .*: n1 has 2 such pods then, n2 0/,
  },
  {
    story: "a node came a moment ago, and the scheduler has named it",
    checker: spreadChecker,
    steps: [
      ...[...["n1", "n2"].map(nodeNamed), { binds: "x", to: "n2" }],
      ...[spreadTo("a"), { binds: "a", to: "n1" }, spreadTo("a", "n1")],
      ...[spreadTo("b"), { binds: "b", to: "n1" }, spreadTo("b", "n1")],
    ],
    broken: /^55 spread: .*: n1 has 2 such pods then, n2 0/,
  },
  {
    story: "a node came again a moment ago, and the scheduler may have named the one before",
    checker: spreadChecker,
    steps: [
      ...[...["n1", "n2"].map(nodeNamed), { remove: "/registry/core/nodes/n2" }, nodeNamed("n2")],
      ...[{ binds: "x", to: "n2" }, spreadTo("a", "n1"), spreadTo("b", "n1")],
    ],
  },
  {
    story: "a pod comes where there are more than enough already",
    checker: spreadChecker,
    steps: [...["n1", "n2"].map(nodeNamed), { ...spreadTo("a", "n1"), at: late }, spreadTo("b", "n1")],
    broken: /^55 spread: .*: n1 has 2 such pods then, n2 0/,
  },
  {
    story: "a pod is driven away when it tolerates its node no longer",
    checker: taintEvictionChecker,
    steps: [node(gone), bound(tolerates), { ...drivenAway, at: 300_000 }],
  },
  {
    story: "a pod is driven away before that",
    checker: taintEvictionChecker,
    steps: [node(gone), bound(tolerates), { ...drivenAway, at: 290_000 }],
    broken: /^55 eviction: web is driven from n1 10 s too early/,
  },
  {
    story: "a pod is driven away by a taint that came again and counts from then",
    checker: taintEvictionChecker,
    steps: [
      node(gone),
      bound(tolerates),
      { at: 100_000, ...node() },
      { at: 200_000, ...node(gone) },
      { at: 300_000, ...drivenAway },
    ],
    broken: /^55 eviction/,
  },
  {
    story: "a pod is driven away by nothing",
    checker: taintEvictionChecker,
    steps: [node(), bound(), drivenAway],
    broken: /^55 eviction/,
  },
  {
    story: "who depends starts after",
    checker: dependencyChecker,
    steps: [waiting, web("True"), web("False"), ofLate],
  },
  {
    story: "who depends starts before",
    checker: dependencyChecker,
    steps: [waiting, web("False"), ofLate],
    broken: /^dependencies/,
  },
];

for (const { story, checker, steps, broken } of cases) {
  test(story, () => {
    const found = play(checker, steps);
    if (broken === undefined) assert.deepEqual(found, []);
    else assert.match(found[0] ?? "nothing was noticed", broken);
  });
}
