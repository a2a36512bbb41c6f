import type { AllocationResult, DeviceClassSpec } from "#api/generated/resource-v1.ts";
import type { Informer } from "#reconcile/informer.ts";
import type { Cluster } from "../cluster.ts";
import { termMatches } from "#api/node-match.ts";
import type { NodeView } from "../node-view.ts";
import type { Obstacle } from "../explain.ts";
import type { DeviceClaimUse, PodView } from "../pod-view.ts";
import { verdict } from "../verdict.ts";
import { allocate, type Allocated, selectorsFor } from "./allocation.ts";
import { deviceLimits } from "./limits.ts";
import { deviceId, PoolIndex } from "./pools.ts";
import { type IsOver, judge, type Steps } from "./selector.ts";
import type { DeviceClaimView, SliceView } from "./views.ts";

/** A claim with what it is to be given; undefined: it has its devices, and the pod is only to be named as a user of it. */
export interface Assignment {
  readonly claim: DeviceClaimView;
  readonly allocation: AllocationResult | undefined;
}

/** What was decided for a pod. Kept until the claims are seen as they were written. */
interface Assumed {
  readonly assignments: readonly Assignment[];
  isWriting: boolean;
  /** The pod has its node, or is gone, or was refused. */
  isOver: boolean;
  /** Revision of the write by the claim's key. */
  readonly written: Map<string, number>;
}

/**
 * What the resource claims of pods allow, and which devices are given away: those that claims say, and those of pods whose node is
 * chosen and whose claims are not written yet.
 */
export class Devices {
  readonly #claims: Informer<DeviceClaimView>;
  readonly #slices: Informer<SliceView>;
  readonly #classes: Informer<DeviceClassSpec>;
  /** How many claims hold a device, by its id: more than one only where the server's users wrote it so. */
  readonly #taken = new Map<string, number>();
  /** By the uid of the pod. */
  readonly #assumed = new Map<string, Assumed>();
  #pools: PoolIndex | undefined;
  /** Lists of selectors, as JSON, by which all devices that are there now were judged. */
  #judged = new Set<string>();

  constructor(claims: Informer<DeviceClaimView>, slices: Informer<SliceView>, classes: Informer<DeviceClassSpec>) {
    this.#claims = claims;
    this.#slices = slices;
    this.#classes = classes;
  }

