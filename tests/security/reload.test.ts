/** Settings that change while the server runs: what can be followed counts from then on, of the rest the former stays. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defaultPolicy } from "#apiserver/audit/policy.ts";
import { sealAtRest, type SealedAtRest } from "#apiserver/encryption/value-cipher.ts";
import { followAccess, followAudit, followConfig, followEncryption } from "#cluster/follow-config.ts";
import { Reloads } from "#cluster/reloads.ts";
import { openSqliteStore } from "#store/sqlite/sqlite-store.ts";
import type { Store } from "#store/store.ts";
import { nodeCiphers } from "#world/node/ciphers.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { realDisk } from "#world/node/disk.ts";
import { realRandom } from "#world/node/random.ts";
import { startSecured, type SecuredServer } from "./cluster.ts";

const dataDir = mkdtempSync(join(tmpdir(), "steer-reload-"));
const config = join(dataDir, "config");
const ownKeys = [{ name: "own", key: new Uint8Array(32).fill(7) }];
const timers = realTimers({ keepAlive: true });
const audited: string[] = [];
const logged: string[] = [];
const auditing = {
  policy: defaultPolicy,
  sinks: { note: (line: string) => void audited.push(line), write: (line: string) => void audited.push(line) },
};
const log = {
  info: (message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  warn: () => undefined,
  error: (message: string, error: unknown, fields?: object) =>
    void logged.push(`${message} ${String(error)} ${JSON.stringify(fields)}`),
  with: () => log,
};

let cipher: SealedAtRest;
let store: Store;
let secured: SecuredServer;
let following: { close(): void };

function opened(): Promise<Store> {
  return openSqliteStore({
    path: join(dataDir, "store.db"),
    cipher,
    clock: realClock,
    timers,
    failed: (error) => assert.fail(String(error)),
  });
}

const tokens = 'root,root,1,"system:masters"\n';

before(async () => {
  mkdirSync(config);
  cipher = sealAtRest({ ciphers: nodeCiphers, random: realRandom }, ownKeys, [
    { resources: ["secrets"], key: ownKeys[0] },
  ]);
  store = await opened();
  const reloads = new Reloads();
  secured = await startSecured({ "tokens.csv": tokens }, { store, audit: auditing, reloads });
  put("tokens.csv", tokens);
  following = followConfig(dataDir, { disk: realDisk, clock: realClock, timers, log, reloads }, [
    ...followAccess(secured.server, realDisk, dataDir, [], {}),
    followAudit(auditing, realDisk, dataDir),
    followEncryption({ store, cipher, ownKeys, timers, log }, realDisk, dataDir),
  ]);
});

after(async () => {
  following.close();
  await secured.close();
  await store.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** As an editor does: the file is there whole, or not at all. */
