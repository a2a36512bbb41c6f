/**
 * Switches behaviours off, one at a time, and runs the conformance test that names each: it must turn red. Works on a copy of the
 * tree, so that nothing of this one is ever broken. Takes some minutes; prints a line for each.
 * Run: node tools/switch-off.ts [PATTERN]
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Switch {
  /** What the published name of the test contains. */
  readonly test: string;
  readonly file: string;
  /** The text that carries the behaviour, once in the file, and what stands there without it. */
  readonly on: string;
  readonly off: string;
}

const server = "src/apiserver";
const all = `${server}/admission/all.ts`;
const webhooks = "[mutatingWebhooks(webhooks), validatingWebhooks(webhooks)]";

const switches: readonly Switch[] = [
  { test: "should mount projected service account token", file: all, on: "    serviceAccount(options),\n", off: "" },
  { test: "should allow opting out of API token automount", file: all, on: "    serviceAccount(options),\n", off: "" },
  {
    test: "should mutate pod and apply defaults after mutation",
    file: all,
    on: webhooks,
    off: "[validatingWebhooks(webhooks)]",
  },
  {
    test: "should be able to deny custom resource creation, update and deletion",
    file: all,
    on: webhooks,
    off: "[mutatingWebhooks(webhooks)]",
  },
  { test: "should validate against a Deployment", file: all, on: "    validatingPolicies(forExpressions),\n", off: "" },
  {
    test: "Watchers should observe an object deletion if it stops meeting the requirements of the selector",
    file: `${server}/watch/watcher.ts`,
    on: "if (!matched && !matches) return undefined;",
    off: "if (!matches) return undefined;",
  },
  {
    test: "Watchers should receive events on concurrent watches in same order",
    file: `${server}/watch/watcher.ts`,
    on: "    if (event.revision <= this.#position || this.#isOver || this.#isEnding) return;",
    off: "    if (event.revision % 2 === 0 || this.#isOver || this.#isEnding) return;",
  },
  { test: "should unconditionally reject operations on fail closed webhook", file: all, on: webhooks, off: "[]" },
  { test: "should be able to deny attaching pod", file: all, on: webhooks, off: "[mutatingWebhooks(webhooks)]" },
  { test: "should deny crd creation", file: all, on: webhooks, off: "[]" },
  {
    test: "should be able to convert from CR v1 to CR v2",
    file: `${server}/custom/conversion.ts`,
    on: "return served.custom?.conversion !== undefined && object.apiVersion !== served.apiVersion;",
    off: "return false;",
  },
  {
    test: "should be able to convert a non homogeneous list of CRs",
    file: `${server}/custom/conversion.ts`,
    on: "return served.custom?.conversion !== undefined && object.apiVersion !== served.apiVersion;",
    off: "return false;",
  },
  {
    test: "CustomResourceFieldSelectors MUST list and watch",
    file: `${server}/reads/selection.ts`,
    on: "if (selection.fields.length === 0) return true;",
    off: "if (selection.fields.length >= 0) return true;",
  },
  {
    test: "FieldValidation should detect unknown and duplicate fields of a typed object",
    file: `${server}/objects/read-body.ts`,
    on: "if (strict !== undefined) return",
    off: "if (strict === null) return",
  },
  {
    test: "should detect duplicates in a CR when preserving unknown fields",
    file: `${server}/objects/read-body.ts`,
    on: "if (strict !== undefined) return",
    off: "if (strict === null) return",
  },
  {
    test: "should guarantee kube-root-ca.crt exist in any namespace",
    file: "src/controllers/all.ts",
    on: "if (options.rootCa !== undefined) controllers.push",
    off: "if (options.rootCa === null) controllers.push",
  },
  {
    test: "should check if kubectl can dry-run update Pods",
    file: `${server}/verbs/options.ts`,
    on: "\n    dryRun,\n",
    off: "\n    dryRun: false,\n",
  },
  {
    test: "AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers",
    file: `${server}/discovery/aggregated.ts`,
    on: 'if (parts.has("v=v2beta1")) return "v2beta1";',
    off: "",
  },
  {
    test: "should create a serviceAccountToken and ensure a successful TokenReview",
    file: `${server}/subresources/token.ts`,
    on: "audiences: request.spec.audiences ?? [],",
    off: 'audiences: ["nobody"],',
  },
  {
    test: "OrderedNamespaceDeletion namespace deletion should delete pod first",
    file: "src/controllers/namespace/plan.ts",
    on: "const doomed = pods === undefined ? content : [pods];",
    off: "const doomed = content;",
  },
];

const root = join(import.meta.dirname, "..");
const limitMs = 240_000;

function turnsRed(each: Switch): string {
  const copy = mkdtempSync(join(tmpdir(), "steer-off-"));
  try {
    for (const part of ["src", "tests", "tools", "steer", "package.json", "package-lock.json"])
      cpSync(join(root, part), join(copy, part), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    const path = join(copy, each.file);
    const text = readFileSync(path, "utf8");
    if (text.split(each.on).length !== 2) return `STALE: the text is not once in ${each.file}`;
    writeFileSync(
      path,
      text.replace(each.on, () => each.off),
    );
    const pattern = each.test.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const { status, stdout } = spawnSync(
      process.execPath,
      ["--test", `--test-name-pattern=${pattern}`, "tests/conformance/conformance.test.ts"],
      { cwd: copy, encoding: "utf8", timeout: limitMs },
    );
    if (!/ℹ pass \d+/.test(stdout)) return "NO RESULT";
    const line = stdout.split("\n").find((candidate) => /^[✔✖] /.test(candidate) && candidate.includes(each.test));
    if (line === undefined) return "NO SUCH TEST";
    return status !== 0 && line.startsWith("✖") ? "red" : "STAYS GREEN";
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const chosen = switches.filter(({ test }) => test.includes(process.argv[2] ?? ""));
for (const each of chosen) {
  const verdict = turnsRed(each);
  if (verdict !== "red") process.exitCode = 1;
  process.stdout.write(`${verdict}  ${each.test}  (${each.file})\n`);
}
