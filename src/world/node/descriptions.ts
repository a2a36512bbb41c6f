import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

interface Descriptions {
  readonly type: string | undefined;
  readonly fields: ReadonlyMap<string, string>;
}

const nothing: Descriptions = { type: undefined, fields: new Map() };

/**
 * Reads the published descriptions of API types (`core/v1.PodSpec`) and their fields out of the installed
 * `@kubernetes/client-node`, whose declaration files carry them. A file is read when its type is first asked for, and kept.
 * Without the package, or for a type that it does not have, the answer is undefined.
 */
export function packageDescriptions(): (typeName: string, field?: string) => string | undefined {
  const folder = modelsFolder();
  const known = new Map<string, Descriptions>();
  return (typeName, field) => {
    let descriptions = known.get(typeName);
    if (descriptions === undefined) {
      descriptions = folder === undefined ? nothing : readType(folder, typeName);
      known.set(typeName, descriptions);
    }
    if (field === undefined) return descriptions.type;
    return descriptions.fields.get(spelled(field));
  };
}

function modelsFolder(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve("@kubernetes/client-node");
    return join(dirname(entry), "gen/models");
  } catch {
    // The package is not installed: documents go without descriptions.
    return undefined;
  }
}

/** `core/v1.Event` is in `CoreV1Event` where the name alone is ambiguous, else in `V1Event`. */
function readType(folder: string, typeName: string): Descriptions {
  const match = /^([^/]+)\/([^.]+)\.(.+)$/.exec(typeName);
  if (match === null) return nothing;
  const [, group = "", version = "", name = ""] = match;
  const short = capital(version) + name;
  return readFile(join(folder, `${capital(group)}${short}.d.ts`)) ?? readFile(join(folder, `${short}.d.ts`)) ?? nothing;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function readFile(path: string): Descriptions | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const fields = new Map<string, string>();
  let type: string | undefined;
  for (const match of text.matchAll(/\/\*\*\s*\n\s*\* ([^\n]*)\n\s*\*\/\s*\n\s*(?:export declare class|'([^']+)')/g)) {
    const description = (match[1] ?? "").replace(/\\(['"])/g, "$1");
    if (match[2] === undefined) type = description;
    else fields.set(spelled(match[2]), description);
  }
  return { type, fields };
}

/** Names as the package writes them: no hyphens, an underscore before words of the language. */
function spelled(field: string): string {
  return field
    .replace(/[^A-Za-z0-9$]/g, "_")
    .replace(/^_/, "")
    .replace(/^\$/, "");
}
