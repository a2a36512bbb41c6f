import type { Informer } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Cluster } from "./cluster.ts";
import { type VolumeLimits, volumeLimitsDeclaration } from "./csi-views.ts";
import type { AttachedVolume, ClaimView } from "./volume-views.ts";

/** Ids of volumes by the driver that attaches them. */
type ByDriver = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * How many volumes of each CSI driver the pods of a node use, against what the driver can attach there. A volume that several of
 * them use counts once. https://kubernetes.io/docs/concepts/storage/storage-limits/
 */
export class AttachedVolumes {
  readonly limits: Informer<VolumeLimits>;
  readonly #volumeOf: (claim: string) => AttachedVolume | undefined;

  /** `volumeOf`: the volume of a claim (`namespace/name`), when a CSI driver attaches it. */
  constructor(informers: Pick<Informers, "of">, volumeOf: (claim: string) => AttachedVolume | undefined) {
    this.limits = informers.of(volumeLimitsDeclaration);
    this.#volumeOf = volumeOf;
  }

  wantedBy(claims: readonly ClaimView[]): ByDriver {
    return this.#byDriver(claims.map(({ namespace, name }) => `${namespace}/${name}`));
  }

  /** Whether a driver cannot attach what is wanted in addition to what the pods in a slot use. */
  exceeds(wanted: ByDriver, cluster: Cluster, slot: number): boolean {
    const limits = wanted.size === 0 ? undefined : this.limits.get(cluster.nodeAt(slot)?.name ?? "");
    if (limits === undefined || limits.size === 0) return false;
    const used = this.#byDriver(cluster.claimsAt(slot));
    for (const [driver, volumes] of wanted) {
      const there = used.get(driver) ?? new Set();
      const all = volumes.union(there).size;
      if (all > there.size && all > (limits.get(driver) ?? Infinity)) return true;
    }
    return false;
  }

  #byDriver(claims: Iterable<string>): Map<string, Set<string>> {
    const volumes = new Map<string, Set<string>>();
    for (const claim of claims) {
      const volume = this.#volumeOf(claim);
      if (volume === undefined) continue;
      const known = volumes.get(volume.driver);
      if (known === undefined) volumes.set(volume.driver, new Set([volume.id]));
      else known.add(volume.id);
    }
    return volumes;
  }
}
