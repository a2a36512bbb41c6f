import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, inParallel, type ApiConnection } from "./cluster/connection.ts";
import * as running from "./cluster/running-cluster.ts";
import { report } from "./report.ts";
import { freePort } from "../tests/free-port.ts";

/**
 * What a cluster does with many pods, on simulated nodes, the real API and the durable store. `--only` names stories;
 * `--kubeconfig` puts the same load on any cluster.
 */
const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "/var/tmp" },
    kubeconfig: { type: "string" },
    only: { type: "string", default: "deployment,latency,jobs,stateful,namespace" },
    runs: { type: "string", default: "3" },
    nodes: { type: "string", default: "100" },
    replicas: { type: "string", default: "1000" },
    jobs: { type: "string", default: "10000" },
    members: { type: "string", default: "100" },
    objects: { type: "string", default: "10000" },
    pods: { type: "string", default: "30000" },
    seconds: { type: "string", default: "60" },
    "bare-nodes": { type: "string", default: "5000" },
    "bare-pods": { type: "string", default: "10000" },
  },
});
const runs = Number(flags.runs);
const replicas = Number(flags.replicas);
const apps = "/apis/apps/v1/namespaces/default/deployments";
const podsPath = "/api/v1/namespaces/default/pods";

interface Stage {
  readonly api: ApiConnection;
  readonly dataDir?: string;
}

async function waitFor(what: string, probe: () => Promise<boolean>, limitMs: number, stepMs = 100): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`Waited ${limitMs} ms in vain: ${what}`);
    await sleep(stepMs);
  }
}

async function until<T>(what: string, limitMs: number, start: (done: (value: T) => void) => Promise<void>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error(`Waited ${limitMs} ms in vain: ${what}`)), limitMs);
  try {
    await start(resolve);
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

async function revision({ api }: Stage): Promise<bigint> {
  const { text } = await api.call("GET", "/api/v1/namespaces?limit=1");
  return BigInt((JSON.parse(text) as { metadata: { resourceVersion: string } }).metadata.resourceVersion);
}

async function count({ api }: Stage, path: string): Promise<number> {
  const { text } = await api.call("GET", `${path}${path.includes("?") ? "&" : "?"}limit=1`);
  const { items, metadata } = JSON.parse(text) as { items: unknown[]; metadata: { remainingItemCount?: number } };
  return items.length + (metadata.remainingItemCount ?? 0);
}

function deployment(name: string, image: string, size: number): Record<string, unknown> {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas: size,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: "web", image }], terminationGracePeriodSeconds: 0 },
      },
    },
  };
}

function serverProcessorMs({ dataDir }: Stage): number {
  return dataDir === undefined ? Number.NaN : running.processorMs(running.processOf(dataDir, "server"));
}

interface Run {
  readonly ms: number;
  readonly writes: number;
  readonly processorMs: number;
  readonly servingMs: number;
}

/** Without the thread of the simulated nodes. */
function servingProcessorMs({ dataDir }: Stage): number {
  return dataDir === undefined ? Number.NaN : running.firstThreadMs(running.processOf(dataDir, "server"));
}

/** From the request to the moment the last pod is Running, as a watch of Running pods sees it. */
async function rollOut(stage: Stage): Promise<Run> {
  const from = await revision(stage);
  const names = new Set<string>();
  let watch: { close(): void } | undefined;
  const cpu = serverProcessorMs(stage);
  const serving = servingProcessorMs(stage);
  let start = 0;
  const end = await until<number>("all replicas Running", 120_000, async (done) => {
    watch = await stage.api.watch(
      `${podsPath}?watch=1&fieldSelector=status.phase%3DRunning&resourceVersion=${from}`,
      (line) => {
        if (!line.startsWith('{"type":"ADDED"')) return;
        names.add(/"name":"([^"]+)"/.exec(line)?.[1] ?? "");
        if (names.size === replicas) done(performance.now());
      },
    );
    start = performance.now();
    await stage.api.call("POST", apps, deployment("web", "web:1", replicas));
  });
  watch?.close();
  const processorMs = serverProcessorMs(stage) - cpu;
  const servingMs = servingProcessorMs(stage) - serving;
  return { ms: end - start, writes: Number((await revision(stage)) - from), processorMs, servingMs };
}

