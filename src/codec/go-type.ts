import type { ScalarSchema, Schema } from "./schema.ts";

/** `v1.Protocol` of `core/v1.Protocol`: Go's package and type. */
export function goName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** The Go type of a schema, as messages name it. */
export function goTypeOf(schema: Schema): string {
  switch (schema.node) {
    case "scalar": {
      if (schema.name !== undefined) return goName(schema.name);
      const names: Partial<Record<ScalarSchema["type"], string>> = {
        bytes: "[]uint8",
        quantity: "resource.Quantity",
        "int-or-string": "intstr.IntOrString",
        time: "v1.Time",
        "micro-time": "v1.MicroTime",
        duration: "v1.Duration",
      };
      return names[schema.type] ?? schema.type;
    }
    case "list":
      return schema.name === undefined ? `[]${goTypeOf(schema.element)}` : goName(schema.name);
    case "map":
      return schema.name === undefined
        ? `map[${goName(schema.keyName ?? "string")}]${goTypeOf(schema.value)}`
        : goName(schema.name);
    case "struct":
    case "union":
      return schema.name === "" ? "map[string]interface {}" : goName(schema.name);
    case "any":
      return "interface {}";
  }
}
