import type { Store } from "#store/store.ts";
import type { SimulatedStoreDisk } from "../simulated-store.ts";
import type { Checker, Report, View } from "./checker.ts";

interface Promised {
  readonly revision: number;
  readonly type: "put" | "delete";
}

/** 3: revisions grow, over every crash. 4: what was acknowledged is there after every crash, or something newer is. */
export function durabilityChecker(_view: View, report: Report): Checker {
  const promised = new Map<string, Promised>();
  let newest = 0;
  const check = (store: Store, disk: SimulatedStoreDisk): void => {
    if (store.visible < newest)
      report("4 durability", `revision ${newest} was acknowledged, the store opened at ${store.visible}`);
    for (const [key, { revision, type }] of promised) {
      const entry = store.latest(key);
      if (type === "delete") {
        if (entry !== undefined && entry.modified <= revision)
          report("4 durability", `the deletion of ${key} at ${revision} was lost`);
      } else if (entry === undefined ? !wasDeleted(disk, key, revision) : entry.modified < revision) {
        report("4 durability", `the write of ${key} at ${revision} was lost`);
      }
    }
  };
  let changed = 0;
  return {
    name: "durability",
    acknowledged(revision, keys) {
      newest = Math.max(newest, revision);
      for (const { key, type } of keys)
        if ((promised.get(key)?.revision ?? 0) < revision) promised.set(key, { revision, type });
    },
    opened: check,
    changed([change]) {
      if (change === undefined) return;
      if (change.revision <= changed) report("3 revisions", `revision ${change.revision} came after ${changed}`);
      changed = change.revision;
    },
  };
}

function wasDeleted(disk: SimulatedStoreDisk, key: string, after: number): boolean {
  return disk.rows.some(
    (row) => row.revision > after && row.facts.some((fact) => fact.type === "delete" && fact.key === key),
  );
}
