import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Node, Pod, PodSpec } from "#api/generated/core-v1.ts";
import { Cluster } from "./cluster.ts";
import { nodeView } from "./node-view.ts";
import { Placer } from "./placement.ts";
import { podView } from "./pod-view.ts";
import { naiveFeasible } from "./testing/naive.ts";
import { makeNode, makePod } from "./testing/objects.ts";

const zoneKey = "topology.kubernetes.io/zone";
const hostKey = "kubernetes.io/hostname";
const maybe = <T>(arbitrary: fc.Arbitrary<T>, freq = 2): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq });

const nodeWords = fc.record({
  cpu: fc.constantFrom("1", "2", "3500m"),
  memory: fc.constantFrom("1Gi", "2Gi"),
  pods: fc.constantFrom("2", "3", "10"),
  zone: fc.constantFrom("a", "b", "c", undefined),
  disk: fc.constantFrom("ssd", "hdd", undefined),
  taint: fc.constantFrom("NoSchedule", "NoExecute", "PreferNoSchedule", undefined, undefined, undefined),
  unschedulable: fc.constantFrom(true, false, false, false),
});
type NodeWords = typeof nodeWords extends fc.Arbitrary<infer T> ? T : never;

const app = fc.constantFrom("x", "y", "z");
const term = fc.record({ app, topologyKey: fc.constantFrom(zoneKey, hostKey) });
const policy = fc.constantFrom("Honor", "Ignore");
const spreadWords = fc.record({
  app,
  topologyKey: fc.constantFrom(zoneKey, hostKey),
  maxSkew: fc.integer({ min: 1, max: 2 }),
  policies: fc.record(
    { minDomains: fc.integer({ min: 1, max: 4 }), nodeAffinityPolicy: policy, nodeTaintsPolicy: policy },
    { requiredKeys: [] },
  ),
  isOfOneVersion: fc.boolean(),
});
const podWords = fc.record({
  namespace: fc.constantFrom("default", "default", "other"),
  app,
  version: fc.constantFrom("1", "2", undefined),
  cpu: fc.constantFrom(undefined, "250m", "500m", "1"),
  memory: fc.constantFrom(undefined, "256Mi", "1Gi"),
  hostPort: fc.constantFrom(undefined, undefined, undefined, 80, 81),
  disk: maybe(fc.constantFrom("ssd", "hdd"), 3),
  notDisk: maybe(fc.constantFrom("ssd", "hdd"), 4),
  tolerates: fc.boolean(),
  affinity: maybe(term, 4),
  antiAffinity: maybe(term, 3),
  spread: fc.uniqueArray(spreadWords, { maxLength: 2, selector: (one) => one.topologyKey }),
});
type PodWords = typeof podWords extends fc.Arbitrary<infer T> ? T : never;

/** Pods that ask for little but to be spread over a part of the nodes: so that spreading decides. */
const spreadPodWords: fc.Arbitrary<PodWords> = fc
  .record({ words: podWords, spread: spreadWords.map((one) => ({ ...one, app: "x" as const })), isOther: fc.boolean() })
  .map(({ words, spread, isOther }) => {
    const { version, disk, tolerates } = words;
    const other = isOther ? words.spread.filter(({ topologyKey }) => topologyKey !== spread.topologyKey) : [];
    const light = { cpu: undefined, memory: undefined, hostPort: undefined, notDisk: undefined };
    const alone = { affinity: undefined, antiAffinity: undefined };
    return { ...light, ...alone, namespace: "default", app: "x", version, disk, tolerates, spread: [spread, ...other] };
  });

type Step =
  | { readonly do: "place"; readonly pod: PodWords }
  | { readonly do: "remove"; readonly which: number }
  | { readonly do: "terminate"; readonly which: number }
  | { readonly do: "change"; readonly which: number; readonly node: NodeWords }
  | { readonly do: "drop"; readonly which: number };

const stepOf = (pods: fc.Arbitrary<PodWords>): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 10, arbitrary: pods.map((pod): Step => ({ do: "place", pod })) },
    { weight: 2, arbitrary: fc.nat(20).map((which): Step => ({ do: "remove", which })) },
    { weight: 1, arbitrary: fc.nat(20).map((which): Step => ({ do: "terminate", which })) },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.nat(5), nodeWords).map(([which, node]): Step => ({ do: "change", which, node })),
    },
    { weight: 1, arbitrary: fc.nat(5).map((which): Step => ({ do: "drop", which })) },
  );

