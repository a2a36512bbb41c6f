import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import { decode } from "#codec/decode.ts";
import { isEqualValue } from "#codec/record.ts";
import { rulesOfSchema } from "./rules.ts";
import { runRules } from "./run-rules.ts";
import { itemsOf } from "./schema-types.ts";
import { structuralSchema } from "./structural.ts";
import { checkValue } from "./check-value.ts";

const depthMax = 512;

/** Defaults must be values that the schema lets through, and hold no fields that pruning would take away. */
export function checkDefaults(errors: FieldErrors, field: string, schema: JSONSchemaProps, depth = 0): void {
  if (depthMax < depth) return;
  if (schema.default !== undefined) {
    if (depth === 0) errors.forbidden(`${field}.default`, "must not be set at the root");
    else checkDefault(errors, `${field}.default`, schema);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (depth === 0 && name === "metadata") continue;
    checkDefaults(errors, `${field}.properties[${name}]`, property, depth + 1);
  }
  const items = itemsOf(schema);
  if (items !== undefined) checkDefaults(errors, `${field}.items`, items, depth + 1);
  if (typeof schema.additionalProperties === "object")
    checkDefaults(errors, `${field}.additionalProperties`, schema.additionalProperties, depth + 1);
}

/** The default stands in an object of its own, so that pruning, defaulting and validation are those of real objects. */
function checkDefault(errors: FieldErrors, field: string, schema: JSONSchemaProps): void {
  const { default: value, ...rest } = schema;
  const holder: JSONSchemaProps = { type: "object", properties: { value: rest } };
  const { object, unknownFields } = decode(structuralSchema(holder), { value }, { defaults: true });
  if (unknownFields.length > 0 || (value === null && schema.nullable !== true)) {
    errors.invalid(
      field,
      value,
      value === null ? "must not be null when nullable is false" : "must not have unspecified fields",
    );
    return;
  }
  const found = new FieldErrors();
  checkValue(found, field, rest, object["value"]);
  const tree = rulesOfSchema(holder);
  if (found.list.length === 0 && tree !== undefined && isEqualValue(value, object["value"])) {
    const broken = new FieldErrors();
    runRules(broken, tree, object, undefined);
    for (const each of broken.list) found.list.push({ ...each, field: field + each.field.slice("value".length) });
  }
  errors.list.push(...found.list);
}
