import { labelsMatch } from "#api/label-match.ts";
import { termMatches } from "#api/node-match.ts";
import { selectorOfObject } from "#api/selectors.ts";
import type { Informer } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Cluster } from "./cluster.ts";
import { type CapacityView, capacityDeclaration, publishesCapacityDeclaration } from "./csi-views.ts";
import type { Obstacle } from "./explain.ts";
import type { NodeView } from "./node-view.ts";
import type { PodView } from "./pod-view.ts";
import { verdict } from "./verdict.ts";
import { AttachedVolumes } from "./attached-volumes.ts";
import {
  type AttachedVolume,
  claimDeclaration,
  type ClaimView,
  classDeclaration,
  type ClassView,
  isInZones,
  volumeDeclaration,
  type VolumeView,
} from "./volume-views.ts";

/** A step that gives a waiting claim its volume on the chosen node. */
export type Preparation =
  | { readonly kind: "take"; readonly volume: VolumeView; readonly claim: ClaimView }
  | { readonly kind: "ask"; readonly claim: ClaimView };

/**
 * What the claims of pods allow: where bound volumes can be reached and attached, where waiting claims can get one. Reads informers,
 * keeps nothing. https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
 */
export class Volumes {
  readonly #claims: Informer<ClaimView>;
  readonly #volumes: Informer<VolumeView>;
  readonly #classes: Informer<ClassView>;
  readonly #publishesCapacity: Informer<boolean>;
  readonly #capacities: Informer<CapacityView>;
  readonly #attached: AttachedVolumes;

  constructor(informers: Pick<Informers, "of">) {
    this.#claims = informers.of(claimDeclaration);
    this.#volumes = informers.of(volumeDeclaration);
    this.#classes = informers.of(classDeclaration);
    this.#publishesCapacity = informers.of(publishesCapacityDeclaration);
    this.#capacities = informers.of(capacityDeclaration);
    this.#attached = new AttachedVolumes(informers, (claim) => this.#attachedFor(claim));
  }

  get #informers(): Pick<Informer<unknown>, "handle" | "synced">[] {
    const storage = [this.#claims, this.#volumes, this.#classes, this.#publishesCapacity, this.#capacities];
    return [...storage, this.#attached.limits];
  }

  /** `changed` is called after each change of anything that matters here. */
  subscribe(changed: () => void): { close(): void }[] {
    return this.#informers.map((one) => one.handle(changed));
  }

  synced(): Promise<void>[] {
    return this.#informers.map((one) => one.synced());
  }

  /** Why no node at all will do, whatever else is true; undefined when nodes decide. */
  obstacle(pod: PodView): Obstacle | undefined {
    for (const name of pod.claims) {
      const found = this.#obstacleOf(pod, name);
      if (found !== undefined) return { message: found[0], change: found[1] };
    }
    return undefined;
  }

  #obstacleOf(pod: PodView, name: string): readonly [message: string, change: string] | undefined {
    const claim = this.#claims.get(`${pod.namespace}/${name}`);
    const isEphemeral = pod.ephemeralClaims.includes(name);
    const [what, whole] = [`persistentvolumeclaim "${name}"`, `${pod.namespace}/${name}`];
    if (claim === undefined) {
      return isEphemeral
        ? [
            `waiting for ephemeral volume controller to create the ${what}`,
            `the claim ${name}, which is to be made for the pod`,
          ]
        : [`${what} not found`, `a persistentvolumeclaim named ${name}`];
    }
    if (isEphemeral && claim.ownerUid !== pod.uid)
      return [
        `PVC ${whole} was not created for pod ${pod.key} (pod is not owner)`,
        `the end of the claim ${name}, which is in the way of one for the pod`,
      ];
    if (claim.lost)
      return [
        `${what} bound to non-existent persistentvolume "${claim.volumeName}"`,
        `another claim in the place of ${name}, whose volume is lost`,
      ];
    if (claim.deleting) return [`${what} is being deleted`, `a new claim ${name} once this one is gone`];
    if (!claim.bound && !this.#waits(claim))
      return ["pod has unbound immediate PersistentVolumeClaims", `a volume for the claim ${name}`];
    if (claim.bound && this.#volumes.get(claim.volumeName) === undefined)
      return [`persistentvolume "${claim.volumeName}" not found`, `the persistentvolume ${claim.volumeName}`];
    return undefined;
  }

  /** Takes out nodes (`only` that of a slot) where claims are taken, have no volume and can get none, or where it cannot be attached. */
  filter(pod: PodView, cluster: Cluster, verdicts: Uint8Array, only?: number): void {
    const claims = this.#claimsOf(pod);
    const isInUse = claims.some(
      ({ exclusive, namespace, name }) => exclusive && cluster.usesClaim(`${namespace}/${name}`),
    );
    const wanted = this.#attached.wantedBy(claims);
    for (let slot = only ?? 0; slot < (only === undefined ? cluster.slotCount : only + 1); slot += 1) {
      if (verdicts[slot] !== verdict.fits) continue;
      const node = cluster.nodeAt(slot);
      if (node === undefined) continue;
      if (isInUse) verdicts[slot] = verdict.claimInUse;
      else if (this.#attached.exceeds(wanted, cluster, slot)) verdicts[slot] = verdict.volumeLimit;
      else verdicts[slot] = this.#judge(claims, node);
    }
  }

  /** What has to be written before the pod can be bound to the node; empty when all its claims are bound. */
  preparations(pod: PodView, node: NodeView): Preparation[] {
    const taken = new Set<string>();
    return this.#claimsOf(pod).flatMap((claim): Preparation[] => {
      if (claim.bound) return [];
      const volume = this.#freeVolume(claim, node, taken);
      if (volume === undefined) return claim.selectedNode === node.name ? [] : [{ kind: "ask", claim }];
      taken.add(volume.name);
      return volume.claimUid === claim.uid ? [] : [{ kind: "take", volume, claim }];
    });
  }

  /** Whether all claims of a pod are bound. */
  areBound(pod: PodView): boolean {
    return pod.claims.every((name) => this.#claims.get(`${pod.namespace}/${name}`)?.bound === true);
  }

  /** Whether somebody took the choice of the node back: a provisioner could not make a volume there. */
  isRefused(pod: PodView, node: string): boolean {
    return this.#claimsOf(pod).some(
      (claim) => !claim.bound && claim.selectedNode !== node && this.#volumeOf(claim) === undefined,
    );
  }

  #claimsOf(pod: PodView): ClaimView[] {
    return pod.claims.flatMap((name) => this.#claims.get(`${pod.namespace}/${name}`) ?? []);
  }

  #waits(claim: ClaimView): boolean {
    return this.#classes.get(claim.className)?.waits === true;
  }

