import type { PodFailurePolicy, PodFailurePolicyRule } from "#api/generated/batch-v1.ts";
import type { PodView } from "../views/pod.ts";

export type FailureVerdict =
  | { readonly action: "Count" }
  | { readonly action: "Ignore" }
  | { readonly action: "FailIndex" }
  | { readonly action: "FailJob"; readonly message: string };

/** What the first matching rule says about a failed pod; a pod that no rule matches is counted. */
export function judgeFailure(policy: PodFailurePolicy | undefined, pod: PodView): FailureVerdict {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const match = matchOf(rule, pod);
    if (match === undefined) continue;
    if (rule.action === "Ignore" || rule.action === "FailIndex") return { action: rule.action };
    if (rule.action === "FailJob")
      return { action: "FailJob", message: `${match} matching FailJob rule at index ${index}` };
    return { action: "Count" };
  }
  return { action: "Count" };
}

function matchOf(rule: PodFailurePolicyRule, pod: PodView): string | undefined {
  const { onExitCodes, onPodConditions } = rule;
  if (onExitCodes !== undefined) {
    const { containerName, operator, values } = onExitCodes;
    for (const { name, exitCode } of pod.ends) {
      if ((containerName !== undefined && containerName !== name) || exitCode === 0) continue;
      if (values.includes(exitCode) === (operator === "In"))
        return `Container ${name} for pod ${pod.key} failed with exit code ${exitCode}`;
    }
    return undefined;
  }
  for (const pattern of onPodConditions ?? []) {
    const found = pod.conditions.some(
      (condition) => condition.type === pattern.type && condition.status === pattern.status,
    );
    if (found) return `Pod ${pod.key} has condition ${pattern.type}`;
  }
  return undefined;
}
