/**
 * Writes the TypeScript interfaces of every API type from the facts in ../shared/k8s-1.36/types.json:
 * one file a group version in src/api/generated/. Run: node tools/generate-types.ts FACTS
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Field {
  json: string;
  inline?: boolean;
  type?: string;
  list?: string;
  map?: [string, string];
  structType?: string;
  pointer?: boolean;
  omitempty?: boolean;
  omitzero?: boolean;
}
interface Facts {
  types: Record<string, Field[]>;
  /** A Go type expression: `string`, `[]X`, `map[X]Y`, `= X`, a name of the same group or of another. */
  aliases: Record<string, string>;
}

const scalars: Record<string, string> = {
  string: "string",
  bool: "boolean",
  int32: "number",
  int64: "number",
  float64: "number",
  bytes: "string",
};
/** Types of the machinery that are no structs in JSON. */
const machinery: Record<string, string> = {
  Quantity: "string",
  IntOrString: "number | string",
  Time: "string",
  MicroTime: "string",
  Duration: "string",
  RawExtension: "unknown",
  FieldsV1: "Record<string, unknown>",
  UID: "string",
  JSON: "unknown",
  "interface{}": "unknown",
  CustomResourceSubresourceStatus: "Record<string, never>",
  Event: "unknown",
};

export function fileNameOf(group: string): string {
  return `${group.replace("/", "-")}.ts`;
}

function generateTypes(facts: Facts): Map<string, string> {
  const files = new Map<string, string>();
  const groups = new Map<string, string[]>();
  for (const name of Object.keys(facts.types)) {
    const group = name.slice(0, name.lastIndexOf("."));
    groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  for (const [group, names] of groups) {
    const imports = new Map<string, Set<string>>();
    const body = names.map((name) => renderInterface(facts, group, name, imports)).join("\n");
    const head = [...imports].sort().map(([other, used]) => {
      return `import type { ${[...used]
        .sort()
        .map((n) => `${n} as ${alias(other, n)}`)
        .join(", ")} } from "./${fileNameOf(other)}";\n`;
    });
    files.set(
      fileNameOf(group),
      `// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.\n${head.join("")}\n${body}`,
    );
  }
  return files;
}

function alias(group: string, name: string): string {
  return `${group.replace(/[^a-zA-Z0-9]/g, "_")}_${name}`;
}

function renderInterface(facts: Facts, group: string, name: string, imports: Map<string, Set<string>>): string {
  const short = name.slice(name.lastIndexOf(".") + 1);
  const fields = facts.types[name] ?? [];
  if (fields.length > 0 && fields.every((field) => field.json === "" && field.inline !== true)) {
    const options = fields.map((field) => renderType(facts, group, field, imports));
    return `export type ${short} = ${options.join(" | ")};\n`;
  }
  const lines: string[] = [];
  for (const field of fields) {
    if (field.inline) {
      for (const line of inlineFields(facts, group, field, imports)) lines.push(line);
    } else {
      lines.push(renderField(facts, group, field, imports));
    }
  }
  return `export interface ${short} {\n${lines.join("")}}\n`;
}

function inlineFields(facts: Facts, group: string, field: Field, imports: Map<string, Set<string>>): string[] {
  const type = field.type ?? "";
  return (facts.types[type] ?? []).flatMap((inner) =>
    inner.inline ? inlineFields(facts, group, inner, imports) : [renderField(facts, group, inner, imports)],
  );
}

function renderField(facts: Facts, group: string, field: Field, imports: Map<string, Set<string>>): string {
  const isStruct = field.type !== undefined && field.type in facts.types;
  const isValueStruct = isStruct && field.pointer !== true && field.omitzero !== true;
  const always = isValueStruct || (field.omitempty !== true && field.omitzero !== true && field.pointer !== true);
  const key = /^[A-Za-z_$][\w$]*$/.test(field.json) ? field.json : JSON.stringify(field.json);
  return `  ${key}${always ? "" : "?"}: ${renderType(facts, group, field, imports)};\n`;
}

function renderType(
  facts: Facts,
  group: string,
  shape: { type?: string; list?: string; map?: [string, string] },
  imports: Map<string, Set<string>>,
): string {
  if (shape.list !== undefined) {
    const element = renderName(facts, group, shape.list, imports);
    return element.includes("|") ? `(${element})[]` : `${element}[]`;
  }
  if (shape.map !== undefined) return `Record<string, ${renderName(facts, group, shape.map[1], imports)}>`;
  return renderName(facts, group, shape.type ?? "", imports);
}

function renderName(facts: Facts, group: string, type: string, imports: Map<string, Set<string>>): string {
  const scalar = scalars[type];
  if (scalar !== undefined) return scalar;
  if (type in facts.types) {
    const owner = type.slice(0, type.lastIndexOf("."));
    const short = type.slice(type.lastIndexOf(".") + 1);
    if (owner === group) return short;
    imports.set(owner, (imports.get(owner) ?? new Set()).add(short));
    return alias(owner, short);
  }
  const aliased = facts.aliases[type];
  if (aliased !== undefined) return renderExpression(facts, group, aliased, imports);
  const known = machinery[type.slice(type.lastIndexOf(".") + 1)];
  if (known !== undefined) return known;
  if (type.startsWith("metav1.")) return renderName(facts, group, `meta/v1.${type.slice(7)}`, imports);
  throw new Error(`Cannot name type ${type} in ${group}: it is neither a struct, an alias nor known machinery`);
}

/** Renders a Go type expression, in which a bare name belongs to the group itself. */
function renderExpression(facts: Facts, group: string, expression: string, imports: Map<string, Set<string>>): string {
  if (expression.startsWith("= ")) return renderExpression(facts, group, expression.slice(2), imports);
  if (expression.startsWith("[]")) return `${renderExpression(facts, group, expression.slice(2), imports)}[]`;
  const map = /^map\[\w+\](.+)$/.exec(expression);
  if (map !== null) return `Record<string, ${renderExpression(facts, group, map[1] ?? "", imports)}>`;
  const isLocal = !expression.includes(".") && !(expression in scalars);
  return renderName(facts, group, isLocal ? `${group}.${expression}` : expression, imports);
}

if (process.argv[1] === import.meta.filename) {
  const facts = JSON.parse(readFileSync(process.argv[2] ?? "../shared/k8s-1.36/types.json", "utf8")) as Facts;
  const folder = join(import.meta.dirname, "../src/api/generated");
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of generateTypes(facts)) if (file !== "runtime.ts") writeFileSync(join(folder, file), text);
}