  #judge(claims: readonly ClaimView[], node: NodeView): number {
    const taken = new Set<string>();
    for (const claim of claims) {
      if (claim.bound) {
        const volume = this.#volumes.get(claim.volumeName);
        if (volume !== undefined && !isReachable(volume, node)) return verdict.volumeAffinity;
        if (volume !== undefined && !isInZones(volume, node)) return verdict.volumeZone;
        continue;
      }
      const mine = this.#volumeOf(claim);
      if (mine !== undefined && !isReachable(mine, node)) return verdict.volumeAffinity;
      const volume = this.#freeVolume(claim, node, taken);
      if (volume !== undefined) taken.add(volume.name);
      else if (!this.#canProvision(claim, node)) return verdict.volumeBinding;
      else if (!this.#hasCapacity(claim, node)) return verdict.volumeCapacity;
    }
    return verdict.fits;
  }

  /** The volume that the claim names already, or that was made for it. */
  #volumeOf(claim: ClaimView): VolumeView | undefined {
    return this.#volumes.get(claim.volumeName === "" ? `pvc-${claim.uid}` : claim.volumeName);
  }

  /** The smallest free volume that suits the claim and can be reached from the node. */
  #freeVolume(claim: ClaimView, node: NodeView, taken: ReadonlySet<string>): VolumeView | undefined {
    const mine = this.#volumeOf(claim);
    if (mine !== undefined) return mine;
    const selector = claim.selector === undefined ? undefined : selectorOfObject(claim.selector);
    let best: VolumeView | undefined;
    for (const volume of this.#volumes.by("free", claim.className)) {
      if (!volume.available || taken.has(volume.name) || volume.bytes < claim.bytes) continue;
      if (best !== undefined && best.bytes <= volume.bytes) continue;
      if (volume.volumeMode !== claim.volumeMode || !isReachable(volume, node)) continue;
      if (!claim.accessModes.every((mode) => volume.accessModes.includes(mode))) continue;
      if (selector !== undefined && !selector.matches(volume.labels)) continue;
      best = volume;
    }
    return best;
  }

  #canProvision(claim: ClaimView, node: NodeView): boolean {
    const storageClass = this.#classes.get(claim.className);
    if (storageClass?.provisioner === undefined) return false;
    const { topologies } = storageClass;
    return (
      topologies.length === 0 ||
      topologies.some((term) =>
        (term.matchLabelExpressions ?? []).every(({ key, values }) => values.includes(node.labels[key] ?? "")),
      )
    );
  }

  /** Only what drivers publish counts. https://kubernetes.io/docs/concepts/storage/storage-capacity/#scheduling */
  #hasCapacity({ className, bytes }: ClaimView, node: NodeView): boolean {
    if (this.#publishesCapacity.get(this.#classes.get(className)?.provisioner ?? "") !== true) return true;
    return this.#capacities
      .by("class", className)
      .some((capacity) => bytes <= (capacity.bytes ?? -1) && labelsMatch(capacity.nodes, node.labels));
  }

  /** The volume of a claim (`namespace/name`) that a CSI driver has to attach, also while it is still to be made. */
  #attachedFor(key: string): AttachedVolume | undefined {
    const claim = this.#claims.get(key);
    if (claim === undefined) return undefined;
    const volume = this.#volumeOf(claim);
    if (volume !== undefined) return volume.csi;
    const driver = this.#classes.get(claim.className)?.provisioner;
    return driver === undefined ? undefined : { driver, id: `claim ${key}` };
  }
}

function isReachable(volume: VolumeView, node: NodeView): boolean {
  return volume.nodes === undefined || volume.nodes.some((term) => termMatches(term, node));
}
