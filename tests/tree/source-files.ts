import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const projectRoot = join(import.meta.dirname, "../..");

export interface SourceFile {
  /** From the project's root, e.g. `src/base/cidr.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly imports: readonly { readonly specifier: string; readonly line: number }[];
}

const importPattern =
  /^\s*(?:import|export)\b[^"']*?from\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;

export function readSources(): SourceFile[] {
  const paths = globSync(["src/**/*.ts", "tests/**/*.ts", "benches/**/*.ts", "tools/**/*.ts", "examples/**/*.ts"], {
    cwd: projectRoot,
  });
  return paths.sort().map((path) => {
    const text = readFileSync(join(projectRoot, path), "utf8");
    const imports = [...text.matchAll(importPattern)].map((match) => ({
      specifier: match[1] ?? match[2] ?? match[3] ?? "",
      line: text.slice(0, match.index).split("\n").length,
    }));
    return { path, text, lines: text.split("\n"), imports };
  });
}

/** The room of a file in src/: its first folder. */
export function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** The file that an import names, from the project's root; undefined for packages and Node's own modules. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith("#tools/")) return `tools/${specifier.slice("#tools/".length)}`;
  if (specifier.startsWith("#")) return `src/${specifier.slice(1)}`;
  if (!specifier.startsWith(".")) return undefined;
  return join(from, "..", specifier);
}
