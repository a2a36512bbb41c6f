import { column, nameColumn } from "../columns.ts";
import type { LimitRange, LimitRangeItem } from "../generated/core-v1.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { validateLimitRange } from "../validation/limit-range.ts";

/** For containers, what is not said follows from what is: the default limit is the maximum, the default request the limit. */
function defaultItem(item: LimitRangeItem): void {
  if (item.type !== "Container") return;
  item.default ??= {};
  item.defaultRequest ??= {};
  for (const name in item.max) item.default[name] ??= item.max[name] ?? "0";
  for (const name in item.default) item.defaultRequest[name] ??= item.default[name] ?? "0";
  for (const name in item.min) item.defaultRequest[name] ??= item.min[name] ?? "0";
}

export const limitRangeRules: KindRules<LimitRange> = {
  defaults(range) {
    range.spec?.limits?.forEach(defaultItem);
  },
  validate: (range) => collect((errors) => validateLimitRange(errors, range)),
  columns: [nameColumn, { ...column("Created At", "When the object was created."), type: "date" }],
  cells: (range) => [range.metadata.name, range.metadata.creationTimestamp],
};