async function rollUpdate(stage: Stage): Promise<Run> {
  const from = await revision(stage);
  const cpu = serverProcessorMs(stage);
  const serving = servingProcessorMs(stage);
  const start = performance.now();
  await stage.api.call("PATCH", `${apps}/web`, {
    spec: { template: { spec: { containers: [{ name: "web", image: "web:2" }] } } },
  });
  const isDone = async (): Promise<boolean> => {
    const { text } = await stage.api.call("GET", `${apps}/web`);
    const { status, metadata } = JSON.parse(text) as {
      status: Record<string, number>;
      metadata: { generation: number };
    };
    return (
      status["observedGeneration"] === metadata.generation &&
      status["updatedReplicas"] === replicas &&
      status["availableReplicas"] === replicas &&
      status["replicas"] === replicas
    );
  };
  await waitFor("the rolling update", isDone, 240_000, 50);
  const ms = performance.now() - start;
  const processorMs = serverProcessorMs(stage) - cpu;
  const servingMs = servingProcessorMs(stage) - serving;
  return { ms, writes: Number((await revision(stage)) - from), processorMs, servingMs };
}

async function clear(stage: Stage): Promise<void> {
  await stage.api.call("DELETE", `${apps}/web?propagationPolicy=Background`);
  await waitFor("the pods' end", async () => (await count(stage, podsPath)) === 0, 120_000);
  // Events of the last story are still written.
  await sleep(2_000);
}

const say = (figure: string, value: number, unit: string, target?: number): void =>
  report({ bench: "simulated", figure, value, unit, ...(target === undefined ? {} : { target }) });

async function deploymentStory(stage: Stage): Promise<void> {
  const outs: Awaited<ReturnType<typeof rollOut>>[] = [];
  const updates: Awaited<ReturnType<typeof rollUpdate>>[] = [];
  for (let run = 0; run < runs; run += 1) {
    outs.push(await rollOut(stage));
    await sleep(2_000);
    updates.push(await rollUpdate(stage));
    await clear(stage);
  }
  const name = `Deployment of ${replicas} replicas on ${flags.nodes} nodes`;
  say(`${name} until all Running`, running.medianOf(outs.map(({ ms }) => ms)) / 1_000, "s", 5);
  say(`${name}: best of ${runs}`, Math.min(...outs.map(({ ms }) => ms)) / 1_000, "s", 2);
  say(
    `${name}: writes a pod until all Running, leases and events among them`,
    running.medianOf(outs.map((one) => one.writes)) / replicas,
    "1",
  );
  say(`${name}: processor time of the server`, running.medianOf(outs.map((one) => one.processorMs)) / 1_000, "s");
  say(`${name}: of it the first thread`, running.medianOf(outs.map((one) => one.servingMs)) / 1_000, "s");
  say("rolling update of it", running.medianOf(updates.map(({ ms }) => ms)) / 1_000, "s", 8);
  say(
    "rolling update of it: processor time of the server",
    running.medianOf(updates.map((one) => one.processorMs)) / 1_000,
    "s",
  );
  say(
    "rolling update of it: of it the first thread",
    running.medianOf(updates.map((one) => one.servingMs)) / 1_000,
    "s",
  );
  say("rolling update of it: writes a pod", running.medianOf(updates.map((one) => one.writes)) / replicas, "1", 8);
}

