/** A running cluster as an attacker on its machine meets it: files, signals, logs, settings that change under it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startSimulatedCluster, type TestCluster } from "../cluster/harness.ts";
import { eventually } from "../eventually.ts";

let cluster: TestCluster;
const canary = "canary-7f3b9e";

before(() => {
  cluster = startSimulatedCluster(1);
});
after(() => cluster.remove());

function tokenFile(...lines: string[]): void {
  writeFileSync(join(cluster.dataDir, "config/tokens.csv"), `${lines.join("\n")}\n`, { mode: 0o600 });
}

/** kubectl with nothing but a token. */
function asToken(token: string, ...args: string[]): { code: number; stdout: string; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), "steer-token-"));
  const kubeconfig = join(folder, "config");
  const own = readFileSync(cluster.kubeconfig, "utf8");
  writeFileSync(kubeconfig, own.replace(/^ {2}user: .*$/m, `  user: ${JSON.stringify({ token })}`));
  const { code, stdout, stderr } = cluster.tryKubectl(["--kubeconfig", kubeconfig, ...args]);
  rmSync(folder, { recursive: true });
  return { code, stdout, stderr };
}

test("files and folders are their owner's alone (CVE-2024-5321)", () => {
  mkdirSync(join(cluster.dataDir, "config"), { recursive: true });
  const open: string[] = [];
  const look = (path: string): void => {
    const stat = statSync(path);
    if ((stat.mode & 0o077) !== 0 && !stat.isDirectory()) open.push(path);
    if (!stat.isDirectory()) return;
    for (const name of readdirSync(path)) look(join(path, name));
  };
  for (const name of ["", "logs", "pki", "run", "config"])
    assert.equal(statSync(join(cluster.dataDir, name)).mode & 0o777, 0o700, name);
  for (const name of ["pki", "logs", "config", "kubeconfig", "cluster.json"]) look(join(cluster.dataDir, name));
  assert.deepEqual(open, []);
});

test("tokens of a changed file count without a restart, and those that are gone do not", async () => {
  tokenFile(`${canary},dave,1,"system:masters"`);
  await eventually("the token is not known", () => asToken(canary, "get", "nodes").code === 0);
  assert.match(asToken(canary, "auth", "whoami").stdout, /dave/);
  tokenFile("other,eve,2");
  await eventually("the token is still known", () => asToken(canary, "get", "nodes").code !== 0);
  // What cannot be followed leaves the former settings in force.
  appendFileSync(join(cluster.dataDir, "config/tokens.csv"), "broken\n");
  await eventually("the broken file is not told of", () =>
    readFileSync(join(cluster.dataDir, "logs/server.log"), "utf8").includes("line 2 has not three columns"),
  );
  assert.match(asToken("other", "auth", "whoami").stdout, /eve/);
});

test("kubectl acts as somebody else, with groups, uid and extras, and is told what that one may", () => {
  const as = ["--as=jane", "--as-group=developers", "--as-uid=u-1", "--as-user-extra=scopes=view"];
  const shown = JSON.parse(cluster.kubectl("auth", "whoami", "-o", "json", ...as)) as { status: { userInfo: unknown } };
  assert.deepEqual(shown.status.userInfo, {
    username: "jane",
    uid: "u-1",
    groups: ["developers", "system:authenticated"],
    extra: { scopes: ["view"] },
  });
  assert.equal(cluster.tryKubectl(["auth", "can-i", "list", "secrets", ...as]).stdout.trim(), "no");
  cluster.kubectl("create", "rolebinding", "jane", "--clusterrole=view", "--user=jane");
  assert.equal(cluster.tryKubectl(["auth", "can-i", "list", "pods", ...as]).stdout.trim(), "yes");
  assert.match(cluster.kubectl("auth", "can-i", "--list", ...as), /selfsubjectaccessreviews/);
});

