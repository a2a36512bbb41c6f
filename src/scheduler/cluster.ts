import type { PodAffinityTerm } from "#api/generated/core-v1.ts";
import { type Namespaces, PodCounter, selectsNamespaces, termSelects } from "./counters.ts";
import { GroupCounters } from "./group-counters.ts";
import { type HeldTerm, HeldTerms } from "./held-terms.ts";
import { limits } from "./limits.ts";
import type { NodeView } from "./node-view.ts";
import type { HostPort, PodShape, PodView } from "./pod-view.ts";
import type { Labels } from "#api/label-match.ts";
import { LabelIndex, SelectorIndex } from "./selector-index.ts";

/** One resource over all nodes, by slot. */
export interface Column {
  allocatable: Float64Array;
  requested: Float64Array;
}

/** Domains of one topology key: a number for each value, by slot; -1 where the node has no such label. */
export interface Topology {
  readonly values: Map<string, number>;
  domains: Int32Array;
}

const firstSlots = 64;

/**
 * What the scheduler knows of nodes and the pods on them, kept up to date change by change. Nodes stand in numbered slots,
 * their numbers in typed arrays. Whoever judges reads it within one turn; it never changes underneath.
 */
export class Cluster {
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #names: string[] = [];
  readonly #nodes: (NodeView | undefined)[] = [];
  readonly #pods: Map<string, PodView>[] = [];
  readonly #placed = new Map<string, { readonly pod: PodView; readonly slot: number }>();
  /** Keys of placed pods by their shape, and the shapes by their labels. */
  readonly #placedOf = new Map<PodShape, Set<string>>();
  readonly #shapes = new LabelIndex<PodShape>();
  readonly #ports: HostPort[][] = [];
  /** Number of placed pods by the claim (`namespace/name`) that they use. */
  readonly #claimUsers = new Map<string, number>();
  /** The same of the pods in each slot. */
  readonly #claimsAt: Map<string, number>[] = [];
  readonly #columns = new Map<string, Column>();
  readonly #topologies = new Map<string, Topology>();
  readonly #counters = new Map<string, PodCounter>();
  readonly #countersOf = new WeakMap<PodShape, { readonly known: number; readonly counters: readonly PodCounter[] }>();
  readonly #groups = new GroupCounters(() => (this.countersDropped += 1));
  readonly #namespaces = new Map<string, Labels>();
  readonly #imageNodes = new Map<string, number>();
  readonly #nominated = new Map<string, { readonly pod: PodView; readonly slot: number }>();
  /** Number of placed pods by priority: few different ones. */
  readonly #priorities = new Map<number, number>();
  readonly #held = new HeldTerms();
  readonly #counterIndex = new SelectorIndex<PodCounter>();
  #namespacesChanged = 0;
  #capacity = firstSlots;
  #countersKnown = 0;
  #nodeCount = 0;
  /** Grows with every change of the slot. */
  versions = new Uint32Array(firstSlots);
  podCounts = new Float64Array(firstSlots);
  scoredCpu = new Float64Array(firstSlots);
  scoredMemory = new Float64Array(firstSlots);
  /** Grows when counters were dropped: whoever kept one must ask for it again. */
  countersDropped = 0;
  /** Grows with every change of anything. */
  change = 0;

  /** Slots in use or free again: indexes below this number are valid. */
  get slotCount(): number {
    return this.#names.length;
  }

  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** Pods that have a node. */
  get podCount(): number {
    return this.#placed.size;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get namespaces(): Namespaces {
    return this.#namespaces;
  }

  slotOf(name: string): number | undefined {
    return this.#slots.get(name);
  }

  /** The node in a slot; undefined when there is none (pods may stand there whose node is gone). */
  nodeAt(slot: number): NodeView | undefined {
    return this.#nodes[slot];
  }

  podsAt(slot: number): Iterable<PodView> {
    return this.#pods[slot]?.values() ?? [];
  }

  portsAt(slot: number): readonly HostPort[] {
    return this.#ports[slot] ?? [];
  }

  pod(key: string): PodView | undefined {
    return this.#placed.get(key)?.pod;
  }

  nodeOf(key: string): string | undefined {
    const placed = this.#placed.get(key);
    return placed === undefined ? undefined : this.#names[placed.slot];
  }

