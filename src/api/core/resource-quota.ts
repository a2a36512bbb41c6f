import { ageColumn, column, nameColumn } from "../columns.ts";
import type { ResourceQuota } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateResourceQuota, validateResourceQuotaUpdate } from "../validation/resource-quota.ts";

/** `cpu: 1/2, pods: 3/10`, for those names that `wanted` takes. */
function usage(quota: ResourceQuota, wanted: (name: string) => boolean): string {
  return Object.keys(quota.status?.hard ?? {})
    .filter(wanted)
    .sort()
    .map((name) => `${name}: ${quota.status?.used?.[name] ?? "0"}/${quota.status?.hard?.[name] ?? "0"}`)
    .join(", ");
}

function isLimit(name: string): boolean {
  return name.startsWith("limits");
}

export const resourceQuotaRules: KindRules<ResourceQuota> = {
  ...separateStatus<ResourceQuota>(() => ({})),
  validate: (quota) => collect((errors) => validateResourceQuota(errors, quota)),
  validateUpdate: (quota, old, context) =>
    collect((errors) => validateResourceQuotaUpdate(errors, quota, old, context)),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("Request", "Request represents a minimum amount of cpu/memory that a container may consume."),
    column(
      "Limit",
      "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.",
    ),
    ageColumn,
  ],
  cells: (quota, now) => [
    quota.metadata.name,
    usage(quota, (name) => !isLimit(name)),
    usage(quota, isLimit),
    ageOf(quota.metadata.creationTimestamp, now),
  ],
};
