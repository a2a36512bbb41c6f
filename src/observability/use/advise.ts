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
  /** The node whose loss would push out most. */
  readonly worstLoss: NodeLoss | undefined;
}

/** By `namespace/pod/container`. */
export type Measured = ReadonlyMap<string, Percentiles>;

/** What each workload asked for, what it used, and what to ask for. Pure. */
export function advise(scene: Scene, measured: Measured, window: string): Advices {
  const groups = Map.groupBy(scene.pods, ({ namespace, workload }) => `${namespace}/${workload}`);
  const workloads = [...groups.values()].flatMap((pods) => adviseWorkload(pods, measured));
  const requested = scene.pods.reduce((sum, pod) => plus(sum, requestOf(pod)), nothing);
  const advised = workloads.reduce((sum, each) => {
    const one = each.advised ?? { ...nothing, ...each.requested };
    return plus(sum, { cpu: one.cpu * each.pods, memory: one.memory * each.pods });
  }, nothing);
  return {
    window,
    workloads: workloads.sort((left, right) => saving(right) - saving(left)),
    nodesNow: nodesFor(requested, scene.nodes),
    nodesAdvised: nodesFor(advised, scene.nodes),
    worstLoss: worstLoss(scene),
  };
}

function adviseWorkload(pods: readonly SeenPod[], measured: Measured): Advice[] {
  const [first] = pods;
  if (first === undefined) return [];
  return first.containers.map(({ name, requests }) => {
    const all = pods.flatMap((pod) => measured.get(`${pod.namespace}/${pod.name}/${name}`) ?? []);
    const used = all.length === 0 ? undefined : all.reduce(larger);
    const advised = used && {
      cpu: roundedCpu(used.most95.cpu * cpuMargin),
      memory: roundedMemory(used.most.memory * memoryMargin),
    };
    const { namespace, workload } = first;
    return { namespace, workload, container: name, pods: pods.length, requested: requests, used, advised };
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

function saving({ requested, advised, pods }: Advice): number {
  return advised === undefined ? -Infinity : ((requested.cpu ?? 0) - advised.cpu) * pods;
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