  /** Follows claims and slices; `changed` is called after each change of anything that matters here. */
  subscribe(changed: () => void): { close(): void }[] {
    return [
      this.#claims.handle((_key, old, claim) => {
        this.#count(old?.allocation, -1);
        this.#count(claim?.allocation, 1);
        for (const uid of this.#assumed.keys()) this.#dropWhenSeen(uid);
        changed();
      }),
      this.#slices.handle(() => {
        this.#pools = undefined;
        this.#judged = new Set();
        changed();
      }),
      this.#classes.handle(changed),
    ];
  }

  synced(): Promise<void>[] {
    return [this.#claims.synced(), this.#slices.synced(), this.#classes.synced()];
  }

  /** Why no node at all will do before something about the pod's claims changes; undefined when nodes decide. */
  obstacle(pod: PodView): Obstacle | undefined {
    for (const use of pod.deviceClaims) {
      const found = this.#obstacleOf(pod, use);
      if (found !== undefined) return { message: found[0], change: found[1] };
    }
    const first = this.#waiting(pod)[0];
    return first === undefined ? undefined : this.#brokenClass(first);
  }

  #obstacleOf(
    pod: PodView,
    { podClaim, claimName }: DeviceClaimUse,
  ): readonly [message: string, change: string] | undefined {
    if (claimName === undefined) {
      const change = `the resource claim of ${podClaim}, which is to be made for the pod`;
      return [`waiting for the resource claim of "${podClaim}" to be created from its template`, change];
    }
    const claim = this.#claimNamed(pod, claimName);
    const what = `resourceclaim "${claimName}"`;
    if (claim === undefined) return [`${what} not found`, `a resourceclaim named ${claimName}`];
    if (claim.deleting) return [`${what} is being deleted`, `a new resourceclaim ${claimName} once this one is gone`];
    if (claim.ownerUid !== undefined && claim.ownerUid !== pod.uid) {
      const change = `the end of the resourceclaim ${claimName}, which belongs to another pod`;
      return [`${what} was not created for pod ${pod.key} (pod is not owner)`, change];
    }
    const isMine = claim.reservedFor.some(({ uid }) => uid === pod.uid);
    if (!isMine && claim.reservedFor.length >= deviceLimits.consumersMax) {
      const users = claim.reservedFor.length;
      return [`${what} is in use by ${users} pods, and no more may use it`, `one user of ${claimName} fewer`];
    }
    if (claim.allocation === undefined && this.#isBeingAllocated(claim.uid))
      return [`${what} is being allocated for another pod`, `the devices of ${claimName}, which come soon`];
    return undefined;
  }

  /** Judges all devices by what the pod's claims ask for, in turns: to be done before a node is looked for. */
  *judge(pod: PodView, isOver: IsOver): Steps<void> {
    const wanted = this.#waiting(pod).flatMap((claim) => selectorsFor(claim, (name) => this.#classes.get(name)));
    if (this.#judged.size >= deviceLimits.programsMax) this.#judged.clear();
    for (const selectors of wanted) {
      // Of the slices at this time: when one changes meanwhile, this counts for nothing.
      const judged = this.#judged;
      const key = JSON.stringify(selectors);
      if (selectors.length === 0 || judged.has(key)) continue;
      for (const { driver, devices } of this.#slices.list()) {
        for (const device of devices) {
          if (isOver()) yield;
          yield* judge(selectors, driver, device, isOver);
        }
      }
      judged.add(key);
    }
  }

  /** Takes out the nodes that cannot give what the pod's claims ask for, and those from which their devices cannot be reached. */
  filter(pod: PodView, cluster: Cluster, verdicts: Uint8Array): void {
    const placed = this.#claimsOf(pod).filter(({ allocation }) => allocation !== undefined);
    const waiting = this.#waiting(pod);
    const promised = this.#promised();
    for (let slot = 0; slot < cluster.slotCount; slot += 1) {
      const node = verdicts[slot] === verdict.fits ? cluster.nodeAt(slot) : undefined;
      if (node === undefined) continue;
      if (!placed.every((claim) => isReachable(claim, node))) verdicts[slot] = verdict.deviceNode;
      else if (waiting.length > 0 && this.#allocate(waiting, node, promised).kind !== "allocated")
        verdicts[slot] = verdict.devices;
    }
  }

  /** The first thing that is wrong with what a pod asks for, seen from any node; undefined when nothing is. */
  problem(pod: PodView, cluster: Cluster): Obstacle | undefined {
    const waiting = this.#waiting(pod);
    const promised = this.#promised();
    for (let slot = 0; waiting.length > 0 && slot < cluster.slotCount; slot += 1) {
      const node = cluster.nodeAt(slot);
      const answer = node === undefined ? undefined : this.#allocate(waiting, node, promised);
      if (answer?.kind === "broken")
        return { message: answer.message, change: "resource claims, classes and pools of devices without this fault" };
    }
    return undefined;
  }

  /** Gives the pod its devices on a node, in memory; false when there are none any more. */
  assume(pod: PodView, node: NodeView): boolean {
    const waiting = this.#waiting(pod);
    const answer = this.#allocate(waiting, node);
    if (answer.kind !== "allocated") return false;
    const given = waiting.map((claim, index) => ({ claim, allocation: answer.results[index] }));
    const shared = this.#claimsOf(pod).filter(({ allocation }) => allocation !== undefined);
    const assignments = [...given, ...shared.map((claim) => ({ claim, allocation: undefined }))];
    this.#assumed.set(pod.uid, { assignments, isWriting: false, isOver: false, written: new Map() });
    return true;
  }

  /** What is to be written for a pod; the caller says with `written` and `writingEnded` how it went. */
  beginWriting(pod: PodView): readonly Assignment[] {
    const assumed = this.#assumed.get(pod.uid);
    if (assumed !== undefined) assumed.isWriting = true;
    return assumed?.assignments ?? [];
  }

  written(pod: PodView, claim: DeviceClaimView, revision: number): void {
    this.#assumed.get(pod.uid)?.written.set(`${claim.namespace}/${claim.name}`, revision);
  }

  writingEnded(pod: PodView): void {
    const assumed = this.#assumed.get(pod.uid);
    if (assumed === undefined) return;
    assumed.isWriting = false;
    this.#dropWhenSeen(pod.uid);
  }

  /** The pod is bound, gone or refused: what its claims say counts, once what was written into them is seen. */
  forget(uid: string): void {
    const assumed = this.#assumed.get(uid);
    if (assumed === undefined) return;
    assumed.isOver = true;
    this.#dropWhenSeen(uid);
  }

  /** A claim of the pod that binds it to nodes on which it cannot run, and that nobody else uses. */
  releasable(pod: PodView): DeviceClaimView | undefined {
    return this.#claimsOf(pod).find(
      ({ allocation, reservedFor }) => allocation !== undefined && reservedFor.every(({ uid }) => uid === pod.uid),
    );
  }

  #dropWhenSeen(uid: string): void {
    const assumed = this.#assumed.get(uid);
    if (assumed === undefined || !assumed.isOver || assumed.isWriting) return;
    for (const [key, revision] of assumed.written) {
      const claim = this.#claims.get(key);
      if (claim !== undefined && Number(claim.resourceVersion) < revision) return;
    }
    this.#assumed.delete(uid);
  }

  #count(allocation: AllocationResult | undefined, by: 1 | -1): void {
    for (const { driver, pool, device, adminAccess } of allocation?.devices.results ?? []) {
      if (adminAccess === true) continue;
      const id = deviceId(driver, pool, device);
      const count = (this.#taken.get(id) ?? 0) + by;
      if (count > 0) this.#taken.set(id, count);
      else this.#taken.delete(id);
    }
  }

  #claimNamed(pod: PodView, name: string): DeviceClaimView | undefined {
    return this.#claims.get(`${pod.namespace}/${name}`);
  }

  #claimsOf(pod: PodView): DeviceClaimView[] {
    const names = new Set(pod.deviceClaims.map(({ claimName }) => claimName));
    return [...names].flatMap((name) => (name === undefined ? [] : (this.#claimNamed(pod, name) ?? [])));
  }

  #waiting(pod: PodView): DeviceClaimView[] {
    return this.#claimsOf(pod).filter(({ allocation }) => allocation === undefined);
  }

  #isBeingAllocated(uid: string): boolean {
    for (const { assignments } of this.#assumed.values())
      if (assignments.some(({ claim, allocation }) => claim.uid === uid && allocation !== undefined)) return true;
    return false;
  }

  #brokenClass({ devices }: DeviceClaimView): Obstacle | undefined {
    for (const { name, exactly } of devices.requests ?? []) {
      if (exactly !== undefined && this.#classes.get(exactly.deviceClassName) === undefined)
        return {
          message: `request ${name}: device class ${exactly.deviceClassName} does not exist`,
          change: `a deviceclass named ${exactly.deviceClassName}`,
        };
    }
    return undefined;
  }

  /** Devices of pods whose claims are not seen as they were written. */
  #promised(): ReadonlySet<string> {
    const promised = new Set<string>();
    for (const { assignments } of this.#assumed.values()) {
      for (const { allocation } of assignments) {
        for (const { driver, pool, device, adminAccess } of allocation?.devices.results ?? [])
          if (adminAccess !== true) promised.add(deviceId(driver, pool, device));
      }
    }
    return promised;
  }

  #allocate(claims: readonly DeviceClaimView[], node: NodeView, promised = this.#promised()): Allocated {
    this.#pools ??= new PoolIndex(this.#slices.list());
    return allocate({
      claims,
      node,
      pools: this.#pools.for(node),
      classNamed: (name) => this.#classes.get(name),
      isTaken: (id) => this.#taken.has(id) || promised.has(id),
    });
  }
}

function isReachable({ allocation }: DeviceClaimView, node: NodeView): boolean {
  const terms = allocation?.nodeSelector?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => termMatches(term, node));
}
