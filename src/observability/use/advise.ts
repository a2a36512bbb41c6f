import { nothing, plus, requestOf, type Amount, type Scene, type SeenNode, type SeenPod } from "./scene.ts";

/** What is asked for beyond what was used: of the busiest twentieth for CPU, of the most for memory. */
const cpuMargin = 1.15;
const memoryMargin = 1.2;
const cpuLeast = 0.01;
const memoryLeast = 16 * 1024 ** 2;
const mebi = 1024 ** 2;

/** Use over the history: the half, the busiest twentieth, the most. */
export interface Percentiles {
  readonly half: Amount;
  readonly most95: Amount;
  readonly most: Amount;
}

/** Advice for one container of a workload. */
export interface Advice {
  readonly namespace: string;
  readonly workload: string;
  readonly container: string;
  readonly pods: number;
  readonly requested: Partial<Amount>;
  /** Of the pod that used most. Undefined: nothing was measured. */
  readonly used: Percentiles | undefined;
  readonly advised: Amount | undefined;
  /** Nodes of the present mean size that all its pods' requests fill less as advised; below zero: more. */
  readonly nodesSaved: number | undefined;
}

export interface NodeLoss {
  readonly node: string;
  /** Pods that would find no place: `namespace/name`. */
  readonly homeless: readonly string[];
}

export interface Advices {
  readonly window: string;
  readonly workloads: readonly Advice[];
  /** Nodes of the present mean size that the requests fill, now and as advised. */
  readonly nodesNow: number;
  readonly nodesAdvised: number;
  readonly nodesSaved: number;
  /** The node whose loss would push out most. */
  readonly worstLoss: NodeLoss | undefined;
}

/** By `namespace/pod/container`. */
export type Measured = ReadonlyMap<string, Percentiles>;

/** What to look at beside what is there. */
export interface Past {
  readonly measured: Measured;
  /** Workloads (`deployment/web`) by `namespace/pod`, also of pods that are gone. */
  readonly workloads: ReadonlyMap<string, string>;
}

/** What each workload asked for, what it used, and what to ask for. Pure. */
export function advise(scene: Scene, past: Past, window: string): Advices {
  const groups = Map.groupBy(scene.pods, ({ namespace, workload }) => `${namespace}/${workload}`);
  const former = usedByFormer(scene, past);
  const whole = scene.nodes.reduce((sum, { allocatable }) => plus(sum, allocatable), nothing);
  const size = { cpu: whole.cpu / scene.nodes.length, memory: whole.memory / scene.nodes.length };
  const workloads = [...groups.values()].flatMap((pods) => adviseWorkload(pods, past.measured, former, size));
  const requested = scene.pods.reduce((sum, pod) => plus(sum, requestOf(pod)), nothing);
  const advised = workloads.reduce((sum, each) => {
    const one = each.advised ?? { ...nothing, ...each.requested };
    return plus(sum, { cpu: one.cpu * each.pods, memory: one.memory * each.pods });
  }, nothing);
  const [nodesNow, nodesAdvised] = [nodesFor(requested, scene.nodes), nodesFor(advised, scene.nodes)];
  return {
    window,
    workloads: workloads.sort((left, right) => (right.nodesSaved ?? -Infinity) - (left.nodesSaved ?? -Infinity)),
    nodesNow,
    nodesAdvised,
    nodesSaved: nodesNow - nodesAdvised,
    worstLoss: worstLoss(scene),
  };
}

/** What pods used that are gone: a workload that was rolled or sized a moment ago has used something before. By container of a workload. */
function usedByFormer({ pods }: Scene, { measured, workloads }: Past): Measured {
  const present = new Set(pods.map(({ namespace, name }) => `${namespace}/${name}`));
  const former = new Map<string, Percentiles>();
  for (const [key, used] of measured) {
    const [namespace = "", pod = "", container = ""] = key.split("/");
    const workload = present.has(`${namespace}/${pod}`) ? undefined : workloads.get(`${namespace}/${pod}`);
    if (workload === undefined) continue;
    const id = `${namespace}/${workload}/${container}`;
    const known = former.get(id);
    former.set(id, known === undefined ? used : larger(known, used));
  }
  return former;
}

