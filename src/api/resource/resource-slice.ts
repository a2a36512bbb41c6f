import { ageColumn, column, nameColumn } from "../columns.ts";
import type { ResourceSlice } from "../generated/resource-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { validateImmutable } from "../validation/immutable.ts";
import { isDns1123Label, isDns1123Subdomain } from "../validation/names.ts";
import { validateNodeSelector } from "../validation/pod-spec/scheduling.ts";
import { validateDriverName } from "../validation/resource-claim.ts";

const devicesMax = 128;
const attributesMax = 32;
const poolNameLengthMax = 253;

function validatePlace(errors: FieldErrors, { spec }: ResourceSlice): void {
  const given = [
    spec.nodeName !== undefined,
    spec.nodeSelector !== undefined,
    spec.allNodes === true,
    spec.perDeviceNodeSelection === true,
  ].filter(Boolean).length;
  const names = "`nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection`";
  if (given === 0) errors.required("spec", `exactly one of ${names} is required`);
  else if (given > 1)
    errors.invalid(
      "spec",
      "{`nodeName`, `nodeSelector`}",
      `exactly one of ${names} is required, but multiple fields are set`,
    );
  if (spec.nodeName !== undefined)
    errors.invalidEach("spec.nodeName", spec.nodeName, isDns1123Subdomain(spec.nodeName));
  if (spec.nodeSelector !== undefined) {
    validateNodeSelector(errors, "spec.nodeSelector", spec.nodeSelector);
    if ((spec.nodeSelector.nodeSelectorTerms ?? []).length !== 1) {
      errors.invalid(
        "spec.nodeSelector.nodeSelectorTerms",
        spec.nodeSelector.nodeSelectorTerms,
        "must have exactly one node selector term",
      );
    }
  }
}

function validate(errors: FieldErrors, slice: ResourceSlice): void {
  const { spec } = slice;
  validateDriverName(errors, "spec.driver", spec.driver);
  if (!spec.pool?.name) errors.required("spec.pool.name");
  else {
    if (spec.pool.name.length > poolNameLengthMax) errors.tooLong("spec.pool.name", poolNameLengthMax);
    for (const part of spec.pool.name.split("/"))
      errors.invalidEach("spec.pool.name", spec.pool.name, isDns1123Subdomain(part));
  }
  if ((spec.pool?.resourceSliceCount ?? 0) <= 0) {
    errors.invalid("spec.pool.resourceSliceCount", spec.pool?.resourceSliceCount ?? 0, "must be greater than zero");
  }
  errors.nonNegative("spec.pool.generation", spec.pool?.generation);
  validatePlace(errors, slice);
  const devices = spec.devices ?? [];
  if (devices.length > devicesMax) errors.tooMany("spec.devices", devices.length, devicesMax);
  const names = new Set<string>();
  devices.forEach((device, index) => {
    const at = `spec.devices[${index}]`;
    if (!device.name) errors.required(`${at}.name`);
    else errors.invalidEach(`${at}.name`, device.name, isDns1123Label(device.name));
    if (names.has(device.name)) errors.duplicate(`${at}.name`, device.name);
    names.add(device.name);
    const count = Object.keys(device.attributes ?? {}).length + Object.keys(device.capacity ?? {}).length;
    if (count > attributesMax)
      errors.invalid(at, count, `the total number of attributes and capacities must not exceed ${attributesMax}`);
    for (const key in device.attributes) {
      const values = Object.values(device.attributes[key] ?? {}).filter((value) => value !== undefined);
      if (values.length === 0) errors.required(`${at}.attributes[${key}]`, "exactly one value must be specified");
      else if (values.length > 1)
        errors.invalid(`${at}.attributes[${key}]`, device.attributes[key], "exactly one value must be specified");
    }
  });
}

export const resourceSliceRules: KindRules<ResourceSlice> = {
  validate: (slice) => collect((errors) => validate(errors, slice)),
  validateUpdate: (slice, old) =>
    collect((errors) => {
      validateImmutable(errors, "spec.pool.name", slice.spec.pool?.name, old.spec.pool?.name);
      validateImmutable(errors, "spec.driver", slice.spec.driver, old.spec.driver);
      validateImmutable(errors, "spec.nodeName", slice.spec.nodeName, old.spec.nodeName);
    }),
  countsGeneration: true,
  columns: [
    nameColumn,
    column("Node", "NodeName identifies the node which provides the resources in this pool."),
    column("Driver", "Driver identifies the DRA driver providing the capacity information."),
    column("Pool", "Pool describes the pool that this ResourceSlice belongs to."),
    ageColumn,
  ],
  cells: (slice, now) => [
    slice.metadata.name,
    slice.spec.nodeName ?? "<unset>",
    slice.spec.driver,
    slice.spec.pool?.name ?? "",
    ageOf(slice.metadata.creationTimestamp, now),
  ],
  fieldSelectors: {
    "spec.nodeName": (slice) => slice.spec.nodeName ?? "",
    "spec.driver": (slice) => slice.spec.driver ?? "",
  },
};