test("no log holds a token or the value of a Secret (CVE-2019-11250, CVE-2020-8563)", async () => {
  cluster.kubectl("create", "secret", "generic", "s", `--from-literal=a=${canary}`);
  cluster.kubectl("get", "secret", "s", "-o", "yaml");
  const issued = cluster.kubectl("create", "token", "default").trim();
  assert.notEqual(asToken(`${canary}-wrong`, "get", "nodes").code, 0);
  assert.notEqual(asToken(issued, "get", "nodes").code, 0);
  const logs = join(cluster.dataDir, "logs");
  const all = readdirSync(logs).map((name) => readFileSync(join(logs, name), "utf8"));
  assert.ok(
    all.some((text) => text.includes('"name":"s"')),
    "the search would find it",
  );
  for (const secret of [canary, Buffer.from(canary).toString("base64").slice(0, 16), issued.split(".")[2] ?? ""])
    assert.ok(all.every((text) => !text.includes(secret)));
});

test("a signal opens no inspector, and there is no path to one (CVE-2019-11248)", async () => {
  const status = JSON.parse(cluster.steer("status", "-o", "json").stdout) as { processes: { pid: number }[] };
  assert.ok(status.processes.length >= 2);
  for (const { pid } of status.processes) process.kill(pid, "SIGUSR1");
  // A Node process without our flags does open one: when it has said so, ours would have.
  const plain = spawn(process.execPath, ["--inspect-port=0", "-e", "console.log(1);setTimeout(() => {}, 60_000)"]);
  await new Promise((resolve) => plain.stdout.once("data", resolve));
  plain.kill("SIGUSR1");
  await new Promise((resolve) => plain.stderr.on("data", (text: Buffer) => text.includes("Debugger") && resolve(text)));
  plain.kill("SIGKILL");
  for (const path of ["/debug/pprof/", "/debug/flags/v", "/json/list"])
    assert.notEqual(cluster.tryKubectl(["get", "--raw", path]).code, 0, path);
  const logs = join(cluster.dataDir, "logs");
  for (const name of readdirSync(logs))
    assert.doesNotMatch(readFileSync(join(logs, name), "utf8"), /Debugger listening/);
});

test("audit policy and encryption count at once, and a new start of the server goes on with them", async () => {
  const file = join(cluster.dataDir, "run/server.pid");
  const pidOf = (): number => (existsSync(file) ? Number(readFileSync(file, "utf8").split(" ")[0]) : 0);
  // Reads are not in the log by default.
  const rules = [{ level: "Metadata", verbs: ["get"], resources: [{ group: "", resources: ["configmaps"] }] }];
  const policy = { apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [...rules, { level: "None" }] };
  const resources = [{ resources: ["configmaps"], providers: [{ cluster: {} }] }];
  const encryption = { apiVersion: "apiserver.config.k8s.io/v1", kind: "EncryptionConfiguration", resources };
  for (const [name, settings] of Object.entries({ "audit-policy": policy, encryption }))
    writeFileSync(join(cluster.dataDir, `config/${name}.yaml`), JSON.stringify(settings), { mode: 0o600 });
  const sealed = 'apiserver_encryption_config_controller_automatic_reloads_total{status="success"} 1';
  await eventually("the encryption is not followed", () =>
    cluster.kubectl("get", "--raw", "/metrics").includes(sealed),
  );
  cluster.kubectl("create", "configmap", "sealed", "--from-literal=a=sealed-4d1e");
  const isRead = (line: string): boolean => line.includes('"name":"sealed"') && line.includes('"verb":"get"');
  const readEntry = (): string | undefined => {
    assert.equal(cluster.kubectl("get", "configmap", "sealed", "-o", "jsonpath={.data.a}"), "sealed-4d1e");
    return readFileSync(join(cluster.dataDir, "logs/audit.log"), "utf8").split("\n").find(isRead);
  };
  await eventually("the audit policy is not followed", () => readEntry() !== undefined);
  assert.match(readEntry() ?? "", /"level":"Metadata"/);
  const files = readdirSync(cluster.dataDir).filter((name) => name.startsWith("store.db"));
  assert.ok(files.length > 0);
  for (const name of files) assert.ok(!readFileSync(join(cluster.dataDir, name)).includes('"a":"sealed-4d1e"'), name);
  // With a file that cannot be followed it would refuse to start.
  tokenFile("other,eve,2");
  const before = pidOf();
  process.kill(before, "SIGTERM");
  const answers = (): boolean =>
    pidOf() > 0 && pidOf() !== before && cluster.tryKubectl(["get", "--raw", "/readyz"]).code === 0;
  await eventually("the server does not come back", answers);
  assert.match(readEntry() ?? "", /"level":"Metadata"/);
});