function adviseWorkload(pods: readonly SeenPod[], measured: Measured, former: Measured, size: Amount): Advice[] {
  const [first] = pods;
  if (first === undefined) return [];
  return first.containers.map(({ name, requests }) => {
    const { namespace, workload } = first;
    const present = pods.map((pod) => measured.get(`${pod.namespace}/${pod.name}/${name}`));
    const all = [...present, former.get(`${namespace}/${workload}/${name}`)].filter((used) => used !== undefined);
    const used = all.length === 0 ? undefined : all.reduce(larger);
    const advised = used && {
      cpu: roundedCpu(used.most95.cpu * cpuMargin),
      memory: roundedMemory(used.most.memory * memoryMargin),
    };
    const nodesSaved = advised && (nodePart({ ...nothing, ...requests }, size) - nodePart(advised, size)) * pods.length;
    return { namespace, workload, container: name, pods: pods.length, requested: requests, used, advised, nodesSaved };
  });
}

function larger(left: Percentiles, right: Percentiles): Percentiles {
  const most = (a: Amount, b: Amount): Amount => ({
    cpu: Math.max(a.cpu, b.cpu),
    memory: Math.max(a.memory, b.memory),
  });
  return {
    half: most(left.half, right.half),
    most95: most(left.most95, right.most95),
    most: most(left.most, right.most),
  };
}

function roundedCpu(cores: number): number {
  return Math.max(cpuLeast, Math.ceil(Math.round(cores * 1e6) / 1e4) / 100);
}

function roundedMemory(bytes: number): number {
  return Math.max(memoryLeast, Math.ceil(bytes / mebi) * mebi);
}

/** The part of a node that an amount fills: of what it fills most of. */
function nodePart({ cpu, memory }: Amount, size: Amount): number {
  return size.cpu > 0 && size.memory > 0 ? Math.max(cpu / size.cpu, memory / size.memory) : 0;
}

function nodesFor(amount: Amount, nodes: readonly SeenNode[]): number {
  const whole = nodes.reduce((sum, { allocatable }) => plus(sum, allocatable), nothing);
  if (nodes.length === 0 || whole.cpu === 0 || whole.memory === 0) return 0;
  const share = Math.max(amount.cpu / whole.cpu, amount.memory / whole.memory);
  return Math.ceil(Math.round(share * nodes.length * 1e6) / 1e6);
}

/** Tries the loss of each node: its pods go, the important ones first, where their requests fit. */
export function worstLoss({ nodes, pods }: Scene): NodeLoss | undefined {
  let worst: NodeLoss | undefined;
  for (const lost of nodes) {
    const homeless = homelessAfter(lost.name, nodes, pods);
    if (worst === undefined || homeless.length > worst.homeless.length) worst = { node: lost.name, homeless };
  }
  return worst;
}

function homelessAfter(lost: string, nodes: readonly SeenNode[], pods: readonly SeenPod[]): string[] {
  const free = nodes
    .filter(({ name }) => name !== lost)
    .map(({ name, allocatable }) => {
      const taken = pods.filter(({ node }) => node === name).reduce((sum, pod) => plus(sum, requestOf(pod)), nothing);
      return { cpu: allocatable.cpu - taken.cpu, memory: allocatable.memory - taken.memory };
    });
  const moving = pods.filter(({ node, isDaemon }) => node === lost && !isDaemon);
  const homeless: string[] = [];
  for (const pod of moving.sort((left, right) => right.priority - left.priority)) {
    const asked = requestOf(pod);
    const place = free.find(({ cpu, memory }) => cpu >= asked.cpu && memory >= asked.memory);
    if (place === undefined) homeless.push(`${pod.namespace}/${pod.name}`);
    else Object.assign(place, { cpu: place.cpu - asked.cpu, memory: place.memory - asked.memory });
  }
  return homeless;
}
