import type { NodeSelectorTerm, PreferredSchedulingTerm, Taint, Toleration } from "./generated/core-v1.ts";
import { requirementMatches, type Labels } from "./label-match.ts";

/** What selectors of nodes look at. */
export interface NamedNode {
  readonly name: string;
  readonly labels: Labels;
}

/** Whether one term of a node selector matches; a term without requirements matches nothing. */
export function termMatches(term: NodeSelectorTerm, node: NamedNode): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  for (const { key, operator, values } of matchExpressions) {
    if (!requirementMatches(node.labels[key], operator, values)) return false;
  }
  for (const { key, operator, values } of matchFields) {
    if (key !== "metadata.name" || !requirementMatches(node.name, operator, values)) return false;
  }
  return true;
}

/** spec.nodeSelector and the required terms of spec.affinity.nodeAffinity. */
export function selectorMatches(
  nodeSelector: Readonly<Record<string, string>> | undefined,
  required: readonly NodeSelectorTerm[] | undefined,
  node: NamedNode,
): boolean {
  for (const key in nodeSelector) if (node.labels[key] !== nodeSelector[key]) return false;
  return required === undefined || required.some((term) => termMatches(term, node));
}

/** The sum of the weights of preferred terms that match. An empty preference matches every node. */
export function preferenceOf(preferred: readonly PreferredSchedulingTerm[], node: NamedNode): number {
  let weight = 0;
  for (const { weight: own, preference } of preferred) {
    const empty = (preference.matchExpressions?.length ?? 0) + (preference.matchFields?.length ?? 0) === 0;
    if (empty || termMatches(preference, node)) weight += own;
  }
  return weight;
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== "" && toleration.effect !== taint.effect) return false;
  const key = toleration.key ?? "";
  if (key !== "" && key !== taint.key) return false;
  switch (toleration.operator ?? "Equal") {
    case "Exists":
      return true;
    case "":
    case "Equal":
      return key !== "" && (toleration.value ?? "") === (taint.value ?? "");
    case "Gt":
      return requirementMatches(taint.value, "Gt", [toleration.value ?? ""]);
    case "Lt":
      return requirementMatches(taint.value, "Lt", [toleration.value ?? ""]);
    default:
      return false;
  }
}

/** The first taint that keeps the pod away: NoSchedule or NoExecute without a toleration. */
export function untoleratedTaint(taints: readonly Taint[], tolerations: readonly Toleration[]): Taint | undefined {
  return taints.find((taint) => keepsAway(taint, tolerations));
}

/** All taints that keep the pod away from the node. */
export function untoleratedTaints(taints: readonly Taint[], tolerations: readonly Toleration[]): Taint[] {
  return taints.filter((taint) => keepsAway(taint, tolerations));
}

function keepsAway(taint: Taint, tolerations: readonly Toleration[]): boolean {
  const { effect } = taint;
  return (effect === "NoSchedule" || effect === "NoExecute") && !tolerations.some((one) => tolerates(one, taint));
}

/** How many PreferNoSchedule taints the pod does not tolerate. */
export function dislikedTaints(taints: readonly Taint[], tolerations: readonly Toleration[]): number {
  let count = 0;
  for (const taint of taints) {
    if (taint.effect !== "PreferNoSchedule") continue;
    if (!tolerations.some((one) => tolerates(one, taint))) count += 1;
  }
  return count;
}
