import { onHoldAnnotation } from "#api/apps/hold.ts";
import type { Informer } from "#reconcile/informer.ts";
import { keyOf } from "#reconcile/object-view.ts";
import type { ServiceView } from "./views/network.ts";
import type { PodView } from "./views/pod.ts";
import type { ReplicaSetView } from "./views/workload.ts";

interface Selecting {
  readonly namespace: string;
  readonly selector: {
    readonly pairs: readonly (readonly [key: string, value: string])[];
    readonly nothing: boolean;
    matches(labels: Readonly<Record<string, string>>): boolean;
  };
}

/** Pods of a namespace that a selector matches, in key order: by the rarest of its label pairs, not by trying all. */
export function selectedPods(pods: Informer<PodView>, { namespace, selector }: Selecting): readonly PodView[] {
  if (selector.nothing) return [];
  let candidates: readonly PodView[] | undefined;
  for (const [key, value] of selector.pairs) {
    const found = pods.by("pair", `${namespace}/${key}=${value}`);
    if (candidates === undefined || found.length < candidates.length) candidates = found;
  }
  return (candidates ?? pods.by("namespace", namespace)).filter((pod) => selector.matches(pod.labels));
}

const hashLabel = "pod-template-hash";

/**
 * The pods that stand behind a Service: those selected, without pods of ReplicaSets on hold. A Service that names the hash of
 * their template means just them.
 */
export function servingPods(
  pods: Informer<PodView>,
  replicaSets: Informer<ReplicaSetView>,
  service: ServiceView,
): readonly PodView[] {
  const selected = selectedPods(pods, service);
  if (service.selector.pairs.some(([key]) => key === hashLabel)) return selected;
  return withoutHeld(selected, replicaSets);
}

/** Pods that count as their Deployment's: those of ReplicaSets on hold come on top of it. */
export function withoutHeld(selected: readonly PodView[], replicaSets: Informer<ReplicaSetView>): readonly PodView[] {
  return selected.filter((pod) => {
    if (pod.controller?.kind !== "ReplicaSet") return true;
    const set = replicaSets.get(keyOf(pod.namespace, pod.controller.name));
    return set?.annotations[onHoldAnnotation] === undefined || set.uid !== pod.controller.uid;
  });
}

/** Tells the Services whose endpoints a ReplicaSet's hold touches, when it begins or ends. */
export function enqueueHeld(
  services: Informer<ServiceView>,
  old: ReplicaSetView | undefined,
  current: ReplicaSetView | undefined,
  enqueue: (key: string) => void,
): void {
  if (old?.annotations[onHoldAnnotation] === current?.annotations[onHoldAnnotation]) return;
  const set = current ?? old;
  if (set === undefined) return;
  const labels = set.spec.template.metadata?.labels ?? {};
  for (const service of services.by("namespace", set.namespace)) {
    if (service.hasSelector && service.selector.matches(labels)) enqueue(service.key);
  }
}

/** Tells the Services whose endpoints a change of a pod may touch. */
export function enqueueServices(
  services: Informer<ServiceView>,
  old: PodView | undefined,
  current: PodView | undefined,
  enqueue: (key: string) => void,
): void {
  if (old !== undefined && current !== undefined && isAlike(old, current)) return;
  const pod = current ?? old;
  if (pod === undefined) return;
  for (const service of services.by("namespace", pod.namespace)) {
    if (!service.hasSelector) continue;
    const matches = (view: PodView | undefined): boolean => view !== undefined && service.selector.matches(view.labels);
    if (matches(old) || matches(current)) enqueue(service.key);
  }
}

/** Nothing that endpoints show has changed. */
function isAlike(a: PodView, b: PodView): boolean {
  return (
    a.uid === b.uid &&
    a.ready === b.ready &&
    a.phase === b.phase &&
    a.node === b.node &&
    (a.deletionMs === undefined) === (b.deletionMs === undefined) &&
    a.ips.length === b.ips.length &&
    a.ips.every((ip, index) => ip === b.ips[index]) &&
    sameLabels(a.labels, b.labels)
  );
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
