import { ageColumn, column, nameColumn } from "../columns.ts";
import type { ConfigMap } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { decodedLength } from "../validation/base64.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { isConfigMapKey, utf8Length } from "../validation/names.ts";

/** All values of a ConfigMap or a Secret together. */
export const dataSizeMaxBytes = 1024 * 1024;

function validateConfigMap(errors: FieldErrors, map: ConfigMap): void {
  let bytes = 0;
  for (const key in map.data) {
    errors.invalidEach(`data[${key}]`, key, isConfigMapKey(key));
    if (map.binaryData?.[key] !== undefined)
      errors.invalid(`data[${key}]`, key, "duplicate of key present in binaryData");
    bytes += utf8Length(map.data[key] ?? "");
  }
  for (const key in map.binaryData) {
    errors.invalidEach(`binaryData[${key}]`, key, isConfigMapKey(key));
    bytes += decodedLength(map.binaryData[key] ?? "");
  }
  if (bytes > dataSizeMaxBytes) errors.tooLong("", dataSizeMaxBytes);
}

function validateConfigMapUpdate(errors: FieldErrors, map: ConfigMap, old: ConfigMap): void {
  if (old.immutable !== true) return;
  if (map.immutable !== true) errors.forbidden("immutable", "field is immutable when `immutable` is set");
  if (!semanticallyEqual(map.data, old.data)) errors.forbidden("data", "field is immutable when `immutable` is set");
  if (!semanticallyEqual(map.binaryData, old.binaryData)) {
    errors.forbidden("binaryData", "field is immutable when `immutable` is set");
  }
}

export const configMapRules: KindRules<ConfigMap> = {
  validate: (map) => collect((errors) => validateConfigMap(errors, map)),
  validateUpdate: (map, old) => collect((errors) => validateConfigMapUpdate(errors, map, old)),
  columns: [
    nameColumn,
    column(
      "Data",
      "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'.",
    ),
    ageColumn,
  ],
  cells: (map, now) => [
    map.metadata.name,
    Object.keys(map.data ?? {}).length + Object.keys(map.binaryData ?? {}).length,
    ageOf(map.metadata.creationTimestamp, now),
  ],
};
