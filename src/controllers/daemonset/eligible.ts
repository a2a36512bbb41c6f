import type { PodSpec, PodTemplateSpec, Toleration } from "#api/generated/core-v1.ts";
import { selectorMatches, tolerates } from "#api/node-match.ts";
import type { NodeView } from "../views/node.ts";

/** Whether a DaemonSet's pod belongs on a node, and whether one that is there may stay. */
export interface Eligibility {
  readonly shouldRun: boolean;
  readonly mayStay: boolean;
}

/** What every daemon tolerates: the node's own troubles are no reason to leave it. */
export function daemonTolerations(spec: PodSpec): Toleration[] {
  const tolerate = (name: string, effect: string): Toleration => ({
    key: `node.kubernetes.io/${name}`,
    operator: "Exists",
    effect,
  });
  return [
    tolerate("not-ready", "NoExecute"),
    tolerate("unreachable", "NoExecute"),
    tolerate("disk-pressure", "NoSchedule"),
    tolerate("memory-pressure", "NoSchedule"),
    tolerate("pid-pressure", "NoSchedule"),
    tolerate("unschedulable", "NoSchedule"),
    ...(spec.hostNetwork === true ? [tolerate("network-unavailable", "NoSchedule")] : []),
  ];
}

export function eligibilityOf(template: PodTemplateSpec, node: NodeView): Eligibility {
  const { spec } = template;
  if (spec === undefined) return { shouldRun: false, mayStay: false };
  const isNamed = spec.nodeName === undefined || spec.nodeName === "" || spec.nodeName === node.name;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!isNamed || !selectorMatches(spec.nodeSelector, required, node)) return { shouldRun: false, mayStay: false };
  const tolerations = [...(spec.tolerations ?? []), ...daemonTolerations(spec)];
  const bad = node.taints.filter(
    (taint) => taint.effect !== "PreferNoSchedule" && !tolerations.some((one) => tolerates(one, taint)),
  );
  return { shouldRun: bad.length === 0, mayStay: bad.every((taint) => taint.effect !== "NoExecute") };
}