function put(name: string, content: string | object): void {
  writeFileSync(join(dataDir, name), typeof content === "string" ? content : JSON.stringify(content));
  renameSync(join(dataDir, name), join(config, name));
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `${what}: ${logged.slice(-5).join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function series(name: string): Promise<string | undefined> {
  const { body } = await secured.ask({ path: "/metrics", token: "root" });
  return String(body["text"])
    .split("\n")
    .find((line) => line.startsWith(name));
}

let maps = 0;

/** What the audit log says of a write, or undefined. */
async function auditOfWrite(): Promise<string | undefined> {
  maps += 1;
  const name = `audited-${maps}`;
  const body = { metadata: { name } };
  const path = "/api/v1/namespaces/default/configmaps";
  assert.equal((await secured.ask({ method: "POST", path, token: "root", body })).status, 201);
  return audited.find((line) => line.includes(name));
}

test("an audit policy that changes counts for the next request, and one that cannot be followed changes nothing", async () => {
  assert.match((await auditOfWrite()) ?? "", /"level":"Metadata"/);
  const policy = (level: string): object => ({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level }] });
  put("audit-policy.yaml", policy("RequestResponse"));
  await until("the new policy", async () => /"level":"RequestResponse"/.test((await auditOfWrite()) ?? ""));
  put("audit-policy.yaml", policy("Everything"));
  await until("the refusal", () => logged.some((line) => /rules\[0\].level is none of .*audit_policy/.test(line)));
  assert.match((await auditOfWrite()) ?? "", /"level":"RequestResponse"/);
  assert.match((await series('steersman_audit_policy_automatic_reloads_total{status="failure"}')) ?? "", / 1$/);
  put("audit-policy.yaml", policy("None"));
  await until("silence", async () => (await auditOfWrite()) === undefined);
  rmSync(join(config, "audit-policy.yaml"));
  await until("the default", async () => /"level":"Metadata"/.test((await auditOfWrite()) ?? ""));
});

test("a broken part does not hold back another: tokens are followed while the authorizers cannot be", async () => {
  put("authorization.yaml", { kind: "AuthorizationConfiguration", apiVersion: "apiserver.config.k8s.io/v1", x: 1 });
  await until("the refusal", () => logged.some((line) => /unknown field.*"part":"authorization"/.test(line)));
  put("tokens.csv", `${tokens}late,late,2,"system:masters"\n`);
  await until("the new token", async () => (await secured.ask({ token: "late" })).status === 200);
  assert.match(
    (await series('apiserver_authorization_config_controller_automatic_reloads_total{status="failure"}')) ?? "",
    / [1-9]/,
  );
  assert.match(
    (await series('apiserver_authentication_config_controller_automatic_reloads_total{status="success"}')) ?? "",
    / [1-9]/,
  );
  rmSync(join(config, "authorization.yaml"));
});

function isOnDisk(text: string): boolean {
  return readdirSync(dataDir).some(
    (name) => name.startsWith("store.db") && readFileSync(join(dataDir, name)).includes(text),
  );
}

async function writeMap(name: string, value: string): Promise<void> {
  const body = { metadata: { name }, data: { value } };
  const path = "/api/v1/namespaces/default/configmaps";
  assert.equal((await secured.ask({ method: "POST", path, token: "root", body })).status, 201);
}

const secret = Buffer.from(new Uint8Array(32).fill(9)).toString("base64");
const sealing = (resources: string[], ...providers: object[]): object => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "EncryptionConfiguration",
  resources: [{ resources, providers }],
});
const success = 'apiserver_encryption_config_controller_automatic_reloads_total{status="success"}';

test("kinds are sealed from the moment that the file says so, what lay open is sealed, and the next start opens it", async () => {
  await writeMap("before", "canary-open-41");
  assert.equal(isOnDisk("canary-open-41"), true);
  const provider = { secretbox: { keys: [{ name: "box", secret }] } };
  put("encryption.yaml", sealing(["configmaps"], provider));
  await until("the sealing", async () => (await series(success))?.endsWith(" 1") === true);
  await until("what lay open", () => logged.some((line) => /values were sealed as configured/.test(line)));
  await writeMap("after", "canary-sealed-42");
  assert.equal(isOnDisk("canary-sealed-42"), false);
  put("encryption.yaml", sealing(["configmaps"], { kms: { name: "k", apiVersion: "v1", endpoint: "unix:///x" } }));
  await until("the refusal", () => logged.some((line) => /kms: is not supported.*"part":"encryption"/.test(line)));
  await writeMap("still", "canary-sealed-43");
  assert.equal(isOnDisk("canary-sealed-43"), false);
  await store.compact(store.visible);
  const [settled] = cipher.stale;
  assert.equal(settled, undefined);
  // What a start finds: nothing that the file's keys do not open, and nothing that lies otherwise.
  following.close();
  await secured.close();
  await store.close();
  const key = { name: "box", key: new Uint8Array(32).fill(9), provider: "secretbox" as const };
  cipher = sealAtRest(
    { ciphers: nodeCiphers, random: realRandom },
    [...ownKeys, key],
    [
      { resources: ["configmaps"], key },
      { resources: ["secrets"], key: ownKeys[0] },
    ],
  );
  store = await opened();
  assert.deepEqual([...cipher.stale], []);
  const place = "/registry/core/configmaps/default/";
  for (const [name, value] of [
    ["before", "canary-open-41"],
    ["after", "canary-sealed-42"],
  ])
    assert.match(Buffer.from(store.latest(`${place}${name}`)?.value ?? []).toString(), new RegExp(value ?? ""));
});
