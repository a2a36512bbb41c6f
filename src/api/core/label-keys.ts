import type { Pod } from "../generated/core-v1.ts";
import type { LabelSelector } from "../generated/meta-v1.ts";

type Labels = Readonly<Record<string, string>>;

/**
 * Writes what a new pod's `matchLabelKeys` and `mismatchLabelKeys` mean into the selectors beside them, by the labels that it has
 * now: later changes of its labels change nothing.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#matchlabelkeys
 */
export function mergeLabelKeys({ metadata, spec }: Pod): void {
  const labels = metadata.labels ?? {};
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  for (const affinity of [podAffinity, podAntiAffinity]) {
    const preferred = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    for (const term of [...required, ...preferred.map(({ podAffinityTerm }) => podAffinityTerm)]) {
      demand(term.labelSelector, "In", term.matchLabelKeys, labels);
      demand(term.labelSelector, "NotIn", term.mismatchLabelKeys, labels);
    }
  }
  for (const { labelSelector, matchLabelKeys } of spec.topologySpreadConstraints ?? [])
    demand(labelSelector, "In", matchLabelKeys, labels);
}

function demand(
  selector: LabelSelector | undefined,
  operator: "In" | "NotIn",
  keys: readonly string[] = [],
  labels: Labels,
): void {
  if (selector === undefined) return;
  for (const key of keys) {
    const value = labels[key];
    if (value !== undefined) (selector.matchExpressions ??= []).push({ key, operator, values: [value] });
  }
}
