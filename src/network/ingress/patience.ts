import { reloadWaitMs } from "./limits.ts";
import type { RouteTable } from "./route-table.ts";
import { assignSlots, type Slots } from "./slots.ts";

/**
 * Keeps HAProxy from being reloaded while it holds requests: they stay in the process that took them, which hears nothing of the
 * pods that they wait for, and would be turned away. Until they are through, at most `reloadWaitMs`, backends without a place wait.
 */
export class Patience {
  #sinceMs: number | undefined;

  /** The table to apply now, and whether it lacks backends, so that the whole one is to be applied soon. */
  tableFor(
    whole: RouteTable,
    slots: Slots,
    { isWaiting, nowMs }: { readonly isWaiting: boolean; readonly nowMs: number },
  ): { readonly table: RouteTable; readonly isPart: boolean } {
    if (!isWaiting || !needsReload(whole, slots)) {
      this.#sinceMs = undefined;
      return { table: whole, isPart: false };
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs >= reloadWaitMs) return { table: whole, isPart: false };
    return { table: withinPlaces(whole, slots), isPart: true };
  }
}

function needsReload({ backends }: RouteTable, slots: Slots): boolean {
  const idsOf = (pods: boolean): string[] =>
    [...backends.values()].filter(({ isForPods = false }) => isForPods === pods).map(({ id }) => id);
  const next = assignSlots(slots, idsOf(false), [], idsOf(true));
  return next.count > slots.count || next.podCount > slots.podCount;
}

/** What is served by backends that have their places. */
function withinPlaces(table: RouteTable, slots: Slots): RouteTable {
  const has = (backend: string | undefined): boolean => backend === undefined || slots.backends.has(backend);
  return {
    ...table,
    exact: table.exact.filter(({ backend }) => has(backend)),
    prefix: table.prefix.filter(({ backend }) => has(backend)),
    backends: new Map([...table.backends].filter(([id]) => has(id))),
    splits: table.splits.filter(({ backends }) => backends.every(({ from, to }) => has(from) && has(to))),
    ...(table.services === undefined ? {} : { services: table.services.filter(({ backend }) => has(backend)) }),
  };
}
