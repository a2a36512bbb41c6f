/** Settings that change while the server runs: what can be followed counts from then on, of the rest the former stays. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defaultPolicy } from "#apiserver/audit/policy.ts";
import { auditSinks } from "#apiserver/audit/sinks.ts";
import { AuditWebhook } from "#apiserver/audit/webhook.ts";
import { Remote } from "#apiserver/remote/remote.ts";
import { followAccess, followAudit, followAuditWebhook, followConfig } from "#cluster/follow-config.ts";
import { openOutward } from "#cluster/node-connector.ts";
import { Reloads } from "#cluster/reloads.ts";
import { openSealing, type Sealing } from "#cluster/sealing.ts";
import { openSqliteStore } from "#store/sqlite/sqlite-store.ts";
import type { Store } from "#store/store.ts";
import { nodeCiphers } from "#world/node/ciphers.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { realDisk } from "#world/node/disk.ts";
import { nodeHttp } from "#world/node/http.ts";
import { openKeyService } from "#world/node/key-service.ts";
import { realWorld } from "#world/node/real-world.ts";
import { eventually } from "../eventually.ts";
import { startSecured, type SecuredServer } from "./cluster.ts";
import { kubeconfigFor, startOutside } from "./outside.ts";

const dataDir = mkdtempSync(join(tmpdir(), "steer-reload-"));
const config = join(dataDir, "config");
const pki = join(dataDir, "pki");
const keyLine = (name: string, byte: number): string =>
  `${name} ${Buffer.from(new Uint8Array(32).fill(byte)).toString("base64")}\n`;
const timers = realTimers({ keepAlive: true });
const audited: string[] = [];
const logged: string[] = [];
const outward = openOutward({ http: nodeHttp, dialAllow: ["127.0.0.0/8"] });
const webhook = new AuditWebhook(undefined, {
  remote: new Remote({ dial: async (destination, request) => await outward(destination).send(request), timers }),
  timers,
  log: (message) => void logged.push(message),
});
const toWebhook = auditSinks({ note: () => undefined, write: () => Promise.resolve(), lost: 0 }, webhook);
const auditing = {
  policy: defaultPolicy,
  sinks: {
    note: (line: string) => {
      audited.push(line);
      toWebhook.note(line);
    },
    write: (line: string) => {
      audited.push(line);
      return toWebhook.write(line);
    },
  },
};
const log = {
  info: (message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  warn: () => undefined,
  error: (message: string, error: unknown, fields?: object) =>
    void logged.push(`${message} ${String(error)} ${JSON.stringify(fields)}`),
  with: () => log,
};

let sealing: Sealing;
let store: Store;
let secured: SecuredServer;
let following: { close(): void };

async function open(): Promise<void> {
  sealing = await openSealing(realWorld, { ciphers: nodeCiphers, openKeyService }, dataDir, log);
  store = await openSqliteStore({
    path: join(dataDir, "store.db"),
    cipher: sealing.cipher,
    clock: realClock,
    timers,
    failed: (error) => assert.fail(String(error)),
  });
  sealing.start(store);
}

const tokens = 'root,root,1,"system:masters"\n';

before(async () => {
  mkdirSync(config);
  mkdirSync(pki);
  writeFileSync(join(pki, "encryption.keys"), keyLine("own", 7));
  await open();
  const reloads = new Reloads();
  secured = await startSecured({ "tokens.csv": tokens }, { store, audit: auditing, measured: [reloads] });
  put("tokens.csv", tokens);
  const { random } = realWorld;
  following = followConfig(dataDir, { disk: realDisk, clock: realClock, timers, random, log, reloads }, [
    ...followAccess(secured.server, realDisk, dataDir, [], {}),
    followAudit(auditing, realDisk, dataDir),
    followAuditWebhook(webhook, realDisk, dataDir),
    sealing.following(),
  ]);
});

after(async () => {
  following.close();
  await secured.close();
  await store.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** As an editor does: the file is there whole, or not at all. */
function put(name: string, content: string | object, folder = config): void {
  writeFileSync(join(dataDir, name), typeof content === "string" ? content : JSON.stringify(content));
  renameSync(join(dataDir, name), join(folder, name));
}

function until(what: string, holds: () => boolean | Promise<boolean>): Promise<boolean> {
  return eventually(() => `${what}: ${logged.slice(-5).join("\n")}`, holds);
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

const webhooks = "steersman_audit_webhook_automatic_reloads_total";
const secret = Buffer.from(new Uint8Array(32).fill(9)).toString("base64");
const sealed = (resources: string[], ...providers: object[]): object => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "EncryptionConfiguration",
  resources: [{ resources, providers }],
});
const success = 'apiserver_encryption_config_controller_automatic_reloads_total{status="success"}';

