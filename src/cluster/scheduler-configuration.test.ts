import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultProfile } from "#scheduler/profile.ts";
import { readSchedulerConfiguration, type SchedulerConfiguration } from "./scheduler-configuration.ts";

const head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

function read(text: string): SchedulerConfiguration {
  const configured = readSchedulerConfiguration(head + text);
  assert.ok(configured.ok, configured.ok ? "" : configured.problem);
  return configured.value;
}

function problem(text: string): string {
  const configured = readSchedulerConfiguration(head + text);
  return configured.ok ? "none" : configured.problem;
}

test("without profiles there is the default one", () => {
  assert.deepEqual(read("parallelism: 16\npercentageOfNodesToScore: 40").profiles, [defaultProfile]);
});

test("profiles have their own weights, filters and arguments", () => {
  const { profiles } = read(`
profiles:
- schedulerName: default-scheduler
- schedulerName: packing
  plugins:
    score:
      disabled: [{name: NodeResourcesBalancedAllocation}, {name: ImageLocality}]
      enabled: [{name: NodeResourcesFit, weight: 5}]
    filter:
      disabled: [{name: TaintToleration}]
    postFilter:
      disabled: [{name: DefaultPreemption}]
  pluginConfig:
  - name: NodeResourcesFit
    args:
      ignoredResources: [example.com/foo]
      scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}, {name: memory, weight: 1}]}
- schedulerName: bare
  plugins:
    multiPoint:
      disabled: [{name: "*"}]
      enabled: [{name: NodeResourcesFit}, {name: DefaultBinder}]
`);
  const [first, packing, bare] = profiles;
  assert.deepEqual(first, defaultProfile);
  assert.deepEqual(
    [packing?.weights.NodeResourcesFit, packing?.weights.ImageLocality, packing?.weights.TaintToleration],
    [5, 0, 3],
  );
  assert.deepEqual([packing?.filters.TaintToleration, packing?.filters.NodeAffinity], [false, true]);
  assert.deepEqual(
    [packing?.preempts, packing?.fit, [...(packing?.ignoredResources ?? [])]],
    [false, "MostAllocated", ["example.com/foo"]],
  );
  assert.deepEqual(
    Object.entries(bare!.filters).flatMap(([name, isOn]) => (isOn ? [name] : [])),
    ["NodeResourcesFit"],
  );
  assert.equal(
    Object.values(bare!.weights).reduce((sum, weight) => sum + weight, 0),
    1,
  );
  assert.equal(bare!.preempts, false);
});

test("spreading by default, affinity's weight and the back-off are the cluster's to choose", () => {
  const { profiles, backoff } = read(`
podInitialBackoffSeconds: 3
podMaxBackoffSeconds: 30
profiles:
- pluginConfig:
  - name: PodTopologySpread
    args:
      defaultingType: List
      defaultConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]
  - name: InterPodAffinity
    args: {hardPodAffinityWeight: 70, ignorePreferredTermsOfExistingPods: true}
`);
  assert.deepEqual(backoff, { minMs: 3_000, maxMs: 30_000 });
  assert.deepEqual(profiles, [
    {
      ...defaultProfile,
      spread: {
        constraints: [{ maxSkew: 1, topologyKey: "rack", whenUnsatisfiable: "DoNotSchedule" }],
        isSystem: false,
      },
      heldAffinityWeight: 70,
      heldPreferences: false,
    },
  ]);
  assert.match(
    problem("podInitialBackoffSeconds: 20\npodMaxBackoffSeconds: 10"),
    /podMaxBackoffSeconds: must be at least/u,
  );
});

test("extenders have their verbs, patience and resources", () => {
  const { extenders, profiles } = read(`
extenders:
- urlPrefix: https://extender.example/scheduler/
  enableHTTPS: true
  filterVerb: filter
  weight: 3
  httpTimeout: 200ms
  nodeCacheCapable: true
  ignorable: true
  managedResources: [{name: example.com/foo, ignoredByScheduler: true}, {name: example.com/bar}]
  tlsConfig: {serverName: extender, caData: ${Buffer.from("CA").toString("base64")}}
`);
  const { settings, tls } = extenders[0]!;
  assert.deepEqual(
    [settings.urlPrefix, settings.filterVerb, settings.prioritizeVerb, settings.weight, settings.timeoutMs],
    ["https://extender.example/scheduler", "filter", undefined, 3, 200],
  );
  assert.deepEqual([...settings.managedResources], ["example.com/foo", "example.com/bar"]);
  assert.deepEqual([...profiles[0]!.ignoredResources], ["example.com/foo"]);
  assert.deepEqual([tls.serverName, tls.ca], ["extender", { data: "CA" }]);
});

for (const [text, expected] of [
  ["leaderElection: {leaderElect: true}", /^leaderElection: unknown field$/],
  ["profiles: [{schedulerName: a}, {schedulerName: a}]", /^profiles\[1\]\.schedulerName: Duplicate value "a"$/],
  ["profiles: [{plugins: {score: {enabled: [{name: Mine}]}}}]", /there is no plugin "Mine" at score/],
  ["profiles: [{plugins: {reserve: {disabled: [{name: '*'}]}}}]", /plugins\.reserve: unknown field/],
  ["profiles: [{plugins: {multiPoint: {disabled: [{name: VolumeBinding}]}}}]", /"VolumeBinding" cannot be left out/],
  ["profiles: [{pluginConfig: [{name: NodeAffinity, args: {}}]}]", /takes no arguments here/],
  ["profiles: [{plugins: {score: {enabled: [{name: ImageLocality, weight: 1000}]}}}]", /between 0 and 100/],
  ["extenders: [{urlPrefix: 'ftp://x'}]", /must be an http or https URL/],
  [
    "extenders: [{urlPrefix: 'http://a', bindVerb: b}, {urlPrefix: 'http://c', bindVerb: b}]",
    /only one extender can bind/,
  ],
] as const) {
  test(`${text} is refused`, () => assert.match(problem(text), expected));
}