/** GETs one after another while the scheduler places the pods of a Deployment. */
async function latencyStory(stage: Stage): Promise<void> {
  const other = connect(flags.kubeconfig ?? `${stage.dataDir}/kubeconfig`, 1);
  const measure = async (isOver: () => boolean): Promise<number[]> => {
    const times: number[] = [];
    while (!isOver()) {
      const start = performance.now();
      await other.call("GET", "/api/v1/namespaces/default");
      times.push(performance.now() - start);
      await sleep(2);
    }
    return times;
  };
  const quietEnd = performance.now() + 1_500;
  const quiet = await measure(() => performance.now() > quietEnd);
  const busy: number[] = [];
  const worst: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    let isOver = false;
    const times = measure(() => isOver);
    await rollOut(stage);
    isOver = true;
    busy.push(running.percentileOf(await times, 0.99));
    worst.push(Math.max(...(await times)));
    await clear(stage);
  }
  const floor = running.percentileOf(quiet, 0.99);
  report({
    bench: "simulated",
    figure: `p99 of a GET while the scheduler places ${replicas} pods`,
    value: running.medianOf(busy),
    unit: "ms",
    floor,
    target: 15,
  });
  report({
    bench: "simulated",
    figure: "longest GET meanwhile",
    value: running.medianOf(worst),
    unit: "ms",
    floor: Math.max(...quiet),
  });
  other.close();
}

/** A Job's condition in an event's line, whichever of its fields comes first. */
const isComplete = /"type":"Complete"[^}]*"status":"True"|"status":"True"[^}]*"type":"Complete"/;

async function jobsStory(stage: Stage): Promise<void> {
  const jobs = Number(flags.jobs);
  const path = "/apis/batch/v1/namespaces/default/jobs";
  const from = await revision(stage);
  const complete = new Set<string>();
  let watch: { close(): void } | undefined;
  const cpu = serverProcessorMs(stage);
  const serving = servingProcessorMs(stage);
  let start = 0;
  let createdMs = 0;
  const end = await until<number>("all Jobs complete", 600_000, async (done) => {
    watch = await stage.api.watch(`${path}?watch=1&resourceVersion=${from}`, (line) => {
      if (!isComplete.test(line)) return;
      complete.add(/"name":"([^"]+)"/.exec(line)?.[1] ?? "");
      if (complete.size === jobs) done(performance.now());
    });
    start = performance.now();
    const template = {
      metadata: { annotations: { "simulated.steersman.dev/runs-for-ms": "10" } },
      spec: { restartPolicy: "Never", containers: [{ name: "job", image: "job:1", command: ["true"] }] },
    };
    await inParallel(jobs, 64, (index) =>
      stage.api.call("POST", path, {
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { name: `job-${index}` },
        spec: { template },
      }),
    );
    createdMs = performance.now() - start;
  });
  watch?.close();
  say(`${jobs} Jobs of one pod until counted complete`, (end - start) / 1_000, "s", 60);
  say(`${jobs} Jobs: processor time of the server`, (serverProcessorMs(stage) - cpu) / 1_000, "s");
  say(`${jobs} Jobs: of it the first thread`, (servingProcessorMs(stage) - serving) / 1_000, "s");
  say(`${jobs} Jobs: until all are created`, createdMs / 1_000, "s");
  say(`${jobs} Jobs: writes a Job`, Number((await revision(stage)) - from) / jobs, "1");
}

/** 100 pods with names, all at once and one after the other, until the set says that all are ready. */
async function statefulStory(stage: Stage): Promise<void> {
  const size = Number(flags.members);
  const path = "/apis/apps/v1/namespaces/default/statefulsets";
  for (const [policy, target] of [
    ["Parallel", 1],
    ["OrderedReady", 10],
  ] as const) {
    const name = policy.toLowerCase();
    const labels = { app: name };
    const from = await revision(stage);
    const cpu = serverProcessorMs(stage);
    const start = performance.now();
    await stage.api.call("POST", path, {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name },
      spec: {
        replicas: size,
        serviceName: name,
        podManagementPolicy: policy,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { containers: [{ name: "web", image: "web:1" }], terminationGracePeriodSeconds: 0 },
        },
      },
    });
    const isReady = async (): Promise<boolean> => {
      const { text } = await stage.api.call("GET", `${path}/${name}`);
      return (JSON.parse(text) as { status: { readyReplicas?: number } }).status.readyReplicas === size;
    };
    await waitFor(`all ${size} pods of the set ready`, isReady, 240_000, 20);
    const figure = `StatefulSet of ${size}, ${policy}, until all are ready`;
    say(figure, (performance.now() - start) / 1_000, "s", target);
    say(`${figure}: processor time of the server`, (serverProcessorMs(stage) - cpu) / 1_000, "s");
    say(`${figure}: writes a pod`, Number((await revision(stage)) - from) / size, "1");
    await stage.api.call("DELETE", `${path}/${name}?propagationPolicy=Background`);
    await waitFor("the pods' end", async () => (await count(stage, podsPath)) === 0, 120_000);
    await sleep(1_000);
  }
}

