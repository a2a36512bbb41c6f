/**
 * Writes src/api/generated/type-table.ts: every API type of the published facts as one compact line, read by
 * src/api/schemas.ts. Run: node tools/generate-type-table.ts [FACTS]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Field {
  json: string;
  inline?: boolean;
  type?: string;
  list?: string;
  map?: [string, string];
  pointer?: boolean;
  omitempty?: boolean;
  omitzero?: boolean;
  optional?: boolean;
  required?: boolean;
  number?: number;
  default?: unknown;
  patchStrategy?: string;
  patchMergeKey?: string;
  listType?: string;
  listMapKeys?: string[];
  mapType?: string;
  structType?: string;
}
interface Facts {
  types: Record<string, Field[]>;
  aliases: Record<string, string>;
}

/** Named Go constants that the facts give as defaults. */
const constants: Record<string, string> = {
  AzureDataDiskCachingReadWrite: "ReadWrite",
  AzureSharedBlobDisk: "Shared",
};

/** `json|type|flags|number|key=value…`: the form that src/api/schemas.ts reads. */
function renderField(field: Field): string {
  const type =
    field.list !== undefined
      ? `[]${field.list}`
      : field.map !== undefined
        ? `{${field.map[0]}}${field.map[1]}`
        : field.type;
  const flags = [
    field.inline ? "i" : "",
    field.pointer ? "*" : "",
    field.omitempty ? "o" : "",
    field.omitzero ? "z" : "",
    field.optional ? "?" : "",
    field.required ? "!" : "",
  ].join("");
  const parts = [field.json, type ?? "", flags, String(field.number ?? 0)];
  if (field.default !== undefined) parts.push(`d=${JSON.stringify(defaultOf(field.default))}`);
  if (field.patchStrategy !== undefined) parts.push(`p=${field.patchStrategy}`);
  if (field.patchMergeKey !== undefined) parts.push(`k=${field.patchMergeKey}`);
  if (field.listType !== undefined) parts.push(`l=${field.listType}`);
  if (field.listMapKeys !== undefined) parts.push(`m=${field.listMapKeys.join(",")}`);
  if (field.mapType !== undefined) parts.push(`a=${field.mapType}`);
  if (field.structType !== undefined) parts.push(`s=${field.structType}`);
  if (parts.some((part) => part.includes("|") || part.includes(";")))
    throw new Error(`Cannot encode field ${field.json}`);
  return parts.join("|");
}

function defaultOf(value: unknown): unknown {
  const reference = typeof value === "string" ? /^ref\((\w+)\)$/.exec(value) : null;
  if (reference === null) return value;
  const constant = constants[reference[1] ?? ""];
  if (constant === undefined)
    throw new Error(`Cannot resolve default ${String(value)}: no such constant is known here`);
  return constant;
}

export function generateTypeTable(facts: Facts): string {
  const lines = Object.entries(facts.types).map(
    ([name, fields]) => `  ${quote(name)}: ${quote(fields.map(renderField).join(";"))},`,
  );
  const aliases = Object.entries(facts.aliases).map(([name, type]) => `  ${quote(name)}: ${quote(type)},`);
  return `// Written by tools/generate-type-table.ts from the published facts of the Kubernetes API. Do not edit.

/** Fields of every type, separated by \`;\`, each \`json|type|flags|number|key=value…\`. */
export const typeTable: Readonly<Record<string, string>> = {
${lines.join("\n")}
};

/** Named scalars, lists and maps as Go type expressions. */
export const typeAliases: Readonly<Record<string, string>> = {
${aliases.join("\n")}
};
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

if (process.argv[1] === import.meta.filename) {
  const facts = JSON.parse(readFileSync(process.argv[2] ?? "../shared/k8s-1.36/types.json", "utf8")) as Facts;
  writeFileSync(join(import.meta.dirname, "../src/api/generated/type-table.ts"), generateTypeTable(facts));
}
