import type { Change, Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { controllerOf, objectOfUid } from "./facts.ts";

interface SetSpec {
  readonly replicas?: number;
  readonly volumeClaimTemplates?: readonly { readonly metadata?: { readonly name?: string } }[];
  readonly persistentVolumeClaimRetentionPolicy?: { readonly whenDeleted?: string; readonly whenScaled?: string };
  readonly updateStrategy?: { readonly rollingUpdate?: { readonly partition?: number } };
}

interface Volume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName?: string };
}

const hashLabel = "controller-revision-hash";

/**
 * 42: an ordinal of a StatefulSet always has the same claims, which go only where the set says so. 43: ordinals below the partition
 * keep the revision that all had before.
 */
export function statefulIdentityChecker(view: View, report: Report): Checker {
  /** Current revisions that a set has said it has, by its uid. */
  const revisions = new Map<string, Set<string>>();
  /** The fewest replicas that a set wanted, by its uid. */
  const fewest = new Map<string, number>();
  /** Sets that were, by uid: their claims outlive them. */
  const sets = new Map<string, Stored>();
  return {
    name: "stateful identity",
    changed(changes) {
      for (const change of changes) {
        const { resource, current, before } = change;
        if (resource === "apps/statefulsets" && current !== undefined) followSet(current, sets, fewest, revisions);
        if (resource === "pods" && before === undefined && current !== undefined) {
          const set = objectOfUid(sets.values(), controllerOf(current, "StatefulSet"));
          if (set !== undefined) checkPod(current, set, revisions, report);
        }
        if (resource === "persistentvolumeclaims") checkClaim(change, sets, fewest, view, report);
      }
    },
  };
}

function followSet(
  set: Stored,
  sets: Map<string, Stored>,
  fewest: Map<string, number>,
  revisions: Map<string, Set<string>>,
): void {
  const { uid } = set.metadata;
  sets.set(uid, set);
  fewest.set(uid, Math.min(fewest.get(uid) ?? Infinity, (set.spec as SetSpec).replicas ?? 1));
  const current = set.status?.["currentRevision"];
  if (typeof current !== "string" || current === "") return;
  const known = revisions.get(uid) ?? new Set();
  revisions.set(uid, known.add(current));
}

function checkPod(pod: Stored, set: Stored, revisions: ReadonlyMap<string, ReadonlySet<string>>, report: Report): void {
  const { volumeClaimTemplates = [], updateStrategy } = (set.spec ?? {}) as SetSpec;
  const { name } = pod.metadata;
  const volumes = (pod.spec?.["volumes"] ?? []) as readonly Volume[];
  for (const { metadata } of volumeClaimTemplates) {
    const wanted = `${metadata?.name}-${name}`;
    const claim = volumes.find((volume) => volume.name === metadata?.name)?.persistentVolumeClaim?.claimName;
    if (claim !== wanted) report("42 claims", `${name} mounts ${claim ?? "nothing"} in place of its claim ${wanted}`);
  }
  const known = revisions.get(set.metadata.uid);
  const hash = pod.metadata.labels?.[hashLabel];
  const partition = updateStrategy?.rollingUpdate?.partition ?? 0;
  if (ordinalOf(name) < partition && known !== undefined && !known.has(hash ?? ""))
    report("43 partition", `${name} was made with ${hash}, and stands below the partition ${partition}`);
}

/** A claim that goes, or is another all at once. */
function checkClaim(
  { key, before, current }: Change,
  sets: ReadonlyMap<string, Stored>,
  fewest: ReadonlyMap<string, number>,
  view: View,
  report: Report,
): void {
  const isEnding = (claim: Stored | undefined): boolean =>
    claim === undefined || claim.metadata.deletionTimestamp !== undefined;
  if (before === undefined || isEnding(before) || !isEnding(current)) return;
  const { name, namespace } = before.metadata;
  for (const set of sets.values()) {
    const spec = (set.spec ?? {}) as SetSpec;
    const of = spec.volumeClaimTemplates?.some(({ metadata }) =>
      name.startsWith(`${metadata?.name}-${set.metadata.name}-`),
    );
    if (of !== true || set.metadata.namespace !== namespace) continue;
    const isThere = view.history.get(`/registry/apps/statefulsets/${namespace}/${set.metadata.name}`) !== undefined;
    const isLive = isThere && set.metadata.deletionTimestamp === undefined;
    const { whenScaled, whenDeleted } = spec.persistentVolumeClaimRetentionPolicy ?? {};
    if (isLive && whenScaled !== "Delete") report("42 claims", `${key} was deleted, and ${set.metadata.name} keeps it`);
    else if (isLive && ordinalOf(name) < (fewest.get(set.metadata.uid) ?? 0))
      report("42 claims", `${key} was deleted, and ${set.metadata.name} never had fewer pods`);
    else if (!isLive && whenDeleted !== "Delete" && whenScaled !== "Delete")
      report("42 claims", `${key} was deleted after ${set.metadata.name}, whose claims stay`);
  }
}

function ordinalOf(name: string): number {
  return Number(name.slice(name.lastIndexOf("-") + 1));
}
