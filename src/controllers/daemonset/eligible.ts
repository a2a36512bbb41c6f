import type { NodeSelectorRequirement, PodSpec, PodTemplateSpec, Taint, Toleration } from "#api/generated/core-v1.ts";
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
  if (!isNamed || !matchesNode(spec, node)) return { shouldRun: false, mayStay: false };
  const tolerations = [...(spec.tolerations ?? []), ...daemonTolerations(spec)];
  const bad = node.taints.filter(
    (taint) => taint.effect !== "PreferNoSchedule" && !tolerations.some((one) => tolerates(one, taint)),
  );
  return { shouldRun: bad.length === 0, mayStay: bad.every((taint) => taint.effect !== "NoExecute") };
}

function matchesNode(spec: PodSpec, node: NodeView): boolean {
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) if (node.labels[key] !== value) return false;
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms === undefined) return true;
  return terms.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false;
    const byLabel = matchExpressions.every((requirement) => isMet(requirement, node.labels[requirement.key]));
    return (
      byLabel &&
      matchFields.every((requirement) =>
        isMet(requirement, requirement.key === "metadata.name" ? node.name : undefined),
      )
    );
  });
}

function isMet({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return value !== undefined && Number(value) > Number(values[0]);
    case "Lt":
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== "" && toleration.effect !== taint.effect) return false;
  if (toleration.key === undefined || toleration.key === "") return toleration.operator === "Exists";
  if (toleration.key !== taint.key) return false;
  return toleration.operator === "Exists" || (toleration.value ?? "") === (taint.value ?? "");
}
