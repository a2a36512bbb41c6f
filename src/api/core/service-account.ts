import { ageColumn, column, nameColumn } from "../columns.ts";
import type { ServiceAccount } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";

export const serviceAccountRules: KindRules<ServiceAccount> = {
  columns: [
    nameColumn,
    column(
      "Secrets",
      "Secrets is a list of the secrets in the same namespace that pods running using this account may use.",
      "string",
    ),
    ageColumn,
  ],
  cells: (account, now) => [
    account.metadata.name,
    account.secrets?.length ?? 0,
    ageOf(account.metadata.creationTimestamp, now),
  ],
};
