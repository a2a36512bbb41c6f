import type { PodDisruptionBudget } from "#api/generated/policy-v1.ts";
import { namespaces, nodes, poddisruptionbudgets, pods } from "#api/generated/resources.ts";
import type { Labels } from "#api/label-match.ts";
import { nodeView } from "./node-view.ts";
import { podView } from "./pod-view.ts";
import type { Budget } from "./preemption.ts";

/** One declaration each, so that loops of one process share the informers. */
export const podDeclaration = { resource: pods, project: podView };
export const nodeDeclaration = { resource: nodes, project: nodeView };
export const namespaceDeclaration = {
  resource: namespaces,
  project: (namespace: { readonly metadata: { readonly labels?: Labels } }): Labels => namespace.metadata.labels ?? {},
};

export const budgetDeclaration = {
  resource: poddisruptionbudgets,
  project: ({ metadata, spec, status }: PodDisruptionBudget): Budget => ({
    namespace: metadata.namespace ?? "",
    selector: spec.selector,
    disruptionsAllowed: status?.disruptionsAllowed ?? 0,
  }),
};
