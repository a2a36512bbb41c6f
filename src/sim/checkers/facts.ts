import type { ObservedState, Stored } from "../history.ts";
import type { ClientRequest } from "../simulated-cluster.ts";
import type { Swarm } from "../swarm.ts";

/** How old the view of a loop may be whose watches are slow or break, and otherwise. Milliseconds. */
const staleMsBad = 30_000;
const staleMsCalm = 1_000;
/** Caches stand still so long at most. Milliseconds. */
const frozenMsMax = 90_000;

/** How old what a loop acts on may be, with the faults of this seed. Milliseconds. */
export function staleMsOf({ loopNetwork, strikes }: Swarm): number {
  const { latencyMsMax, lostRequest, lostAnswer, brokenStream, delayedChunk } = loopNetwork;
  const isBad = lostRequest + lostAnswer + brokenStream + delayedChunk > 0 || strikes["streams-broken"] !== undefined;
  return isBad ? staleMsBad : staleMsCalm + 4 * latencyMsMax;
}

/** The same where caches may stand still too. Milliseconds. */
export function oldestViewMsOf(swarm: Swarm): number {
  return staleMsOf(swarm) + (swarm.strikes["caches-frozen"] === undefined ? 0 : frozenMsMax);
}

/** The uid of an object's controller; with `kind` only of one of that kind. */
export function controllerOf({ metadata }: Stored, kind?: string): string | undefined {
  const owners = metadata.ownerReferences ?? [];
  return owners.find((owner) => owner.controller === true && (kind === undefined || owner.kind === kind))?.uid;
}

export function objectOfUid(objects: Iterable<Stored>, uid: string | undefined): Stored | undefined {
  for (const object of objects) if (object.metadata.uid === uid) return object;
  return undefined;
}

/** The key of the pod that a path names, or one of whose subresources it names; undefined where it names something else. */
export function podKeyOf(target: string, subresource = ""): string | undefined {
  const path = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/?]+)(?:\/([^/?]+))?(?:\?.*)?$/;
  const [, namespace, name, of = ""] = path.exec(target) ?? [];
  return name === undefined || of !== subresource ? undefined : `/registry/core/pods/${namespace}/${name}`;
}

/** The pod that a request asks to delete; undefined where it asks for something else, or there is none. */
export function deletedPodOf(history: ObservedState, { method, target }: ClientRequest): Stored | undefined {
  const key = method === "DELETE" ? podKeyOf(target) : undefined;
  return key === undefined ? undefined : history.get(key);
}

/** Whether a condition of an object is True. */
export function isTrue({ status }: Stored, type: string): boolean {
  const conditions = (status?.["conditions"] ?? []) as readonly { readonly type: string; readonly status: string }[];
  return conditions.some((condition) => condition.type === type && condition.status === "True");
}

export function isReady(object: Stored): boolean {
  return isTrue(object, "Ready");
}

export function isTerminal({ status }: Stored): boolean {
  return status?.["phase"] === "Failed" || status?.["phase"] === "Succeeded";
}

export interface Taint {
  readonly key: string;
  readonly effect: string;
}

interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}

export function taintsOf(node: Stored): readonly Taint[] {
  return (node.spec?.["taints"] ?? []) as readonly Taint[];
}

/** Taints that keep a pod away. */
export function repelling(node: Stored, pod: Stored): Taint[] {
  return taintsOf(node).filter(
    (taint) => taint.effect !== "PreferNoSchedule" && tolerationsOf(pod, taint).length === 0,
  );
}

/** How long a pod stays in spite of a taint; Infinity: for ever. Milliseconds. */
export function toleratedMs(pod: Stored, taint: Taint): number {
  const tolerations = tolerationsOf(pod, taint);
  if (tolerations.length === 0) return 0;
  return 1000 * Math.min(...tolerations.map(({ tolerationSeconds = Infinity }) => tolerationSeconds));
}

/** The simulation uses no values of taints. */
function tolerationsOf(pod: Stored, { key, effect }: Taint): Toleration[] {
  const tolerations = (pod.spec?.["tolerations"] ?? []) as readonly Toleration[];
  return tolerations.filter(
    (one) =>
      (one.effect === undefined || one.effect === "" || one.effect === effect) &&
      (one.key === key || ((one.key ?? "") === "" && one.operator === "Exists")),
  );
}

interface PodSpec {
  readonly containers?: readonly { readonly resources?: { readonly requests?: Readonly<Record<string, string>> } }[];
}

/** What a pod's containers ask for together. */
export function requestOf(pod: Stored, name: string): number {
  const { containers = [] } = pod.spec as PodSpec;
  return containers.reduce((sum, { resources }) => sum + amount(resources?.requests?.[name] ?? "0"), 0);
}

/** What a node has for pods. */
export function allocatableOf(node: Stored, name: string): number {
  return amount(((node.status?.["allocatable"] ?? {}) as Readonly<Record<string, string>>)[name] ?? "0");
}

const units: Readonly<Record<string, number>> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A quantity as a number; enough for what the simulation uses. */
export function amount(quantity: string): number {
  const [, number = "", unit = ""] = /^([0-9.]+)([A-Za-z]*)$/.exec(quantity) ?? [];
  const factor = units[unit];
  if (number === "" || factor === undefined) throw new Error(`Cannot read the quantity ${quantity}`);
  return Number(number) * factor;
}