function nodeOf(index: number, words: NodeWords): Node {
  const { disk, taint, zone, unschedulable, ...room } = words;
  const node = makeNode(`n${index}`, {
    ...room,
    ...(zone === undefined ? {} : { zone }),
    ...(disk === undefined ? {} : { labels: { disk } }),
    ...(taint === undefined ? {} : { taints: [{ key: "special", effect: taint }] }),
  });
  if (unschedulable) node.spec.unschedulable = true;
  return node;
}

function podOf(index: number, words: PodWords): Pod {
  const { cpu, memory, hostPort, disk, notDisk, tolerates, affinity, antiAffinity, spread } = words;
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  const terms = (
    wanted: typeof affinity,
  ): { requiredDuringSchedulingIgnoredDuringExecution: { labelSelector: object; topologyKey: string }[] } => ({
    requiredDuringSchedulingIgnoredDuringExecution: [
      { labelSelector: { matchLabels: { app: wanted!.app } }, topologyKey: wanted!.topologyKey },
    ],
  });
  const spec: Partial<PodSpec> = {
    containers: [
      {
        name: "c",
        image: "i",
        resources: { requests },
        ...(hostPort === undefined ? {} : { ports: [{ containerPort: 80, hostPort }] }),
      },
    ],
    ...(disk === undefined ? {} : { nodeSelector: { disk } }),
    ...(tolerates ? { tolerations: [{ key: "special", operator: "Exists" }] } : {}),
    affinity: {
      ...(notDisk === undefined
        ? {}
        : {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key: "disk", operator: "NotIn", values: [notDisk] }] }],
              },
            },
          }),
      ...(affinity === undefined ? {} : { podAffinity: terms(affinity) }),
      ...(antiAffinity === undefined ? {} : { podAntiAffinity: terms(antiAffinity) }),
    },
    topologySpreadConstraints: spread.map(({ app: wanted, policies, isOfOneVersion, ...rest }) => ({
      ...rest,
      ...policies,
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { app: wanted } },
      ...(isOfOneVersion ? { matchLabelKeys: ["version"] } : {}),
    })),
  };
  const labels = { app: words.app, ...(words.version === undefined ? {} : { version: words.version }) };
  return makePod(`p${index}`, { namespace: words.namespace, labels, spec });
}

/** The scheduler's cluster and the plain one side by side. */
class Both {
  readonly cluster = new Cluster();
  readonly placer = new Placer(this.cluster);
  nodes: Node[] = [];
  pods: Pod[] = [];
  turn = 0;

  setNode(node: Node): void {
    this.nodes = [...this.nodes.filter((other) => other.metadata.name !== node.metadata.name), node];
    this.cluster.setNode(nodeView(node));
  }

  place(pod: Pod): void {
    const view = podView(pod);
    const placement = this.placer.place(view, (this.turn += 1));
    const feasible = naiveFeasible(pod, this);
    if (placement.kind === "unschedulable") {
      assert.deepEqual(feasible, [], "no node fits");
      return;
    }
    assert.ok(feasible.includes(placement.node), `${placement.node} is among ${feasible.join(", ")}`);
    assert.equal(placement.feasible, feasible.length);
    const bound = { ...pod, spec: { ...pod.spec, nodeName: placement.node } };
    this.pods.push(bound);
    this.cluster.placePod(podView(bound), placement.node);
  }

  apply(step: Step, index: number): void {
    const pod = "which" in step ? this.pods[step.which % Math.max(1, this.pods.length)] : undefined;
    switch (step.do) {
      case "place":
        this.place(podOf(index, step.pod));
        break;
      case "remove":
        this.pods = this.pods.filter((other) => other !== pod);
        if (pod !== undefined) this.cluster.removePod(podView(pod).key);
        break;
      case "terminate":
        if (pod === undefined) break;
        pod.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
        this.cluster.placePod(podView(pod), pod.spec.nodeName!);
        break;
      case "change":
        this.setNode(nodeOf(step.which, step.node));
        break;
      case "drop":
        this.nodes = this.nodes.filter((node) => node.metadata.name !== `n${step.which}`);
        this.cluster.removeNode(`n${step.which}`);
        break;
    }
  }
}

for (const [which, pods] of Object.entries({ "of all kinds": podWords, "that are spread": spreadPodWords })) {
  test(`no rule is ever broken for pods ${which}, and a node that fits is always found`, () => {
    fc.assert(
      fc.property(
        fc.array(nodeWords, { minLength: 1, maxLength: 5 }),
        fc.array(stepOf(pods), { maxLength: 60, size: "max" }),
        (nodes, steps) => {
          const both = new Both();
          for (const [index, words] of nodes.entries()) both.setNode(nodeOf(index, words));
          for (const [index, one] of steps.entries()) both.apply(one, index);
        },
      ),
      { numRuns: 600 },
    );
  });
}
