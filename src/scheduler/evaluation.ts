import type { Cluster, Column } from "./cluster.ts";
import { dislikedTaints, preferenceOf, selectorMatches, untoleratedTaint, untoleratedTaints } from "#api/node-match.ts";
import type { Taint } from "#api/generated/core-v1.ts";
import type { NodeView } from "./node-view.ts";
import { type PodShape, type PodView, portsCollide } from "./pod-view.ts";
import { defaultProfile, type Profile } from "./profile.ts";
import { verdict } from "./verdict.ts";

const mebibyte = 1024 * 1024;
/** Image sizes below the first count for nothing, above the second (for each container) for everything, as upstream. */
const imageBytesMin = 23 * mebibyte;
const imageBytesMax = 1_000 * mebibyte;

interface Wanted {
  readonly amount: number;
  readonly column: Column;
}

/**
 * The judgement of all nodes for one shape of pods, as far as each node alone decides it. Kept between pods of that shape:
 * only nodes that changed are judged again.
 */
export class Evaluation {
  /** One of the shapes for which this holds: all that agree in their node part. */
  readonly shape: PodShape;
  readonly #cluster: Cluster;
  readonly #profile: Profile;
  readonly #wanted: readonly Wanted[];
  readonly #cpu: Column;
  readonly #memory: Column;
  readonly #pods: Column;
  #seen: Uint32Array;
  #seenChange = -1;
  verdicts: Uint8Array;
  /** Resources and images, weighted. */
  scores: Uint16Array;
  /** Sum of the weights of preferred node terms. */
  preferences: Uint32Array;
  /** Number of PreferNoSchedule taints not tolerated. */
  dislikes: Uint8Array;
  /** 1 where the node selector and required node affinity match: what topology spreading counts over. */
  selected: Uint8Array;
  /** 1 where no taint keeps the pod away. */
  tolerated: Uint8Array;

  constructor(shape: PodShape, cluster: Cluster, profile: Profile = defaultProfile) {
    this.shape = shape;
    this.#profile = profile;
    this.#cluster = cluster;
    const judged = [...shape.requests.amounts].filter(([name]) => !profile.ignoredResources.has(name));
    this.#wanted = judged.map(([name, amount]) => ({ amount, column: cluster.column(name) }));
    this.#cpu = cluster.column("cpu");
    this.#memory = cluster.column("memory");
    this.#pods = cluster.column("pods");
    this.#seen = new Uint32Array(0);
    this.verdicts = new Uint8Array(0);
    this.scores = new Uint16Array(0);
    this.preferences = new Uint32Array(0);
    this.dislikes = new Uint8Array(0);
    this.selected = new Uint8Array(0);
    this.tolerated = new Uint8Array(0);
  }

