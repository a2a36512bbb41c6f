/** The tree tests itself: arrows between rooms, cycles, dead files, forbidden names, sizes, documents. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { layers, outsideNames, outsidePlaces, packagesAllowed } from "./layers.ts";
import { projectRoot, readSources, resolveImport, roomOf, type SourceFile } from "./source-files.ts";

const sources = readSources();
const byPath = new Map(sources.map((source) => [source.path, source]));
const fileLinesMax = 700;
const lineColumnsMax = 140;

test("every import follows an arrow of the table", () => {
  const wrong = sources.flatMap((source) =>
    source.imports.flatMap(({ specifier, line }) => {
      const problem = arrowProblem(source.path, specifier);
      return problem === undefined ? [] : [`${source.path}:${line} imports ${specifier}: ${problem}`];
    }),
  );
  assert.deepEqual(wrong, []);
});

test("imports across rooms are written #room/file.ts, inside a room ./file.ts", () => {
  const wrong = sources.flatMap((source) =>
    source.imports.flatMap(({ specifier, line }) => {
      const target = resolveImport(source.path, specifier);
      if (target === undefined || roomOf(source.path) === undefined) return [];
      const sameRoom = roomOf(source.path) === roomOf(target);
      const isRelative = specifier.startsWith(".");
      return sameRoom === isRelative ? [] : [`${source.path}:${line} ${specifier}`];
    }),
  );
  assert.deepEqual(wrong, []);
});

test("every import names a file that exists", () => {
  const missing = sources.flatMap((source) =>
    source.imports.flatMap(({ specifier, line }) => {
      const target = resolveImport(source.path, specifier);
      return target === undefined || byPath.has(target) || existsSync(join(projectRoot, target))
        ? []
        : [`${source.path}:${line} ${specifier}`];
    }),
  );
  assert.deepEqual(missing, []);
});

test("no import cycles", () => {
  assert.deepEqual(findCycle(), []);
});

test("no file that nobody imports", () => {
  const imported = new Set(
    sources.flatMap((source) => source.imports.map(({ specifier }) => resolveImport(source.path, specifier))),
  );
  const isEntry = (path: string): boolean =>
    /^(src\/main|src\/api\/generated|tests|benches|tools|examples)\//.test(path) || /\.(test|worker|d)\.ts$/.test(path);
  const started = sources.map((source) => source.text).join("\n");
  const dead = sources
    .filter(({ path }) => !isEntry(path) && !imported.has(path))
    // A file started as a worker or child process is named by its room, or by a test beside it.
    .filter(({ path }) => !started.includes(`"#${path.slice("src/".length)}"`))
    .filter(({ path }) => !started.includes(`"./${path.slice(path.lastIndexOf("/") + 1)}"`))
    .map(({ path }) => path);
  assert.deepEqual(dead, []);
});

/** Types are left out: what a signature names, callers may want to name too. */
const exported = /^export (?:async |abstract )?(?:function\*?|const|let|class) ([\w$]+)/gm;

test("nothing is exported that no other file names", () => {
  const filesNaming = new Map<string, number>();
  for (const { text } of sources)
    for (const word of new Set(text.match(/[A-Za-z_$][\w$]*/g)))
      filesNaming.set(word, (filesNaming.get(word) ?? 0) + 1);
  const idle = sources
    .filter(({ path }) => !path.startsWith("src/api/generated/"))
    .flatMap(({ path, text }) => Array.from(text.matchAll(exported), ([, name = ""]) => ({ path, name })))
    .filter(({ name }) => filesNaming.get(name) === 1)
    .map(({ path, name }) => `${path}: ${name}`);
  assert.deepEqual(idle, []);
});

