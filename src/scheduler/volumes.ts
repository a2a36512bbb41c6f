import { selectorOfObject } from "#api/selectors.ts";
import type { Informer } from "#reconcile/informer.ts";
import type { Cluster } from "./cluster.ts";
import { termMatches } from "#api/node-match.ts";
import type { NodeView } from "./node-view.ts";
import type { PodView } from "./pod-view.ts";
import { verdict } from "./verdict.ts";
import type { ClaimView, ClassView, VolumeView } from "./volume-views.ts";

/** A step that gives a waiting claim its volume on the chosen node. */
export type Preparation =
  | { readonly kind: "take"; readonly volume: VolumeView; readonly claim: ClaimView }
  | { readonly kind: "ask"; readonly claim: ClaimView };

/**
 * What the claims of pods allow: where bound volumes can be reached, where waiting claims can get one. Reads informers, keeps
 * nothing. https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
 */
export class Volumes {
  readonly #claims: Informer<ClaimView>;
  readonly #volumes: Informer<VolumeView>;
  readonly #classes: Informer<ClassView>;

  constructor(claims: Informer<ClaimView>, volumes: Informer<VolumeView>, classes: Informer<ClassView>) {
    this.#claims = claims;
    this.#volumes = volumes;
    this.#classes = classes;
  }

  /** Why no node at all will do, whatever else is true; undefined when nodes decide. */
  obstacle(pod: PodView, cluster: Cluster): string | undefined {
    for (const name of pod.claims) {
      const claim = this.#claims.get(`${pod.namespace}/${name}`);
      if (claim === undefined) return `persistentvolumeclaim "${name}" not found`;
      if (claim.deleting) return `persistentvolumeclaim "${name}" is being deleted`;
      if (!claim.bound && !this.#waits(claim)) return "pod has unbound immediate PersistentVolumeClaims";
      if (claim.bound && this.#volumes.get(claim.volumeName) === undefined)
        return `persistentvolume "${claim.volumeName}" not found`;
      if (claim.exclusive && cluster.usesClaim(`${pod.namespace}/${name}`))
        return "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";
    }
    return undefined;
  }

  /** Takes out the nodes on which the pod's claims have no volume and can get none. */
  filter(pod: PodView, cluster: Cluster, verdicts: Uint8Array): void {
    const claims = this.#claimsOf(pod);
    for (let slot = 0; slot < cluster.slotCount; slot += 1) {
      if (verdicts[slot] !== verdict.fits) continue;
      const node = cluster.nodeAt(slot);
      if (node !== undefined) verdicts[slot] = this.#judge(claims, node);
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
        continue;
      }
      const mine = this.#volumeOf(claim);
      if (mine !== undefined && !isReachable(mine, node)) return verdict.volumeAffinity;
      const volume = this.#freeVolume(claim, node, taken);
      if (volume !== undefined) taken.add(volume.name);
      else if (!this.#canProvision(claim, node)) return verdict.volumeBinding;
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
    if (storageClass?.provisions !== true) return false;
    const { topologies } = storageClass;
    return (
      topologies.length === 0 ||
      topologies.some((term) =>
        (term.matchLabelExpressions ?? []).every(({ key, values }) => values.includes(node.labels[key] ?? "")),
      )
    );
  }
}

function isReachable(volume: VolumeView, node: NodeView): boolean {
  return volume.nodes === undefined || volume.nodes.some((term) => termMatches(term, node));
}
