import { ageColumn, column, nameColumn } from "../columns.ts";
import type { NetworkPolicy } from "../generated/networking-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { formatLabelSelector } from "../selectors.ts";
import { collect } from "../validation/field-errors.ts";
import { validateNetworkPolicy } from "../validation/network-policy.ts";

export const networkPolicyRules: KindRules<NetworkPolicy> = {
  defaults({ spec }) {
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
      for (const port of rule.ports ?? []) port.protocol ??= "TCP";
    }
    if ((spec.policyTypes ?? []).length === 0) {
      // Every policy speaks of ingress; of egress only those that have rules for it.
      spec.policyTypes = (spec.egress ?? []).length === 0 ? ["Ingress"] : ["Ingress", "Egress"];
    }
  },
  validate: (policy) => collect((errors) => validateNetworkPolicy(errors, policy)),
  countsGeneration: true,
  columns: [
    nameColumn,
    column("Pod-Selector", "Selects the pods to which this NetworkPolicy object applies."),
    ageColumn,
  ],
  cells: (policy, now) => [
    policy.metadata.name,
    formatLabelSelector(policy.spec.podSelector),
    ageOf(policy.metadata.creationTimestamp, now),
  ],
};
