/** Checkers of claims, partitions, retries, namespaces, disruptions and waiting pods: what they must notice, and let pass. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckerFactory } from "#sim/checkers/checker.ts";
import { disruptionChecker } from "#sim/checkers/disruptions.ts";
import { jobRetryChecker } from "#sim/checkers/job-retries.ts";
import { namespaceChecker } from "#sim/checkers/namespaces.ts";
import { statefulIdentityChecker } from "#sim/checkers/stateful-identity.ts";
import { waitingPodChecker } from "#sim/checkers/waiting-pods.ts";
import { play, type Body, type Step } from "./play.ts";

const late = 600_000;
const pods = "/registry/core/pods/default";
const owned = (kind: string, uid: string): Body => ({ ownerReferences: [{ kind, name: uid, uid, controller: true }] });
const put = (key: string, object: Body, at?: number): Step => ({
  ...(at === undefined ? {} : { at }),
  put: key,
  object,
});

const set = (spec: Body, currentRevision = "one"): Step =>
  put("/registry/apps/statefulsets/default/db", {
    spec: { replicas: 2, volumeClaimTemplates: [{ metadata: { name: "data" } }], ...spec },
    status: { currentRevision },
  });
const ordinal = (index: number, hash: string, claimName = `data-db-${index}`): Step =>
  put(`${pods}/db-${index}`, {
    metadata: { ...owned("StatefulSet", "db"), labels: { "controller-revision-hash": hash } },
    spec: { volumes: [{ name: "data", persistentVolumeClaim: { claimName } }] },
  });
const claimKey = "/registry/core/persistentvolumeclaims/default/data-db-1";
const partition = { updateStrategy: { rollingUpdate: { partition: 1 } } };

const job = (spec: Body): Step => put("/registry/batch/jobs/default/sum", { spec: { parallelism: 1, ...spec } });
const attempt = (name: string, phase = "Running", metadata: Body = {}): Step =>
  put(`${pods}/${name}`, { metadata: { ...owned("Job", "sum"), ...metadata }, spec: {}, status: { phase } });
const ofIndex = (name: string, index: string): Step =>
  attempt(name, "Running", { annotations: { "batch.kubernetes.io/job-completion-index": index } });

const ending = { deletionTimestamp: "2026-01-01T00:00:00Z" };
const home = (metadata: Body = {}): Step =>
  put("/registry/core/namespaces/default", { metadata: { namespace: undefined, ...metadata } });
const policy = "/registry/networking.k8s.io/networkpolicies/default/closed";

const budget = (spec: Body, disruptionsAllowed = 0): Step =>
  put("/registry/policy/poddisruptionbudgets/default/web", {
    spec: { selector: { matchLabels: { app: "web" } }, ...spec },
    status: { disruptionsAllowed },
  });
const second: Step = put("/registry/policy/poddisruptionbudgets/default/more", {
  spec: { minAvailable: 0, selector: { matchLabels: { app: "web" } } },
});
const ready = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
const web = (name: string, more: Body = {}, metadata: Body = {}): Step =>
  put(`${pods}/${name}`, {
    metadata: { labels: { app: "web" }, ...metadata },
    spec: { nodeName: "n1", priority: 1, ...asking("3") },
    status: ready,
    ...more,
  });
const asking = (cpu: string): Body => ({ containers: [{ resources: { requests: { cpu, memory: "1" } } }] });
const node = (name: string): Step =>
  put(`/registry/core/nodes/${name}`, {
    spec: {},
    status: { ...ready, allocatable: { cpu: "4", memory: "100", pods: "10" } },
  });
const wanting = (more: Body = {}, at?: number): Step =>
  put(`${pods}/rival`, { spec: { priority: 9, ...asking("3"), ...more }, status: { phase: "Pending" } }, at);
const preempts = (name: string): Step => ({
  at: late,
  deletes: `/api/v1/namespaces/default/pods/${name}`,
  client: "scheduler",
});
const tick = (at: number): Step => put("/registry/coordination.k8s.io/leases/default/x", { spec: { at } }, at);

const cases: readonly { story: string; checker: CheckerFactory; steps: readonly Step[]; broken?: RegExp }[] = [
  {
    story: "ordinals with their own claims, below a partition with the revision of before",
    checker: statefulIdentityChecker,
    steps: [set(partition), ordinal(0, "one"), ordinal(1, "two")],
  },
  {
    story: "an ordinal that mounts the claim of another",
    checker: statefulIdentityChecker,
    steps: [set({}), ordinal(0, "one"), ordinal(1, "one", "data-db-0")],
    broken: /^42 claims/,
  },
  {
    story: "an ordinal below the partition that is of the new revision",
    checker: statefulIdentityChecker,
    steps: [set(partition), ordinal(0, "two")],
    broken: /^43 partition/,
  },
  {
    story: "claims that go where the set says so",
    checker: statefulIdentityChecker,
    steps: [
      set({ replicas: 1, persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete" } }),
      put(claimKey, {}),
      { remove: claimKey },
    ],
  },
  {
    story: "a claim that goes though the set keeps it",
    checker: statefulIdentityChecker,
    steps: [set({ replicas: 1 }), put(claimKey, {}), { remove: claimKey }],
    broken: /^42 claims.*keeps it/,
  },
  {
    story: "a claim of a pod that the set still has",
    checker: statefulIdentityChecker,
    steps: [
      set({ persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete" } }),
      put(claimKey, {}),
      put(claimKey, { metadata: ending }),
    ],
    broken: /^42 claims.*never had fewer/,
  },
  {
    story: "as many tries as the Job allows; what was deleted is no try",
    checker: jobRetryChecker,
    steps: [
      job({ backoffLimit: 1 }),
      attempt("a"),
      attempt("a", "Running", ending),
      attempt("b"),
      attempt("b", "Failed"),
      attempt("c"),
    ],
  },
  {
    story: "one try more than the Job allows",
    checker: jobRetryChecker,
    steps: [job({ backoffLimit: 1 }), ...["a", "b", "c"].flatMap((name) => [attempt(name), attempt(name, "Failed")])],
    broken: /^47 retries/,
  },
  {
    story: "one try more than an index may have",
    checker: jobRetryChecker,
    steps: [
      job({ backoffLimitPerIndex: 1, parallelism: 9 }),
      ofIndex("a", "0"),
      ofIndex("b", "1"),
      ofIndex("c", "1"),
      ofIndex("d", "1"),
    ],
    broken: /^47 retries.*index 1/,
  },
  {
    story: "a pod is replaced that has not ended",
    checker: jobRetryChecker,
    steps: [job({ podReplacementPolicy: "Failed" }), attempt("a"), attempt("a", "Running", ending), attempt("b")],
    broken: /^47 replacement/,
  },
  {
    story: "a namespace goes in order",
    checker: namespaceChecker,
    steps: [
      home(),
      put(policy, {}),
      put(`${pods}/p`, {}),
      home(ending),
      { remove: `${pods}/p` },
      { remove: policy },
      { remove: "/registry/core/namespaces/default" },
    ],
  },
  {
    story: "something is made in a namespace that is ending",
    checker: namespaceChecker,
    steps: [home(), home(ending), put(`${pods}/p`, {})],
    broken: /^52 creation/,
  },
  {
    story: "a policy goes before the pods that it protects",
    checker: namespaceChecker,
    steps: [home(), put(policy, {}), put(`${pods}/p`, {}), home(ending), { remove: policy }],
    broken: /^52 order/,
  },
  {
    story: "a namespace goes with something in it",
    checker: namespaceChecker,
    steps: [home(), put(policy, {}), home(ending), { remove: "/registry/core/namespaces/default" }],
    broken: /^52 emptiness/,
  },
  {
    story: "an eviction that the budget allows",
    checker: disruptionChecker,
    steps: [budget({ minAvailable: 1 }), web("a"), web("b"), { evicts: "a" }, web("a", {}, ending)],
  },
  {
    story: "an eviction beyond the budget",
    checker: disruptionChecker,
    steps: [budget({ minAvailable: 2 }), web("a"), web("b"), { evicts: "a" }, web("a", {}, ending)],
    broken: /^53 eviction/,
  },
  {
    story: "an eviction beyond a budget of a share",
    checker: disruptionChecker,
    steps: [
      budget({ minAvailable: "100%" }),
      put("/registry/apps/replicasets/default/rs", { spec: { replicas: 2 } }),
      web("a", {}, owned("ReplicaSet", "rs")),
      web("b", {}, owned("ReplicaSet", "rs")),
      { evicts: "a" },
      web("a", {}, { ...owned("ReplicaSet", "rs"), ...ending }),
    ],
    broken: /^53 eviction/,
  },
  {
    story: "an eviction that two budgets judge",
    checker: disruptionChecker,
    steps: [budget({ minAvailable: 0 }), second, web("a"), web("b"), { evicts: "a" }, web("a", {}, ending)],
    broken: /^53 eviction.*two budgets/,
  },
  {
    story: "a budget that allows less than nothing",
    checker: disruptionChecker,
    steps: [budget({ minAvailable: 7 }, -5)],
    broken: /^53 budgets/,
  },
  {
    story: "preemption of a protected pod where there is nothing else",
    checker: disruptionChecker,
    steps: [budget({}), node("n1"), web("a"), wanting(), preempts("a")],
  },
  {
    story: "preemption of a protected pod where another node has room without it",
    checker: disruptionChecker,
    steps: [budget({}), node("n1"), node("n2"), web("a"), wanting(), preempts("a")],
    broken: /^53 preemption.*n2/,
  },
  {
    story: "preemption for nobody who matters more",
    checker: disruptionChecker,
    steps: [node("n1"), web("a", { spec: { nodeName: "n1", priority: 99 } }), wanting(), preempts("a")],
    broken: /^56 priority/,
  },
  {
    story: "a pod that fits nowhere waits",
    checker: waitingPodChecker,
    steps: [tick(0), node("n1"), web("a"), wanting({}, 40_000), tick(50_000), tick(90_000)],
  },
  {
    story: "a pod that fits gets its node",
    checker: waitingPodChecker,
    steps: [tick(0), node("n1"), wanting({}, 40_000), tick(42_000), wanting({ nodeName: "n1" }), tick(90_000)],
  },
  {
    story: "a pod that fits waits too long",
    checker: waitingPodChecker,
    steps: [tick(0), node("n1"), wanting({}, 40_000), tick(42_000), tick(90_000)],
    broken: /^57 waiting/,
  },
];

for (const { story, checker, steps, broken } of cases) {
  test(story, () => {
    const found = play(checker, steps);
    if (broken === undefined) assert.deepEqual(found, []);
    else assert.match(found[0] ?? "nothing was noticed", broken);
  });
}
