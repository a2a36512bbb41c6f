import { ageColumn, column, nameColumn } from "../columns.ts";
import type { CSINode } from "../generated/storage-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { isQualifiedName } from "../validation/labels.ts";
import { validateCsiDriverName } from "../validation/pod-spec/volume-sources.ts";

const nodeIdLengthMax = 192;

function validate(errors: FieldErrors, node: CSINode): void {
  const names = new Set<string>();
  node.spec?.drivers?.forEach((driver, index) => {
    const at = `spec.drivers[${index}]`;
    validateCsiDriverName(errors, `${at}.name`, driver.name);
    if (names.has(driver.name)) errors.duplicate(`${at}.name`, driver.name);
    names.add(driver.name);
    if (!driver.nodeID) errors.required(`${at}.nodeID`);
    else if (driver.nodeID.length > nodeIdLengthMax)
      errors.invalid(`${at}.nodeID`, driver.nodeID, `must be ${nodeIdLengthMax} characters or less`);
    errors.nonNegative(`${at}.allocatable.count`, driver.allocatable?.count);
    const keys = new Set<string>();
    driver.topologyKeys?.forEach((key, position) => {
      if (!key) errors.required(`${at}.topologyKeys`);
      else errors.invalidEach(`${at}.topologyKeys`, key, isQualifiedName(key));
      if (keys.has(key)) errors.duplicate(`${at}.topologyKeys[${position}]`, key);
      keys.add(key);
    });
  });
}

export const csiNodeRules: KindRules<CSINode> = {
  validate: (node) => collect((errors) => validate(errors, node)),
  validateUpdate: (node, old) =>
    collect((errors) => {
      for (const before of old.spec?.drivers ?? []) {
        const index = (node.spec?.drivers ?? []).findIndex((driver) => driver.name === before.name);
        const now = node.spec?.drivers?.[index];
        if (now === undefined) continue;
        // Only the number of volumes may change while a driver stays.
        const { allocatable: _now, ...rest } = now;
        const { allocatable: _before, ...restBefore } = before;
        if (!semanticallyEqual(rest, restBefore)) errors.invalid(`spec.drivers[${index}]`, now, "field is immutable");
      }
    }),
  columns: [
    nameColumn,
    column("Drivers", "drivers is a list of information of all CSI Drivers existing on a node.", "integer"),
    ageColumn,
  ],
  cells: (node, now) => [
    node.metadata.name,
    node.spec?.drivers?.length ?? 0,
    ageOf(node.metadata.creationTimestamp, now),
  ],
};
