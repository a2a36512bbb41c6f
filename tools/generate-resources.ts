/**
 * Writes src/api/generated/resources.ts from the published list of resources (../shared/k8s-1.36/resources.md): stable group
 * versions only. Run: node tools/generate-resources.ts [LIST [FACTS]]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileNameOf } from "./generate-types.ts";

const allVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

interface Row {
  group: string;
  version: string;
  resource: string;
  kind: string;
  namespaced: boolean;
  shortNames: string[];
  categories: string[];
  verbs: string[];
  subresources: { name: string; kind: string; verbs: string[] }[];
}

function parseResources(markdown: string): Row[] {
  const rows: Row[] = [];
  let group = "";
  let version = "";
  let isStable = false;
  for (const line of markdown.split("\n")) {
    const heading = /^### (\S+?)[ /](v\w+) — (on|OFF) by default/.exec(line);
    if (heading !== null) {
      group = heading[1] === "core" ? "" : (heading[1] ?? "");
      version = heading[2] ?? "";
      isStable = heading[3] === "on";
      continue;
    }
    const cells = line.split("|").map((cell) => cell.trim());
    if (!isStable || cells.length < 9 || cells[1] === "resource" || cells[1]?.startsWith("---")) continue;
    const [, resource = "", kind = "", scope, short = "", categories = "", verbs = "", subresources = ""] = cells;
    rows.push({
      group,
      version,
      resource,
      kind,
      namespaced: scope === "ns",
      shortNames: words(short),
      categories: words(categories),
      verbs: verbs === "all 8" ? allVerbs : words(verbs),
      subresources: subresources
        .split(";")
        .filter((text) => text.trim() !== "")
        .map(parseSubresource),
    });
  }
  return rows;
}

function parseSubresource(text: string): { name: string; kind: string; verbs: string[] } {
  const match = /^\s*(\w+) \((\w+): ([\w,]+)\)\s*$/.exec(text);
  if (match === null) throw new Error(`Cannot read subresource "${text}": expected "name (Kind: verb,verb)"`);
  return { name: match[1] ?? "", kind: match[2] ?? "", verbs: words(match[3] ?? "") };
}

function words(text: string): string[] {
  return text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

/** The group version in the facts (`core/v1`, `rbac/v1`) of an API group (``, `rbac.authorization.k8s.io`). */
function factsGroup(group: string, version: string): string {
  return `${group === "" ? "core" : (group.split(".")[0] ?? "")}/${version}`;
}

function renderResources(rows: readonly Row[], typeNames: ReadonlySet<string>): string {
  const imports = new Map<string, Map<string, string>>();
  const entries = rows.map((row) => {
    const owner = factsGroup(row.group, row.version);
    const known = typeNames.has(`${owner}.${row.kind}`);
    const local = `${row.kind}_${owner.replace(/\W/g, "_")}`;
    if (known) imports.set(owner, (imports.get(owner) ?? new Map<string, string>()).set(row.kind, local));
    const name = constantName(row, rows);
    const data = { type: known ? `${owner}.${row.kind}` : "", ...row };
    return `export const ${name}: Resource<${known ? local : "unknown"}> = ${JSON.stringify(data)};\n`;
  });
  const head = [...imports]
    .sort()
    .map(
      ([owner, names]) =>
        `import type { ${[...names].map(([n, as]) => `${n} as ${as}`).join(", ")} } from "./${fileNameOf(owner)}";\n`,
    );
  const names = rows.map((row) => constantName(row, rows));
  return [
    "// Written by tools/generate-resources.ts from the published list of resources. Do not edit.",
    'import type { Resource } from "../resource.ts";',
    head.join(""),
    entries.join(""),
    "/** Every stable built-in resource, in the order in which discovery lists them. */",
    `export const builtInResources: readonly Resource<unknown>[] = [${names.join(", ")}];`,
    "",
  ].join("\n");
}

/** `pods`; where two group versions share a name, the later one in the list gets its group and version: `eventsK8sIoV1Events`. */
function constantName(row: Row, rows: readonly Row[]): string {
  const first = rows.find((other) => other.resource === row.resource);
  if (first === row) return row.resource;
  const prefix = (row.group.split(".")[0] ?? "") + row.version.toUpperCase();
  return prefix + (row.resource[0] ?? "").toUpperCase() + row.resource.slice(1);
}

if (process.argv[1] === import.meta.filename) {
  const rows = parseResources(readFileSync(process.argv[2] ?? "../shared/k8s-1.36/resources.md", "utf8"));
  const facts = JSON.parse(readFileSync(process.argv[3] ?? "../shared/k8s-1.36/types.json", "utf8")) as {
    types: object;
  };
  const target = join(import.meta.dirname, "../src/api/generated/resources.ts");
  writeFileSync(target, renderResources(rows, new Set(Object.keys(facts.types))));
}
