import type { ResourceQuota, ResourceQuotaSpec, ResourceQuotaStatus } from "#api/generated/core-v1.ts";
import type {
  PodDisruptionBudget,
  PodDisruptionBudgetSpec,
  PodDisruptionBudgetStatus,
} from "#api/generated/policy-v1.ts";
import { poddisruptionbudgets, resourcequotas } from "#api/generated/resources.ts";
import { selectorOfObject, type Selector } from "#api/selectors.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

export interface BudgetView extends ObjectView {
  readonly spec: PodDisruptionBudgetSpec;
  readonly status: PodDisruptionBudgetStatus;
  readonly selector: Selector;
}

export interface QuotaView extends ObjectView {
  readonly spec: ResourceQuotaSpec;
  readonly status: ResourceQuotaStatus;
}

export const budgetDeclaration: InformerDeclaration<PodDisruptionBudget, BudgetView> = {
  resource: poddisruptionbudgets,
  indexes: objectIndexes,
  project: (budget) => ({
    ...objectView(budget.metadata),
    spec: budget.spec,
    status: budget.status ?? { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
    selector: selectorOfObject(budget.spec.selector),
  }),
};

export const quotaDeclaration: InformerDeclaration<ResourceQuota, QuotaView> = {
  resource: resourcequotas,
  indexes: objectIndexes,
  project: (quota) => ({ ...objectView(quota.metadata), spec: quota.spec, status: quota.status ?? {} }),
};
