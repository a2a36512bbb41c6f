/**
 * Runs every test there is: formatting, types, lint, then Node's test runner over all test files; prints
 * `N passed, N failed` last. Fast tests run two at a time; those with real containers, networks or whole clusters one by one.
 * Run: ./steer test [PATTERN]   (a pattern picks test files by path and leaves the checks out)
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { run } from "node:test";
import { ensureNodePackages, ensurePackages } from "#main/debian.ts";
import { createProgress } from "#main/progress.ts";
import { realProcesses } from "#world/node/processes.ts";

const root = join(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules/.bin", name);

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const checks: readonly { readonly name: string; readonly command: string; readonly args: readonly string[] }[] = [
  { name: "format", command: bin("oxfmt"), args: ["--check", "src", "tests", "benches", "tools", "examples"] },
  { name: "types", command: bin("tsc"), args: ["-p", "tsconfig.json"] },
  { name: "types inside, without Node's", command: bin("tsc"), args: ["-p", "tsconfig.inside.json"] },
  {
    name: "lint",
    command: bin("oxlint"),
    args: ["--type-aware", "--deny-warnings", "src", "tests", "benches", "tools"],
  },
];

/** Whole clusters, containers, kernel networks: one at a time, so that they neither collide nor starve each other. */
const serialFolders = /^tests\/(clients|cluster|conformance|crash|delivery|network|node|observability)\//;
/** A single file that takes longer than this is ended and counted as failed. */
const fileTimeoutMs = 8 * 60 * 1000;

/** Programs that tests use and that a bare machine may lack, with the Debian package that brings each. */
const testPrograms: readonly { readonly name: string; readonly proof: string }[] = [
  { name: "curl", proof: "/usr/bin/curl" },
  { name: "openssl", proof: "/usr/bin/openssl" },
  { name: "procps", proof: "/usr/bin/pgrep" },
  { name: "bsdutils", proof: "/usr/bin/script" },
];

/** As root: what real nodes and the tests need. Without root those tests are skipped, and say so. */
async function installPrograms(): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const progress = createProgress();
  await ensureNodePackages(realProcesses, progress);
  const missing = testPrograms.filter(({ proof }) => !existsSync(proof)).map(({ name }) => name);
  await ensurePackages(realProcesses, progress, missing);
}

async function runTests(pattern: string | undefined): Promise<number> {
  const startedAtMs = performance.now();
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  const chosen = globSync(["src/**/*.test.ts", "tests/**/*.test.ts"], { cwd: root })
    .filter((path) => pattern === undefined || path.includes(pattern))
    .sort();
  await installPrograms();
  if (pattern === undefined) for (const check of checks) runCheck(check, tally);
  const isSerial = (path: string): boolean => serialFolders.test(path);
  await runFiles(
    chosen.filter((path) => !isSerial(path)),
    2,
    tally,
  );
  await runFiles(chosen.filter(isSerial), 1, tally);
  const seconds = Math.round((performance.now() - startedAtMs) / 1000);
  process.stdout.write(`\n${chosen.length} files in ${seconds} s\n`);
  process.stdout.write(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped\n`);
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1;
}

function runCheck(check: (typeof checks)[number], tally: Tally): void {
  const result = spawnSync(process.execPath, [check.command, ...check.args], { cwd: root, encoding: "utf8" });
  const isGood = result.status === 0;
  process.stdout.write(
    `${isGood ? "ok  " : "FAIL"} ${check.name}\n${isGood ? "" : `${result.stdout}${result.stderr}\n`}`,
  );
  tally[isGood ? "passed" : "failed"] += 1;
}

async function runFiles(files: readonly string[], concurrency: number, tally: Tally): Promise<void> {
  const drawsInputs = (path: string): boolean => readFileSync(join(root, path), "utf8").includes('"fast-check"');
  const fixed = ["--import", join(root, "tools/fixed-fuzz.ts")];
  await runAlike(files.filter(drawsInputs), { concurrency, execArgv: fixed }, tally);
  await runAlike(
    files.filter((path) => !drawsInputs(path)),
    { concurrency },
    tally,
  );
}

async function runAlike(
  files: readonly string[],
  options: { readonly concurrency: number; readonly execArgv?: string[] },
  tally: Tally,
): Promise<void> {
  if (files.length === 0) return;
  const stream = run({
    files: files.map((path) => join(root, path)),
    timeout: fileTimeoutMs,
    forceExit: true,
    cwd: root,
    ...options,
  });
  for await (const event of stream) {
    if (event.type === "test:pass") countPass(event.data, tally);
    else if (event.type === "test:fail") countFail(event.data, tally);
    else if (event.type === "test:stderr") process.stderr.write(event.data.message);
    else if (event.type === "test:stdout") process.stdout.write(event.data.message);
  }
}

interface TestEvent {
  readonly name: string;
  readonly nesting: number;
  readonly file?: string | undefined;
  readonly skip?: string | boolean | undefined;
  readonly details: { readonly duration_ms: number; readonly type?: string | undefined; readonly error?: unknown };
}

function countPass(data: TestEvent, tally: Tally): void {
  if (data.details.type === "suite") return;
  if (data.skip === undefined || data.skip === false) {
    tally.passed += 1;
    return;
  }
  tally.skipped += 1;
  process.stdout.write(`skip ${data.name}: ${String(data.skip)}\n`);
}

function countFail(data: TestEvent, tally: Tally): void {
  if (data.details.type === "suite") return;
  tally.failed += 1;
  const error = data.details.error as { cause?: unknown; message?: string } | undefined;
  const cause = error?.cause instanceof Error ? error.cause.stack : (error?.message ?? String(error));
  process.stdout.write(
    `FAIL ${data.file === undefined ? "" : relative(root, data.file)}: ${data.name}\n${cause ?? ""}\n`,
  );
}

process.exitCode = await runTests(process.argv[2]);
