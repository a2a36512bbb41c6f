import type { ClusterRole, PolicyRule } from "#api/generated/rbac-v1.ts";
import { selectorOfObject } from "#api/selectors.ts";

type RoleToAggregate = Pick<ClusterRole, "aggregationRule" | "rules"> & {
  readonly metadata: Pick<ClusterRole["metadata"], "name" | "labels">;
};

/**
 * The rules that an aggregated role shall have: those of all roles that one of its selectors finds, in the order of their
 * names, each once. Undefined when the role is not aggregated or has these rules already.
 */
export function aggregate(role: RoleToAggregate, all: readonly RoleToAggregate[]): PolicyRule[] | undefined {
  if (role.aggregationRule === undefined) return undefined;
  const selectors = (role.aggregationRule.clusterRoleSelectors ?? []).map(selectorOfObject);
  const found = all
    .filter(
      (other) =>
        other.metadata.name !== role.metadata.name &&
        selectors.some((selector) => selector.matches(other.metadata.labels)),
    )
    .sort((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
  const rules = new Map<string, PolicyRule>();
  for (const other of found) for (const rule of other.rules ?? []) rules.set(JSON.stringify(rule), rule);
  const wanted = [...rules.values()];
  return JSON.stringify(wanted) === JSON.stringify(role.rules ?? []) ? undefined : wanted;
}