test("no source finds another file by its own place: it may run from a bundle", () => {
  const ownPlace = /import\.meta\.(dirname|filename)|import\.meta\.resolve\("\.|new URL\("\./;
  const wrong = sources
    .filter(({ path }) => path.startsWith("src/") && !path.endsWith(".test.ts"))
    .flatMap(({ path, lines }) => lines.flatMap((line, at) => (ownPlace.test(line) ? [`${path}:${at + 1}`] : [])));
  assert.deepEqual(wrong, []);
});

test("only world reaches outside the process", () => {
  const wrong = sources
    .filter(({ path }) => !outsidePlaces.some((place) => place.test(path)))
    .flatMap((source) =>
      source.lines.flatMap((line, index) =>
        outsideNames
          .filter(({ pattern }) => pattern.test(withoutComment(line)))
          .map(({ instead }) => `${source.path}:${index + 1} ${line.trim()} -- use ${instead}`),
      ),
    );
  assert.deepEqual(wrong, []);
});

test("plans are synchronous and know no world", () => {
  const plans = sources.filter(({ path }) => /\/plan(-[a-z-]+)?\.ts$/.test(path));
  const wrong = plans.flatMap((source) => [
    ...(/\basync\b|\bawait\b|\bPromise</.test(source.text) ? [`${source.path} is asynchronous`] : []),
    ...source.imports
      .filter(({ specifier }) => /^#(world|client)\//.test(specifier))
      .map(({ specifier }) => `${source.path} imports ${specifier}`),
  ]);
  assert.deepEqual(wrong, []);
});

test("files, lines and names stay within bounds", () => {
  const wrong = sources
    .filter(({ path }) => !path.includes("/generated/"))
    .flatMap((source) => [
      ...(source.lines.length > fileLinesMax ? [`${source.path} has ${source.lines.length} lines`] : []),
      ...source.lines.flatMap((line, index) =>
        line.length > lineColumnsMax ? [`${source.path}:${index + 1} has ${line.length} columns`] : [],
      ),
      ...(/(^|[/-])(util|utils|helper|helpers|common|manager|misc)([/.-]|$)/.test(source.path)
        ? [`${source.path} has a name that says nothing`]
        : []),
    ]);
  assert.deepEqual(wrong, []);
});

test("no escapes from the type checker, no forbidden syntax", () => {
  const bans: readonly { readonly pattern: RegExp; readonly what: string }[] = [
    { pattern: /:\s*any\b|\bas any\b|<any>/, what: "any" },
    { pattern: /\bas unknown as\b/, what: "as unknown as" },
    { pattern: /@ts-(ignore|expect-error|nocheck)/, what: "a switched-off check" },
    { pattern: /^export default\b/, what: "a default export" },
    { pattern: /^\s*(export )?(enum \w+|namespace [\w.]+ \{)/, what: "syntax that does not erase" },
    { pattern: /^export \* from/, what: "a barrel" },
  ];
  const wrong = sources
    .filter(({ path }) => !path.includes("/generated/") && path !== "tests/tree/tree.test.ts")
    .flatMap((source) =>
      source.lines.flatMap((line, index) =>
        bans
          .filter(({ pattern }) => pattern.test(withoutComment(line)))
          .map(({ what }) => `${source.path}:${index + 1} has ${what}`),
      ),
    );
  assert.deepEqual(wrong, []);
});

test("every room says what it does and must not do", () => {
  const rooms = [...new Set(sources.map(({ path }) => roomOf(path)).filter((room) => room !== undefined))];
  const wrong = rooms.flatMap((room) => {
    const path = join(projectRoot, "src", room, "README.md");
    if (!existsSync(path)) return [`src/${room} has no README.md`];
    const lines = readFileSync(path, "utf8").split("\n").length;
    return lines > 60 ? [`src/${room}/README.md has ${lines} lines`] : [];
  });
  assert.deepEqual(wrong, []);
});

test("every dependency is justified in docs/dependencies.md, and nothing else is", () => {
  const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as Record<
    string,
    Record<string, string>
  >;
  const declared = ["dependencies", "devDependencies", "optionalDependencies"]
    .flatMap((key) => Object.keys(manifest[key] ?? {}))
    .sort();
  const documented = [...readFileSync(join(projectRoot, "docs/dependencies.md"), "utf8").matchAll(/^\| `([^`]+)` \|/gm)]
    .map((match) => match[1] ?? "")
    .sort();
  assert.deepEqual(documented, declared);
});

function arrowProblem(from: string, specifier: string): string | undefined {
  const room = roomOf(from);
  if (room === undefined || from.endsWith(".test.ts")) return undefined;
  const target = resolveImport(from, specifier);
  if (target === undefined) return packageProblem(from, room, specifier);
  const targetRoom = roomOf(target);
  if (targetRoom === undefined) return "the product does not import tests, benches or tools";
  if (targetRoom === room) return undefined;
  const allowed = layers[room];
  if (allowed === undefined) return `room ${room} is not in the table`;
  if (allowed.includes(`!${targetRoom}`)) return `${room} may not import ${targetRoom}`;
  return allowed.includes("*") || allowed.includes(targetRoom) ? undefined : `${room} may not import ${targetRoom}`;
}

function packageProblem(from: string, room: string, specifier: string): string | undefined {
  if (outsidePlaces.some((place) => place.test(from))) return undefined;
  const name = specifier.startsWith("@") ? specifier.split("/").slice(0, 2).join("/") : (specifier.split("/")[0] ?? "");
  return (packagesAllowed[room] ?? []).includes(name) ? undefined : `${room} may not import the package ${name}`;
}

function findCycle(): string[] {
  const state = new Map<string, "open" | "closed">();
  const trail: string[] = [];
  const visit = (source: SourceFile): string[] => {
    state.set(source.path, "open");
    trail.push(source.path);
    for (const { specifier } of source.imports) {
      const target = byPath.get(resolveImport(source.path, specifier) ?? "");
      // Types only: erased before the program runs, so no cycle at run time.
      if (target === undefined || isTypeOnly(source, specifier)) continue;
      if (state.get(target.path) === "open") return [...trail.slice(trail.indexOf(target.path)), target.path];
      if (state.get(target.path) === undefined) {
        const found = visit(target);
        if (found.length > 0) return found;
      }
    }
    trail.pop();
    state.set(source.path, "closed");
    return [];
  };
  for (const source of sources) {
    if (state.get(source.path) !== undefined) continue;
    const found = visit(source);
    if (found.length > 0) return found;
  }
  return [];
}

function isTypeOnly(source: SourceFile, specifier: string): boolean {
  return (
    new RegExp(`^\\s*(import|export) type [^;]*["']${specifier.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}["']`, "m").test(
      source.text,
    ) &&
    !new RegExp(
      `^\\s*(import|export) (?!type )[^;]*["']${specifier.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}["']`,
      "m",
    ).test(source.text)
  );
}

function withoutComment(line: string): string {
  const trimmed = line.trimStart();
  return trimmed.startsWith("//") || trimmed.startsWith("*") || trimmed.startsWith("/*")
    ? ""
    : line.replace(/\s\/\/ .*$/, "");
}