async function namespaceStory(stage: Stage): Promise<void> {
  const objects = Number(flags.objects);
  await stage.api.call("POST", "/api/v1/namespaces", { metadata: { name: "full" } });
  const path = "/api/v1/namespaces/full/configmaps";
  await inParallel(objects, 64, (index) =>
    stage.api.call("POST", path, { metadata: { name: `c-${index}` }, data: { a: "b" } }),
  );
  const start = performance.now();
  await stage.api.call("DELETE", "/api/v1/namespaces/full");
  const isGone = async (): Promise<boolean> => (await stage.api.send("GET", "/api/v1/namespaces/full")).status === 404;
  await waitFor("the namespace's end", isGone, 240_000, 50);
  say(`namespace with ${objects} objects deleted`, (performance.now() - start) / 1_000, "s", 10);
}

/**
 * Pods without constraints on many nodes, as in upstream's SchedulingBasic: nodes are objects that no agent stands behind, each
 * pod is created and bound through the API. Wants a cluster of its own, with --nodes 1.
 */
async function schedulingStory(stage: Stage): Promise<void> {
  const nodes = Number(flags["bare-nodes"]);
  const pods = Number(flags["bare-pods"]);
  const amounts = { cpu: "4", memory: "32Gi", pods: "110" };
  // The one node with an agent is kept out: its pods would run, which is not what is measured.
  const { text } = await stage.api.call("GET", "/api/v1/nodes");
  for (const { metadata } of (JSON.parse(text) as { items: { metadata: { name: string } }[] }).items)
    await stage.api.call("PATCH", `/api/v1/nodes/${metadata.name}`, { spec: { unschedulable: true } });
  await inParallel(nodes, 64, (index) =>
    stage.api.call("POST", "/api/v1/nodes", {
      metadata: { name: `bare-${index}`, labels: { "topology.kubernetes.io/zone": `zone-${index % 3}` } },
      spec: {},
      status: { capacity: amounts, allocatable: amounts, conditions: [{ type: "Ready", status: "True" }] },
    }),
  );
  const from = await revision(stage);
  const cpu = serverProcessorMs(stage);
  const serving = servingProcessorMs(stage);
  const container = { name: "pause", image: "pause:1", resources: { requests: { cpu: "100m", memory: "500Mi" } } };
  const bound = new Set<string>();
  let watch: { close(): void } | undefined;
  let start = 0;
  const end = await until<number>("all pods bound", 240_000, async (done) => {
    watch = await stage.api.watch(
      `${podsPath}?watch=1&fieldSelector=spec.nodeName!%3D&resourceVersion=${from}`,
      (line) => {
        if (!line.startsWith('{"type":"ADDED"')) return;
        bound.add(/"name":"(bare-pod-[^"]+)"/.exec(line)?.[1] ?? "");
        if (bound.size === pods) done(performance.now());
      },
    );
    start = performance.now();
    await inParallel(pods, 64, (index) =>
      stage.api.call("POST", podsPath, {
        metadata: { name: `bare-pod-${index}`, labels: { app: "bare" } },
        spec: { terminationGracePeriodSeconds: 0, tolerations: [{ operator: "Exists" }], containers: [container] },
      }),
    );
  });
  watch?.close();
  const name = `SchedulingBasic through the API, ${nodes} nodes, ${pods} pods`;
  say(`${name}: created and bound`, (pods * 1_000) / (end - start), "1/s", 2_000);
  say(`${name}: processor time of the server a pod`, (serverProcessorMs(stage) - cpu) / pods, "ms");
  say(`${name}: of it the first thread`, (servingProcessorMs(stage) - serving) / pods, "ms");
}