  imageNodeCount(image: string): number {
    return this.#imageNodes.get(image) ?? 0;
  }

  setNode(node: NodeView): void {
    const slot = this.#slotFor(node.name);
    const old = this.#nodes[slot];
    if (old !== undefined && old.fingerprint === node.fingerprint) return;
    this.#nodes[slot] = node;
    if (old === undefined) this.#nodeCount += 1;
    for (const column of this.#columns.values()) column.allocatable[slot] = 0;
    for (const [name, amount] of node.allocatable) this.column(name).allocatable[slot] = amount;
    this.#countImages(old, -1);
    this.#countImages(node, 1);
    for (const [key, topology] of this.#topologies) topology.domains[slot] = domainIn(topology, node.labels[key]);
    this.#touch(slot);
  }

  removeNode(name: string): void {
    const slot = this.#slots.get(name);
    if (slot === undefined || this.#nodes[slot] === undefined) return;
    this.#countImages(this.#nodes[slot], -1);
    this.#nodes[slot] = undefined;
    this.#nodeCount -= 1;
    for (const column of this.#columns.values()) column.allocatable[slot] = 0;
    for (const topology of this.#topologies.values()) topology.domains[slot] = -1;
    this.#touch(slot);
    this.#releaseIfEmpty(name, slot);
  }

  /** Puts a pod on a node, instead of where it was before. The node need not be known yet. */
  placePod(pod: PodView, nodeName: string): void {
    this.removePod(pod.key);
    const slot = this.#slotFor(nodeName);
    this.#placed.set(pod.key, { pod, slot });
    this.#noteShape(pod);
    this.#countClaims(pod, slot, 1);
    this.#pods[slot]!.set(pod.key, pod);
    this.#account(pod, slot, 1);
    if (pod.shape.hostPorts.length > 0) this.#ports[slot] = [...this.#ports[slot]!, ...pod.shape.hostPorts];
  }

  /** Nothing that is counted has changed about a pod. */
  renewPod(pod: PodView): void {
    const placed = this.#placed.get(pod.key);
    if (placed === undefined) return;
    this.#placed.set(pod.key, { pod, slot: placed.slot });
    this.#pods[placed.slot]!.set(pod.key, pod);
  }

  removePod(key: string): void {
    const placed = this.#placed.get(key);
    if (placed === undefined) return;
    const { pod, slot } = placed;
    this.#placed.delete(key);
    this.#forgetShape(pod);
    this.#countClaims(pod, slot, -1);
    this.#pods[slot]!.delete(key);
    this.#account(pod, slot, -1);
    if (pod.shape.hostPorts.length > 0)
      this.#ports[slot] = [...this.podsAt(slot)].flatMap((other) => other.shape.hostPorts);
    this.#releaseIfEmpty(this.#names[slot]!, slot);
  }

  #noteShape({ key, shape }: PodView): void {
    const keys = this.#placedOf.get(shape);
    if (keys !== undefined) return void keys.add(key);
    this.#placedOf.set(shape, new Set([key]));
    this.#shapes.add(shape);
  }

  #forgetShape({ key, shape }: PodView): void {
    const keys = this.#placedOf.get(shape);
    keys?.delete(key);
    if (keys?.size !== 0) return;
    this.#placedOf.delete(shape);
    this.#shapes.remove(shape);
  }

  #countClaims(pod: PodView, slot: number, sign: 1 | -1): void {
    for (const name of pod.claims) {
      const key = `${pod.namespace}/${name}`;
      for (const users of [this.#claimUsers, this.#claimsAt[slot]!]) {
        const count = (users.get(key) ?? 0) + sign;
        if (count === 0) users.delete(key);
        else users.set(key, count);
      }
    }
  }

  /** Whether a placed pod uses a claim (`namespace/name`). */
  usesClaim(claim: string): boolean {
    return this.#claimUsers.has(claim);
  }

  /** Claims (`namespace/name`) that pods in a slot use. */
  claimsAt(slot: number): Iterable<string> {
    return this.#claimsAt[slot]?.keys() ?? [];
  }

  /** The lowest priority of any placed pod; Infinity when there is none. */
  get lowestPriority(): number {
    return Math.min(...this.#priorities.keys());
  }

  #account(pod: PodView, slot: number, sign: 1 | -1): void {
    const ofPriority = (this.#priorities.get(pod.priority) ?? 0) + sign;
    if (ofPriority === 0) this.#priorities.delete(pod.priority);
    else this.#priorities.set(pod.priority, ofPriority);
    const { amounts, scoredCpu, scoredMemory } = pod.shape.requests;
    for (const [name, amount] of amounts) this.column(name).requested[slot]! += sign * amount;
    this.podCounts[slot]! += sign;
    this.scoredCpu[slot]! += sign * scoredCpu;
    this.scoredMemory[slot]! += sign * scoredMemory;
    for (const counter of this.#countersFor(pod.shape)) counter.add(pod, slot, sign);
    this.#held.count(pod.shape, slot, sign);
    if (sign > 0) this.#groups.placed(pod, slot);
    else this.#groups.removed(pod, slot);
    this.#touch(slot);
  }

  #countersFor(shape: PodShape): readonly PodCounter[] {
    const cached = this.#countersOf.get(shape);
    if (cached !== undefined && cached.known === this.#countersKnown) return cached.counters;
    const counters = this.#counterIndex.mayMatch(shape.labels).filter(({ counted }) => counted.amountOf(shape) !== 0);
    this.#countersOf.set(shape, { known: this.#countersKnown, counters });
    return counters;
  }

  /** A pod waits for room on this node: pods of lower priority must not take it. */
  nominate(pod: PodView, nodeName: string): void {
    this.forgetNomination(pod.key);
    const slot = this.#slots.get(nodeName);
    if (slot === undefined) return;
    this.#nominated.set(pod.key, { pod, slot });
    this.#touch(slot);
  }

  /** Answers the node where room was kept; undefined where none was. */
  forgetNomination(key: string): string | undefined {
    const nominated = this.#nominated.get(key);
    if (nominated === undefined) return undefined;
    this.#nominated.delete(key);
    this.#touch(nominated.slot);
    return this.#names[nominated.slot];
  }

  /** Pods of at least the same priority that wait for room on the node in this slot: they come before `pod`. */
  aheadOf(pod: PodView, slot: number): PodView[] {
    const ahead: PodView[] = [];
    for (const { pod: other, slot: at } of this.#nominated.values()) {
      if (at === slot && other.key !== pod.key && other.priority >= pod.priority) ahead.push(other);
    }
    return ahead;
  }

  get nominations(): number {
    return this.#nominated.size;
  }

  nominatedSlots(): ReadonlySet<number> {
    return new Set(Array.from(this.#nominated.values(), (nominated) => nominated.slot));
  }

  /** Labels of a namespace; undefined when it is gone. Terms that select namespaces are counted anew. */
  setNamespace(name: string, labels: Labels | undefined): void {
    const old = this.#namespaces.get(name);
    if (old !== undefined && labels !== undefined && JSON.stringify(old) === JSON.stringify(labels)) return;
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
    this.#countersKnown += 1;
    this.#namespacesChanged += 1;
    for (const counter of this.#counters.values()) if (counter.counted.selectsNamespaces === true) this.#count(counter);
    this.change += 1;
  }

  column(resource: string): Column {
    let column = this.#columns.get(resource);
    if (column === undefined) {
      column = { allocatable: new Float64Array(this.#capacity), requested: new Float64Array(this.#capacity) };
      this.#columns.set(resource, column);
    }
    return column;
  }

  topology(key: string): Topology {
    let topology = this.#topologies.get(key);
    if (topology === undefined) {
      topology = { values: new Map(), domains: new Int32Array(this.#capacity).fill(-1) };
      this.#topologies.set(key, topology);
      for (const [slot, node] of this.#nodes.entries()) topology.domains[slot] = domainIn(topology, node?.labels[key]);
    }
    return topology;
  }

  /** Terms that placed pods hold and that may speak of pods with these labels. */
  heldTerms(labels: Labels): readonly HeldTerm[] {
    return this.#held.mayConcern(labels);
  }

  /** Grows when a term is held that was not before or no longer, or when namespaces change. */
  get heldKnown(): number {
    return this.#held.known + this.#namespacesChanged;
  }

  /** Pods that a term selects, when a pod in `namespace` holds it. */
  selected(term: PodAffinityTerm, namespace: string): PodCounter {
    return this.counter(`selected ${namespace} ${JSON.stringify(term)}`, {
      selector: term.labelSelector,
      selectsNamespaces: selectsNamespaces(term),
      skipsDeleting: false,
      amountOf: (shape) => (termSelects(term, namespace, shape, this.#namespaces) ? 1 : 0),
    });
  }

  /** The counter of this id, made and counted when it is new. */
  counter(id: string, counted: PodCounter["counted"]): PodCounter {
    let counter = this.#counters.get(id);
    if (counter !== undefined) return counter;
    if (this.#counters.size >= limits.countersMax) this.#dropCounters();
    counter = new PodCounter(this.#capacity, counted);
    this.#counters.set(id, counter);
    this.#counterIndex.add(counted.selector, counter);
    this.#countersKnown += 1;
    this.#count(counter);
    return counter;
  }

  /** That of a controller's pods. */
  groupCounter(group: string): PodCounter {
    return this.#groups.of(group, this.#capacity);
  }

  /** Whoever used them must ask again: `countersDropped` tells. */
  #dropCounters(): void {
    for (const counter of this.#counters.values()) this.#counterIndex.remove(counter.counted.selector, counter);
    this.#counters.clear();
    this.#countersKnown += 1;
    this.countersDropped += 1;
  }

  #count(counter: PodCounter): void {
    counter.bySlot.fill(0);
    counter.total = 0;
    for (const shape of this.#shapes.mayMatch(counter.counted.selector)) {
      if (counter.counted.amountOf(shape) === 0) continue;
      for (const key of this.#placedOf.get(shape) ?? []) {
        const { pod, slot } = this.#placed.get(key)!;
        counter.add(pod, slot, 1);
      }
    }
  }

  #touch(slot: number): void {
    this.versions[slot]! += 1;
    this.change += 1;
  }

  #countImages(node: NodeView | undefined, sign: 1 | -1): void {
    for (const image of node?.images.keys() ?? []) {
      const count = (this.#imageNodes.get(image) ?? 0) + sign;
      if (count === 0) this.#imageNodes.delete(image);
      else this.#imageNodes.set(image, count);
    }
  }

  #slotFor(name: string): number {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? this.#names.length;
    if (slot >= this.#capacity) this.#grow();
    this.#slots.set(name, slot);
    this.#names[slot] = name;
    this.#nodes[slot] = undefined;
    this.#pods[slot] = new Map();
    this.#ports[slot] = [];
    this.#claimsAt[slot] = new Map();
    return slot;
  }

  #releaseIfEmpty(name: string, slot: number): void {
    if (this.#nodes[slot] !== undefined || this.#pods[slot]!.size > 0) return;
    for (const { pod, slot: at } of this.#nominated.values()) if (at === slot) this.#nominated.delete(pod.key);
    this.#slots.delete(name);
    this.#free.push(slot);
  }

  #grow(): void {
    this.#capacity *= 2;
    const grow = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(this.#capacity);
      grown.set(from);
      return grown;
    };
    for (const column of this.#columns.values()) {
      column.allocatable = grow(column.allocatable);
      column.requested = grow(column.requested);
    }
    for (const counter of this.#counters.values()) counter.bySlot = grow(counter.bySlot);
    for (const counter of this.#groups.all()) counter.bySlot = grow(counter.bySlot);
    for (const topology of this.#topologies.values()) {
      const domains = new Int32Array(this.#capacity).fill(-1);
      domains.set(topology.domains);
      topology.domains = domains;
    }
    const versions = new Uint32Array(this.#capacity);
    versions.set(this.versions);
    this.versions = versions;
    this.podCounts = grow(this.podCounts);
    this.scoredCpu = grow(this.scoredCpu);
    this.scoredMemory = grow(this.scoredMemory);
  }
}

function domainIn(topology: Topology, value: string | undefined): number {
  if (value === undefined) return -1;
  let domain = topology.values.get(value);
  if (domain === undefined) {
    domain = topology.values.size;
    topology.values.set(value, domain);
  }
  return domain;
}