  /** Judges again what changed since the last time. */
  refresh(): void {
    const cluster = this.#cluster;
    if (this.#seen.length < cluster.capacity) this.#resize(cluster.capacity);
    if (this.#seenChange === cluster.change) return;
    this.#seenChange = cluster.change;
    const { versions, slotCount } = cluster;
    for (let slot = 0; slot < slotCount; slot += 1) {
      // Versions start at 0 for a slot that was never touched: such a slot has no node.
      if (this.#seen[slot] === versions[slot]!) continue;
      this.#seen[slot] = versions[slot]!;
      this.#judge(slot);
    }
  }

  #resize(capacity: number): void {
    this.#seen = new Uint32Array(capacity);
    this.#seenChange = -1;
    this.verdicts = new Uint8Array(capacity).fill(verdict.absent);
    this.scores = new Uint16Array(capacity);
    this.preferences = new Uint32Array(capacity);
    this.dislikes = new Uint8Array(capacity);
    this.selected = new Uint8Array(capacity);
    this.tolerated = new Uint8Array(capacity);
  }

  /** The verdict on one node as it is now, without a look at the others. */
  verdictAt(slot: number): number {
    if (this.#seen.length < this.#cluster.capacity) this.#resize(this.#cluster.capacity);
    this.#judge(slot);
    return this.verdicts[slot]!;
  }

  #judge(slot: number): void {
    const node = this.#cluster.nodeAt(slot);
    if (node === undefined) {
      this.verdicts[slot] = verdict.absent;
      this.selected[slot] = 0;
      return;
    }
    const { shape } = this;
    this.selected[slot] = selectorMatches(shape.nodeSelector, shape.requiredNodes, node) ? 1 : 0;
    this.tolerated[slot] = untoleratedTaint(node.taints, shape.tolerations) === undefined ? 1 : 0;
    const code = this.#verdictOf(slot, node);
    this.verdicts[slot] = code;
    if (code !== verdict.fits) return;
    this.preferences[slot] = preferenceOf(shape.preferredNodes, node);
    this.dislikes[slot] = dislikedTaints(node.taints, shape.tolerations);
    this.scores[slot] = this.#resourceScore(slot) + this.#profile.weights.ImageLocality * this.#imageScore(node);
  }

  #verdictOf(slot: number, node: NodeView): number {
    if (this.#isClosed(node)) return verdict.unschedulable;
    if (this.#isTainted(slot)) return verdict.taints;
    if (this.#isUnselected(slot)) return verdict.selector;
    if (this.#lacksPorts(slot)) return verdict.ports;
    return this.#lacksRoom(slot) ? verdict.resources : verdict.fits;
  }

  /** Everything about the node alone that keeps the pod from it, not only the first, in the order of the filters. */
  obstaclesAt(slot: number): number[] {
    const node = this.#cluster.nodeAt(slot);
    if (node === undefined) return [];
    const found: [code: number, isThere: boolean][] = [
      [verdict.unschedulable, this.#isClosed(node)],
      [verdict.taints, this.#isTainted(slot) && this.taintsOf(node).length > 0],
      [verdict.selector, this.#isUnselected(slot)],
      [verdict.ports, this.#lacksPorts(slot)],
      [verdict.resources, this.#lacksRoom(slot)],
    ];
    return found.filter(([, isThere]) => isThere).map(([code]) => code);
  }

  #isClosed(node: NodeView): boolean {
    return this.#profile.filters.NodeUnschedulable && node.unschedulable && !toleratesUnschedulable(this.shape);
  }

  #isTainted(slot: number): boolean {
    return this.#profile.filters.TaintToleration && this.tolerated[slot] === 0;
  }

  /** The taints that keep the pod away, without that of a cordon, which goes with it. */
  taintsOf(node: NodeView): Taint[] {
    const taints = untoleratedTaints(node.taints, this.shape.tolerations);
    return this.#isClosed(node) ? taints.filter(({ key }) => key !== unschedulableTaint.key) : taints;
  }

  #isUnselected(slot: number): boolean {
    return this.#profile.filters.NodeAffinity && this.selected[slot] === 0;
  }

  #lacksPorts(slot: number): boolean {
    return this.#profile.filters.NodePorts && this.shape.hostPorts.length > 0 && this.#portsTaken(slot);
  }

  #lacksRoom(slot: number): boolean {
    return this.#profile.filters.NodeResourcesFit && !this.#roomFor(slot);
  }

  #portsTaken(slot: number): boolean {
    const taken = this.#cluster.portsAt(slot);
    return this.shape.hostPorts.some((port) => taken.some((other) => portsCollide(port, other)));
  }

  #roomFor(slot: number): boolean {
    if (this.#cluster.podCounts[slot]! + 1 > this.#pods.allocatable[slot]!) return false;
    for (const { amount, column } of this.#wanted) {
      if (column.requested[slot]! + amount > column.allocatable[slot]!) return false;
    }
    return true;
  }

  isLargeEnough(slot: number): boolean {
    return this.#wanted.every(({ amount, column }) => amount <= column.allocatable[slot]!);
  }

  /** What is missing on a node, by name, when the pods `ahead` get their room first. */
  shortages(slot: number, ahead: readonly PodView[] = []): [resource: string, missing: number][] {
    const shortages: [string, number][] = [];
    const pods = this.#cluster.podCounts[slot]! + 1 + ahead.length - this.#pods.allocatable[slot]!;
    if (pods > 0) shortages.push(["pods", pods]);
    for (const [name, amount] of this.shape.requests.amounts) {
      if (this.#profile.ignoredResources.has(name)) continue;
      const column = this.#cluster.column(name);
      let missing = column.requested[slot]! + amount - column.allocatable[slot]!;
      for (const other of ahead) missing += other.shape.requests.amounts.get(name) ?? 0;
      if (missing > 0) shortages.push([name, missing]);
    }
    return shortages;
  }

  /** Least allocated and balanced allocation, each 0 to 100: emptier nodes first, and such where CPU and memory go even. */
  #resourceScore(slot: number): number {
    const { scoredCpu, scoredMemory, amounts } = this.shape.requests;
    const cpuMax = this.#cpu.allocatable[slot]!;
    const memoryMax = this.#memory.allocatable[slot]!;
    const { weights, fit } = this.#profile;
    const score = fit === "LeastAllocated" ? freeScore : usedScore;
    const cpuFree = score(this.#cluster.scoredCpu[slot]! + scoredCpu, cpuMax);
    const memoryFree = score(this.#cluster.scoredMemory[slot]! + scoredMemory, memoryMax);
    const resources = (cpuMax > 0 ? 1 : 0) + (memoryMax > 0 ? 1 : 0);
    const least = weights.NodeResourcesFit * (resources === 0 ? 0 : Math.floor((cpuFree + memoryFree) / resources));
    const balanced = weights.NodeResourcesBalancedAllocation;
    if (resources < 2) return least + (resources === 0 ? 0 : balanced * 100);
    const cpuShare = Math.min(1, (this.#cpu.requested[slot]! + (amounts.get("cpu") ?? 0)) / cpuMax);
    const memoryShare = Math.min(1, (this.#memory.requested[slot]! + (amounts.get("memory") ?? 0)) / memoryMax);
    return least + balanced * Math.floor((1 - Math.abs(cpuShare - memoryShare) / 2) * 100);
  }

  /** Nodes that have large images of the pod already are better, less so the fewer nodes have them. */
  #imageScore(node: NodeView): number {
    let bytes = 0;
    for (const image of this.shape.images) {
      const size = node.images.get(image);
      if (size !== undefined)
        bytes += size * (this.#cluster.imageNodeCount(image) / Math.max(1, this.#cluster.nodeCount));
    }
    const bytesMax = imageBytesMax * this.shape.images.length;
    if (bytes <= imageBytesMin || bytesMax <= imageBytesMin) return 0;
    return Math.floor((100 * (Math.min(bytes, bytesMax) - imageBytesMin)) / (bytesMax - imageBytesMin));
  }
}

function freeScore(requested: number, capacity: number): number {
  return capacity <= 0 || requested > capacity ? 0 : Math.floor(((capacity - requested) * 100) / capacity);
}

function usedScore(requested: number, capacity: number): number {
  return capacity <= 0 || requested > capacity ? 0 : Math.floor((requested * 100) / capacity);
}

const unschedulableTaint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

function toleratesUnschedulable(shape: PodShape): boolean {
  return untoleratedTaint([unschedulableTaint], shape.tolerations) === undefined;
}
