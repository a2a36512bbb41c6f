import type { AllocationResult, DeviceClassSpec } from "#api/generated/resource-v1.ts";
import type { Informer } from "#reconcile/informer.ts";
import { termMatches } from "#api/node-match.ts";
import type { NodeView } from "../node-view.ts";
import type { Obstacle } from "../explain.ts";
import type { DeviceClaimUse, PodView } from "../pod-view.ts";
import { verdict } from "../verdict.ts";
import type { IsOver, Steps } from "../line.ts";
import { allocate, type Allocated, type Tries, type Wishes, wishesOf } from "./allocation.ts";
import { Judgements } from "./judgements.ts";
import { deviceLimits } from "./limits.ts";
import { deviceId, PoolIndex } from "./pools.ts";
import type { DeviceClaimView, SliceView } from "./views.ts";

/** A claim with what it is to be given; undefined: it has its devices, and the pod is only to be named as a user of it. */
export interface Assignment {
  readonly claim: DeviceClaimView;
  readonly allocation: AllocationResult | undefined;
}

/** What a search for a pod's devices found. */
export interface Found {
  readonly wishes: Wishes;
  /** Verdicts on the nodes that cannot give what is asked for. */
  readonly refused: ReadonlyMap<string, number>;
  /** Something that is wrong with what is asked for, as far as some node showed it. */
  readonly problem: Obstacle | undefined;
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
  /** How often a device is given away, by its id: by claims, and by what was decided for pods until it is seen in their claims. */
  readonly #taken = new Map<string, number>();
  readonly #judgements = new Judgements();
  /** By the uid of the pod. */
  readonly #assumed = new Map<string, Assumed>();
  #pools: PoolIndex | undefined;

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
        this.#judgements.changed();
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

  /** What the pod's claims ask for and have not got, all devices judged by it, in turns; why nobody can give it otherwise. */
  *wishes(pod: PodView, isOver: IsOver): Steps<Wishes | Obstacle> {
    const slices = this.#slices.list();
    const wishes = yield* wishesOf(
      this.#waiting(pod),
      (name) => this.#classes.get(name),
      (selectors) => this.#judgements.by(selectors, slices, isOver),
    );
    return typeof wishes === "string" ? broken(wishes) : wishes;
  }

  /** Which of the nodes cannot give what is asked for, in turns. When nodes or devices change meanwhile, events tell. */
  *search(pod: PodView, wishes: Wishes, nodes: Iterable<NodeView>, isOver: IsOver): Steps<Found> {
    const refused = new Map<string, number>();
    let problem: string | undefined;
    for (const node of nodes) {
      if (isOver()) yield;
      const answer = this.#allocate(wishes, node);
      if (answer.kind === "broken") problem ??= answer.message;
      if (!this.#reaches(pod, node)) refused.set(node.name, verdict.deviceNode);
      else if (answer.kind !== "allocated") refused.set(node.name, verdict.devices);
    }
    return { wishes, refused, problem: problem === undefined ? undefined : broken(problem) };
  }

  /** Whether a node can give what a pod asks for now. `tries`: devices that may be tried for it. */
  canGive(pod: PodView, wishes: Wishes, node: NodeView, tries: Tries): boolean {
    return this.#reaches(pod, node) && this.#allocate(wishes, node, tries).kind === "allocated";
  }

  /** Gives the pod its devices on a node, in memory; false when there are none any more. */
  assume(pod: PodView, wishes: Wishes, node: NodeView): boolean {
    const answer = this.#allocate(wishes, node);
    if (answer.kind !== "allocated") return false;
    const given = wishes.claims.map((claim, index) => ({ claim, allocation: answer.results[index] }));
    const shared = this.#claimsOf(pod).filter(({ allocation }) => allocation !== undefined);
    const assignments = [...given, ...shared.map((claim) => ({ claim, allocation: undefined }))];
    for (const { allocation } of assignments) this.#count(allocation, 1);
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
    for (const { allocation } of assumed.assignments) this.#count(allocation, -1);
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

  /** Whether the devices that the pod's claims have can be reached from a node. */
  #reaches(pod: PodView, node: NodeView): boolean {
    return this.#claimsOf(pod).every((claim) => isReachable(claim, node));
  }

  #allocate(wishes: Wishes, node: NodeView, tries: Tries = { left: deviceLimits.triesMax }): Allocated {
    this.#pools ??= new PoolIndex(this.#slices.list());
    return allocate(wishes, { pools: this.#pools.for(node), isTaken: (id) => this.#taken.has(id), tries });
  }
}

function broken(message: string): Obstacle {
  return { message, change: "resource claims, classes and pools of devices without this fault" };
}

function isReachable({ allocation }: DeviceClaimView, node: NodeView): boolean {
  const terms = allocation?.nodeSelector?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => termMatches(term, node));
}