/** Nothing changes for a minute: what the server still does. Wants a cluster of its own, with --nodes 1000. */
async function standingStory(stage: Stage): Promise<void> {
  const pods = Number(flags.pods);
  const size = 1_000;
  for (let made = 0; made < pods; made += size) {
    const name = `still-${made / size}`;
    await stage.api.call("POST", apps, deployment(name, "web:1", size));
    const isReady = async (): Promise<boolean> => {
      const { text } = await stage.api.call("GET", `${apps}/${name}`);
      return (JSON.parse(text) as { status: { readyReplicas?: number } }).status.readyReplicas === size;
    };
    await waitFor(`${made + size} pods ready`, isReady, 300_000, 1_000);
  }
  const standMs = Number(flags.seconds) * 1_000;
  await sleep(standMs);
  const before = await revision(stage);
  const leases: bigint[] = [];
  const watch = await stage.api.watch(`/apis/coordination.k8s.io/v1/leases?watch=1&resourceVersion=${before}`, (line) =>
    leases.push(BigInt(/"resourceVersion":"(\d+)"/.exec(line)?.[1] ?? "0")),
  );
  const cpu = serverProcessorMs(stage);
  const serving = servingProcessorMs(stage);
  const start = performance.now();
  await sleep(standMs);
  const elapsedMs = performance.now() - start;
  const used = (serverProcessorMs(stage) - cpu) / elapsedMs;
  const usedServing = (servingProcessorMs(stage) - serving) / elapsedMs;
  const after = await revision(stage);
  // What the watch has still to bring of them.
  await sleep(2_000);
  watch.close();
  const writes = Number(after - before) - leases.filter((at) => at <= after).length;
  const name = `${flags.nodes} nodes, ${pods} pods standing still`;
  say(`${name}: processor of the server's first thread`, usedServing * 100, "%", 5);
  say(`${name}: processor of the server, its simulated nodes among it`, used * 100, "%");
  say(`${name}: writes besides leases in ${flags.seconds} s`, writes, "1", 0);
  if (stage.dataDir !== undefined) {
    say(
      `${name}: memory of the server, its simulated nodes among it`,
      running.proportionalMegabytes(running.processOf(stage.dataDir, "server")),
      "MB",
    );
  }
}

const stories: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  deployment: deploymentStory,
  latency: latencyStory,
  jobs: jobsStory,
  stateful: statefulStory,
  namespace: namespaceStory,
  scheduling: schedulingStory,
  standing: standingStory,
};

async function play(stage: Stage): Promise<void> {
  const nodes = Number(flags.nodes);
  const isReady = async (): Promise<boolean> => {
    const { text } = await stage.api.call("GET", "/api/v1/nodes");
    return (text.match(/"type":"Ready"[^}]*"status":"True"|"status":"True"[^}]*"type":"Ready"/g) ?? []).length >= nodes;
  };
  if (flags.kubeconfig === undefined) await waitFor("the nodes", isReady, 120_000, 500);
  for (const name of flags.only.split(",")) {
    const story = stories[name];
    if (story === undefined) throw new Error(`There is no story "${name}", only ${Object.keys(stories).join(", ")}`);
    say(`load average before ${name}`, Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]), "1");
    await story(stage);
  }
}

if (flags.kubeconfig === undefined) {
  const place = running.newPlace(flags.folder, freePort());
  try {
    const cluster = await running.up(place, "--simulate", flags.nodes);
    await play(cluster);
    cluster.api.close();
  } finally {
    running.remove(place);
  }
} else {
  const api = connect(flags.kubeconfig);
  await play({ api });
  api.close();
}