test("entries go to another webhook from the moment that its file says so, and a file that cannot be read changes nothing", async () => {
  const [first, second] = [await startOutside(() => ({ status: 200 })), await startOutside(() => ({ status: 200 }))];
  const arrivesAt = async (where: typeof first, name: string): Promise<void> => {
    await until(`${name} at its webhook`, () => where.seen.some(({ body }) => body.includes(name)));
  };
  const write = async (name: string): Promise<void> => await writeMap(name, "x");
  await write("before-any-webhook");
  put("audit-webhook.kubeconfig", kubeconfigFor(first, "/audit", { token: "t" }));
  await until("the first webhook", () => webhook.endpoint !== undefined);
  await write("for-the-first");
  await arrivesAt(first, "for-the-first");
  put("audit-webhook.kubeconfig", "clusters: [");
  await until("the refusal", () => logged.some((line) => /Cannot follow.*"part":"audit_webhook"/.test(line)));
  await write("still-for-the-first");
  await arrivesAt(first, "still-for-the-first");
  put("audit-webhook.kubeconfig", kubeconfigFor(second, "/audit", { token: "t" }));
  await until(
    "the second webhook",
    async () => (await series(`${webhooks}{status="success"}`))?.endsWith(" 2") === true,
  );
  await write("for-the-second");
  await arrivesAt(second, "for-the-second");
  assert.match((await series(`${webhooks}{status="failure"}`)) ?? "", / [1-9]/);
  rmSync(join(config, "audit-webhook.kubeconfig"));
  await until("nobody", () => webhook.endpoint === undefined);
  assert.ok(!first.seen.some(({ body }) => /before-any-webhook|for-the-second/.test(body)));
  await Promise.all([first.close(), second.close()]);
});

/** How often it was told that what lay otherwise is sealed as it should be. */
const sealedAnew = (): number => logged.filter((line) => /values were sealed as configured/.test(line)).length;

test("the cluster's own keys are followed: a new first line seals, a file that is cut off or gone changes nothing", async () => {
  const names = (): string[] =>
    readdirSync(dataDir)
      .filter((name) => name.startsWith("store.db"))
      .flatMap(
        (name) =>
          readFileSync(join(dataDir, name))
            .toString("latin1")
            .match(/own-[0-9]/g) ?? [],
      );
  const write = async (name: string): Promise<void> => {
    const path = "/api/v1/namespaces/default/secrets";
    assert.equal(
      (await secured.ask({ method: "POST", path, token: "root", body: { metadata: { name } } })).status,
      201,
    );
  };
  const refused = (text: RegExp): Promise<boolean> =>
    until(`the refusal ${text.source}`, () =>
      logged.some((line) => text.test(line) && /"part":"encryption"/.test(line)),
    );
  await write("sealed-by-the-old");
  const before = sealedAnew();
  put("encryption.keys", keyLine("own-2", 8) + keyLine("own", 7), pki);
  await until("sealing anew", () => sealedAnew() > before);
  assert.deepEqual([...sealing.cipher.stale], []);
  assert.ok(names().includes("own-2"));
  put("encryption.keys", `${keyLine("own-3", 9).slice(0, 30)}\n`, pki);
  await refused(/line 1 is no name and 32 bytes in base64/);
  put("encryption.keys", "", pki);
  await refused(/it holds no key/);
  rmSync(join(pki, "encryption.keys"));
  await refused(/encryption.keys: it is not there/);
  await write("sealed-by-the-new");
  assert.ok(!names().includes("own-3"));
  assert.ok(!logged.some((line) => line.includes(keyLine("own-3", 9).slice(6, 30))));
  put("encryption.keys", keyLine("own-2", 8), pki);
  await until("the old key gone", async () => (await series(success))?.endsWith(" 2") === true);
});

test("kinds are sealed from the moment that the file says so, what lay open is sealed, and the next start opens it", async () => {
  await writeMap("before", "canary-open-41");
  assert.equal(isOnDisk("canary-open-41"), true);
  const provider = { secretbox: { keys: [{ name: "box", secret }] } };
  const before = sealedAnew();
  put("encryption.yaml", sealed(["configmaps"], provider));
  await until("what lay open", () => sealedAnew() > before);
  await writeMap("after", "canary-sealed-42");
  assert.equal(isOnDisk("canary-sealed-42"), false);
  put("encryption.yaml", sealed(["configmaps"], { kms: { name: "k", apiVersion: "v1", endpoint: "unix:///x" } }));
  await until("the refusal", () => logged.some((line) => /kms.apiVersion: is v1.*"part":"encryption"/.test(line)));
  await writeMap("still", "canary-sealed-43");
  assert.equal(isOnDisk("canary-sealed-43"), false);
  await store.compact(store.visible);
  assert.deepEqual([...sealing.cipher.stale], []);
  // What a start finds: nothing that the files' keys do not open, and nothing that lies otherwise.
  put("encryption.yaml", sealed(["configmaps"], provider));
  following.close();
  await secured.close();
  await store.close();
  await open();
  assert.deepEqual([...sealing.cipher.stale], []);
  const place = "/registry/core/configmaps/default/";
  for (const [name, value] of [
    ["before", "canary-open-41"],
    ["after", "canary-sealed-42"],
  ])
    assert.match(Buffer.from(store.latest(`${place}${name}`)?.value ?? []).toString(), new RegExp(value ?? ""));
});
