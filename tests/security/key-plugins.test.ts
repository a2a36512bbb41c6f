/** Values at rest under the keys of a service beside the server: what lies in the file, and what a service that fails or lies can do. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pluginLookMs, pluginRetryMs } from "#apiserver/encryption/limits.ts";
import { KeyPlugins } from "#apiserver/encryption/key-plugins.ts";
import { sealAtRest, type SealedAtRest } from "#apiserver/encryption/value-cipher.ts";
import { followConfig } from "#cluster/follow-config.ts";
import { Reloads } from "#cluster/reloads.ts";
import { openSealing, type Sealing } from "#cluster/sealing.ts";
import { openSqliteStore } from "#store/sqlite/sqlite-store.ts";
import type { Store } from "#store/store.ts";
import { silentLog, type Log } from "#telemetry/log.ts";
import { createMetrics, exposeFamilies } from "#telemetry/metrics.ts";
import { nodeCiphers } from "#world/node/ciphers.ts";
import { openKeyService } from "#world/node/key-service.ts";
import { realWorld } from "#world/node/real-world.ts";
import { send, startInProcess, type Answer, type TestServer } from "../api/harness.ts";
import { readExposition } from "../observability/exposition.ts";
import { eventually } from "../eventually.ts";
import { TestKeyPlugin, type Lies } from "./key-plugin.ts";

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A server over a file, whose Secrets a plugin seals. Time passes when the test says so. */
class Story {
  readonly dataDir = mkdtempSync(join(tmpdir(), "steer-kms-"));
  readonly plugin = new TestKeyPlugin(join(this.dataDir, "kms.sock"), "key-1");
  readonly logged: string[] = [];
  sealing!: Sealing;
  store!: Store;
  server!: TestServer;
  readonly #note = (message: string, detail?: unknown): void =>
    void this.logged.push(`${message} ${JSON.stringify(detail)}`);
  readonly log: Log = {
    ...silentLog,
    info: this.#note,
    warn: this.#note,
    error: (message, error) => this.#note(message, String(error)),
  };
  #nowMs = 1_000_000;
  #tasks: { atMs: number; delayMs: number; task: () => void }[] = [];

  constructor(timeout = "30s") {
    folders.push(this.dataDir);
    for (const name of ["config", "pki"]) mkdirSync(join(this.dataDir, name));
    const own = `own ${Buffer.alloc(32, 7).toString("base64")}\n`;
    writeFileSync(join(this.dataDir, "pki", "encryption.keys"), own);
    this.configure({ kms: { apiVersion: "v2", name: "vault", endpoint: `unix://${this.plugin.path}`, timeout } });
  }

  configure(...providers: object[]): void {
    const [apiVersion, kind] = ["apiserver.config.k8s.io/v1", "EncryptionConfiguration"];
    const document = { apiVersion, kind, resources: [{ resources: ["secrets"], providers }] };
    writeFileSync(join(this.dataDir, "config", "encryption.yaml"), JSON.stringify(document));
  }

  async open(): Promise<void> {
    const clock = { ...realWorld.clock, monotonic: () => this.#nowMs };
    const after = (delayMs: number, task: () => void): { cancel(): void } => {
      const planned = { atMs: this.#nowMs + delayMs, delayMs, task };
      this.#tasks.push(planned);
      return { cancel: () => (this.#tasks = this.#tasks.filter((each) => each !== planned)) };
    };
    const world = { ...realWorld, clock, timers: { ...realWorld.timers, after } };
    this.sealing = await openSealing(world, { ciphers: nodeCiphers, openKeyService }, this.dataDir, this.log);
    const { clock: wall, timers } = realWorld;
    const failed = (error: Error): void => assert.fail(String(error));
    const path = join(this.dataDir, "store.db");
    try {
      this.store = await openSqliteStore({ path, cipher: this.sealing.cipher, clock: wall, timers, failed });
    } catch (error) {
      this.sealing.close();
      throw error;
    }
    this.sealing.start(this.store);
    this.server = await startInProcess({ store: this.store, health: [this.sealing.check] });
  }

  async close(): Promise<void> {
    await this.server.close();
    this.sealing.close();
    this.#tasks = [];
  }

  /** Lets time pass, and what is due then happen. */
  pass(ms: number): void {
    this.#nowMs += ms;
    const due = this.#tasks.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#tasks = this.#tasks.filter(({ atMs }) => this.#nowMs < atMs);
    for (const { task } of due) task();
  }

  /** A minute passes, and a look at the plugin: the next one is planned when this is over. */
  async look(): Promise<void> {
    const asked = this.plugin.calls("Status");
    this.pass(pluginLookMs);
    const isNextPlanned = (): boolean =>
      this.#tasks.some(({ delayMs }) => delayMs === pluginLookMs || delayMs === pluginRetryMs);
    await this.until("a look", () => this.plugin.calls("Status") > asked && isNextPlanned());
  }

  write(name: string, value: string): Promise<Answer> {
    const body = { metadata: { name }, stringData: { value } };
    return send(this.server, "POST", "/api/v1/namespaces/default/secrets", body);
  }

  async value(name: string): Promise<string> {
    const { status, body } = await send(this.server, "GET", `/api/v1/namespaces/default/secrets/${name}`);
    assert.equal(status, 200);
    return atob((body["data"] as Record<string, string>)["value"] ?? "");
  }

  async isReady(): Promise<boolean> {
    return (await send(this.server, "GET", "/readyz/kms-providers")).status === 200;
  }

  /** The plugin is well again, or told the truth: it is asked again, and once more where the machine is too slow. */
  async comesBack(): Promise<void> {
    let asked = 0;
    await this.until("the plugin", () => {
      if (asked % 200 === 0) this.pass(10_000);
      asked += 1;
      return this.isReady();
    });
  }

  isOnDisk(text: string): boolean {
    const files = readdirSync(this.dataDir).filter((name) => name.startsWith("store.db"));
    return files.some((name) => {
      const content = readFileSync(join(this.dataDir, name));
      return content.includes(text) || content.includes(btoa(text).slice(0, -4));
    });
  }

  until(what: string, holds: () => boolean | Promise<boolean>): Promise<boolean> {
    return eventually(() => `${what}: ${this.logged.slice(-5).join("\n")}`, holds);
  }
}

const canary = "canary-of-the-vault-1f";

test("a plugin's key seals a seed for each life of the server, and the next life opens what the former has sealed", async () => {
  const story = new Story();
  await story.plugin.start();
  await story.open();
  for (let i = 0; i < 20; i += 1) assert.equal((await story.write(`s${i}`, `${canary}-${i}`)).status, 201);
  assert.equal(story.plugin.calls("Encrypt"), 1);
  assert.equal(story.isOnDisk(canary), false);
  assert.equal(story.isOnDisk("vault"), true, "the name of the key is beside it");
  assert.equal(await story.isReady(), true);
  await story.close();
  const before = story.plugin.calls("Decrypt");
  await story.open();
  // Its own new seed, and the one that all twenty have.
  assert.equal(story.plugin.calls("Decrypt"), before + 2);
  assert.equal(await story.value("s19"), `${canary}-19`);
  assert.equal(story.sealing.cipher.stale.size, 0, "another seed of the same key is no reason to write");
  await story.close();
  story.plugin.stop();
});

test("while the plugin is down reads go on, after three minutes writes are refused, and nothing is stored open", async () => {
  const story = new Story();
  await story.plugin.start();
  await story.open();
  for (const name of ["first", "gone"]) assert.equal((await story.write(name, `${canary}-a`)).status, 201);
  story.plugin.stop();
  story.pass(60_000);
  await story.until("the check", async () => !(await story.isReady()));
  assert.match((await send(story.server, "GET", "/livez?verbose")).text, /\[-\]kms-providers failed: reason withheld/);
  assert.equal((await story.write("within", `${canary}-b`)).status, 201);
  story.pass(3 * 60_000);
  const refused = await story.write("late", `${canary}-c`);
  assert.equal(refused.status, 500);
  assert.match(String(refused.body["message"]), /the key plugin vault is needed to seal what is written: .*Status/);
  const map = { metadata: { name: "open" } };
  assert.equal((await send(story.server, "POST", "/api/v1/namespaces/default/configmaps", map)).status, 201);
  assert.equal(await story.value("first"), `${canary}-a`);
  assert.equal((await send(story.server, "DELETE", "/api/v1/namespaces/default/secrets/gone")).status, 200);
  await story.plugin.start();
  await story.comesBack();
  assert.equal((await story.write("again", `${canary}-d`)).status, 201);
  assert.equal(story.plugin.calls("Encrypt"), 0, "the seed is the one of before");
  assert.equal(story.isOnDisk(canary), false);
  await story.close();
  story.plugin.stop();
});

test("when the plugin names another key, what it had sealed is sealed anew, and the old key may go", async () => {
  const story = new Story();
  await story.plugin.start();
  await story.open();
  for (let i = 0; i < 5; i += 1) await story.write(`s${i}`, `${canary}-${i}`);
  const sealedAnew = (): number => story.logged.filter((line) => /sealed as configured.*"count":5/.test(line)).length;
  story.plugin.use("key-2");
  await story.look();
  await story.until("sealing anew", () => {
    story.pass(0);
    return sealedAnew() === 1;
  });
  // Not each time, where keys change all the time.
  story.plugin.use("key-3");
  for (let minute = 0; minute < 9; minute += 1) await story.look();
  assert.equal(story.plugin.calls("Encrypt"), 3);
  assert.equal(sealedAnew(), 1);
  await story.look();
  await story.until("sealing anew, later", () => sealedAnew() === 2);
  await story.store.compact(story.store.visible);
  await story.close();
  story.plugin.forget("key-1");
  story.plugin.forget("key-2");
  await story.open();
  assert.equal(await story.value("s4"), `${canary}-4`);
  await story.close();
  story.plugin.stop();
});

const lies: Record<string, { readonly lies: Lies; readonly problem: RegExp }> = {
  "another version": { lies: { Status: (truth) => ({ ...truth, 1: "v1" }) }, problem: /speaks version "v1", not v2/ },
  "not well": { lies: { Status: (truth) => ({ ...truth, 2: "disk full" }) }, problem: /is not well: "disk full"/ },
  "no key": { lies: { Status: (truth) => ({ ...truth, 3: "" }) }, problem: /names no key/ },
  "a key's name without end": {
    lies: { Status: (truth) => ({ ...truth, 3: "k".repeat(2000) }) },
    problem: /more than 1024/,
  },
  "sealed by another key": {
    lies: { Encrypt: (truth) => ({ ...truth, 2: "other" }) },
    problem: /another key than it says/,
  },
  "sealed to nothing": { lies: { Encrypt: (truth) => ({ ...truth, 1: "" }) }, problem: /sealed a seed to nothing/ },
  "sealed to much": {
    lies: { Encrypt: (truth) => ({ ...truth, 1: "x".repeat(2000) }) },
    problem: /more than 1024 bytes of a seed/,
  },
  "odd annotations": {
    lies: { Encrypt: (truth) => ({ ...truth, 3: [{ 1: "no domain" }] }) },
    problem: /no domain names/,
  },
  "many annotations": {
    lies: { Encrypt: (truth) => ({ ...truth, 3: [{ 1: "a.b", 2: "x".repeat(40_000) }] }) },
    problem: /annotations have more than/,
  },
  "opens to something else": {
    lies: { Decrypt: () => ({ 1: "x".repeat(32) }) },
    problem: /does not open what it has sealed/,
  },
  "an error": { lies: { Encrypt: () => new Error("the vault is shut") }, problem: /the vault is shut/ },
  "answers without end": {
    lies: { Status: (truth) => ({ stream: (send) => Array.from({ length: 100 }, () => send(truth)) }) },
    problem: /Status was given up/,
  },
  "an answer beyond all bounds": {
    lies: { Status: (truth) => ({ ...truth, 2: "x".repeat(100_000) }) },
    problem: /is too large/,
  },
  "no answer": { lies: { Status: () => ({ stream: () => undefined }) }, problem: /Status took longer than 2000 ms/ },
};

for (const [name, { lies: told, problem }] of Object.entries(lies)) {
  test(`a plugin that lies is told of, and nothing is written by its word: ${name}`, async () => {
    const story = new Story(name === "no answer" ? "2s" : undefined);
    await story.plugin.start();
    story.plugin.lies = told;
    await story.open();
    const refused = await story.write("s", canary);
    assert.equal(refused.status, 500);
    assert.match(String(refused.body["message"]), problem);
    assert.equal(await story.isReady(), false);
    assert.ok(story.logged.some((line) => problem.test(line.replaceAll("\\", ""))));
    assert.equal(story.isOnDisk(canary), false);
    story.plugin.lies = {};
    await story.comesBack();
    assert.equal((await story.write("s", canary)).status, 201);
    assert.equal(story.isOnDisk(canary), false);
    await story.close();
    story.plugin.stop();
  });
}

test("a start without the plugin is refused where something must be opened, and says which", async () => {
  const story = new Story();
  await story.open();
  assert.equal((await story.write("s", canary)).status, 500);
  await story.close();
  await story.plugin.start();
  await story.open();
  assert.equal((await story.write("s", canary)).status, 201);
  await story.close();
  story.plugin.stop();
  await assert.rejects(story.open(), /Cannot open what the key plugin vault has sealed: .*Decrypt/);
  await story.plugin.start();
  story.plugin.forget("key-1");
  story.plugin.use("key-1");
  await assert.rejects(story.open(), /Cannot open what the key plugin vault has sealed/);
  story.configure({ identity: {} });
  await assert.rejects(story.open(), /was sealed with the key vault, which is not there/);
  story.plugin.stop();
});

test("a configuration with a plugin that is not well is not followed; with one that is, what lies otherwise is sealed by it", async () => {
  const story = new Story();
  await story.plugin.start();
  await story.open();
  await story.write("s", canary);
  const other = new TestKeyPlugin(join(story.dataDir, "other.sock"), "other-1");
  const following = story.sealing.following();
  const kms = (name: string, path: string): object => ({ kms: { apiVersion: "v2", name, endpoint: `unix://${path}` } });
  story.configure(kms("other", other.path), kms("vault", story.plugin.path));
  await assert.rejects(following.follow(), /encryption.yaml: the key plugin other: .*Status/);
  assert.equal((await story.write("meanwhile", canary)).status, 201);
  await other.start();
  assert.equal(await following.follow(), true);
  await story.until("sealing anew", () => story.logged.some((line) => /"count":2/.test(line)));
  assert.equal(story.isOnDisk("other"), true);
  await story.store.compact(story.store.visible);
  story.configure(kms("other", other.path));
  assert.equal(await following.follow(), true);
  await story.close();
  story.plugin.stop();
  await story.open();
  assert.equal(await story.value("meanwhile"), canary);
  assert.equal(story.isOnDisk(canary), false);
  await story.close();
  other.stop();
});

test("a configuration whose plugin is down is tried again, less and less often, until it counts; a broken one is not", async () => {
  const story = new Story();
  await story.plugin.start();
  await story.open();
  const other = new TestKeyPlugin(join(story.dataDir, "other.sock"), "other-1");
  const planned = new Set<{ readonly delayMs: number; readonly task: () => void }>();
  const timers = {
    after: (delayMs: number, task: () => void) => {
      const one = { delayMs, task };
      planned.add(one);
      return { cancel: () => void planned.delete(one) };
    },
  };
  let changed = (): void => undefined;
  const watch = (_folder: string, onChange: () => void): { close(): void } => {
    changed = onChange;
    return { close: () => undefined };
  };
  /** Lets what was planned last happen; answers how long it was to wait, in milliseconds. */
  const next = (): number => {
    const one = [...planned].at(-1);
    assert.ok(one !== undefined);
    planned.delete(one);
    one.task();
    return one.delayMs;
  };
  const isPlanned = (): Promise<boolean> => story.until("a further try", () => planned.size === 1);
  const configure = (path: string): void => {
    const kms = (name: string, of: string): object => ({ kms: { apiVersion: "v2", name, endpoint: `unix://${of}` } });
    story.configure(kms("other", path), kms("vault", story.plugin.path));
  };
  const follow = (path: string): void => {
    configure(path);
    changed();
    next();
  };
  configure(other.path);
  const parts = { ...realWorld, disk: { watch }, timers, log: story.log, reloads: new Reloads() };
  const following = followConfig(story.dataDir, parts, [story.sealing.following()]);
  for (let wholeMs = 2_000; wholeMs < 500_000; wholeMs *= 2) {
    await isPlanned();
    const delayMs = next();
    const bounded = Math.min(wholeMs, 60_000);
    assert.ok(bounded / 2 <= delayMs && delayMs <= bounded, `${delayMs} ms of ${bounded}`);
  }
  await isPlanned();
  follow("");
  await story.until("the broken file", () => /cannot follow.*endpoint/.test(story.logged.at(-1) ?? ""));
  assert.equal(planned.size, 0, "a changed file ends the tries of the former");
  follow(other.path);
  await isPlanned();
  await other.start();
  assert.ok(next() <= 2_000, "a changed file begins anew");
  await story.until("the settings", () => story.logged.some((line) => /changed settings count/.test(line)));
  assert.equal((await story.write("s", canary)).status, 201);
  assert.equal(story.isOnDisk("other"), true);
  assert.equal(planned.size, 0);
  follow(join(story.dataDir, "nobody.sock"));
  await isPlanned();
  following.close();
  assert.equal(planned.size, 0);
  await story.close();
  for (const plugin of [story.plugin, other]) plugin.stop();
});

test("metrics tell what plugins are asked for and which keys are used, by hashes and for the last hundred alone", async () => {
  const prefix = "apiserver_envelope_encryption_";
  const story = new Story();
  const series = async (): Promise<ReadonlyMap<string, number>> =>
    readExposition(`${exposeFamilies(await story.sealing.metrics.families())}\n`).series;
  /** The one series of this family whose labels say all of these. */
  const value = async (family: string, ...labels: string[]): Promise<number | undefined> => {
    const isMeant = (name: string): boolean =>
      name.startsWith(`${prefix}${family}{`) && labels.every((label) => name.includes(label));
    const found = [...(await series())].filter(([name]) => isMeant(name));
    assert.ok(found.length <= 1, found.map(([name]) => name).join(" "));
    return found[0]?.[1];
  };
  const calls = (method: string, code: string): Promise<number | undefined> => {
    const name = `method_name="/v2.KeyManagementService/${method}"`;
    return value("kms_operations_latency_seconds_count", name, `grpc_status_code="${code}"`, 'provider_name="vault"');
  };
  const hash = (keyId: string): string => `key_id_hash="sha256:${createHash("sha256").update(keyId).digest("hex")}"`;
  await story.plugin.start();
  await story.open();
  const from = Date.now() / 1000 - 60;
  for (let i = 0; i < 3; i += 1) await story.write(`s${i}`, canary);
  await story.close();
  await story.open();
  for (const method of ["Status", "Encrypt"]) assert.equal(await calls(method, "OK"), 1, method);
  assert.equal(await calls("Decrypt", "OK"), 2);
  assert.equal(await value("key_id_hash_total", "from_storage", hash("key-1")), 3);
  assert.equal(await value("key_id_hash_total", "to_storage"), undefined);
  await story.write("s3", canary);
  assert.equal(await value("key_id_hash_total", "to_storage", hash("key-1")), 1);
  assert.ok(((await value("key_id_hash_last_timestamp_seconds", "to_storage")) ?? 0) > from);
  assert.ok(((await value("key_id_hash_status_last_timestamp_seconds", hash("key-1"))) ?? 0) > from);
  assert.equal(await value("dek_source_cache_size", 'provider_name="vault"'), 1);
  story.plugin.lies = { Status: (truth) => ({ ...truth, 3: "" }) };
  await story.look();
  story.plugin.lies = { Status: (truth) => ({ ...truth, 3: "k".repeat(2000) }) };
  await story.look();
  for (const error of ["empty", "too_long"])
    await story.until(error, async () => (await value("invalid_key_id_from_status_total", `error="${error}"`)) === 1);
  story.plugin.lies = { Status: () => new Error("no") };
  await story.look();
  await story.until("the failed call", async () => (await calls("Status", "Unknown")) === 1);
  let named = 0;
  story.plugin.lies = { Status: (truth) => ({ ...truth, 3: `invented-${named++}` }) };
  while (named < 120) await story.look();
  const named120 = hash("invented-119");
  const status = "key_id_hash_status_last_timestamp_seconds";
  await story.until("the last name", async () => (await value(status, named120)) !== undefined);
  assert.equal([...(await series()).keys()].filter((name) => name.startsWith(`${prefix}${status}{`)).length, 100);
  await story.close();
  story.plugin.stop();
});

test("many lives leave many seeds, which do not stay for ever: each start has to ask for each", async () => {
  const folder = mkdtempSync(join(tmpdir(), "steer-kms-"));
  folders.push(folder);
  const service = new TestKeyPlugin(join(folder, "kms.sock"), "key-1");
  await service.start();
  const key = { name: "vault", provider: "kms", socketPath: service.path, timeoutMs: 30_000 } as const;
  const place = (life: number): string => `/registry/core/secrets/default/s${life}`;
  const live = async <T>(work: (cipher: SealedAtRest) => Promise<T> | T): Promise<T> => {
    const parts = { ...realWorld, ciphers: nodeCiphers, log: silentLog };
    const plugins = new KeyPlugins({ ...parts, open: openKeyService, rotated: () => undefined }, createMetrics());
    assert.deepEqual(await plugins.open([key]), []);
    const done = await work(sealAtRest({ ...parts, plugins }, [key], [{ resources: ["secrets"], key }]));
    plugins.keep([]);
    return done;
  };
  const values: Uint8Array[] = [];
  for (let life = 0; life < 36; life += 1)
    values.push(await live((cipher) => cipher.seal(place(life), new TextEncoder().encode(canary))));
  const staleAfter = (lives: number): Promise<number> =>
    live(async (cipher) => {
      const lying = values.slice(0, lives);
      const asked = service.calls("Decrypt");
      await cipher.prepare(lying);
      assert.equal(service.calls("Decrypt") - asked, lives);
      for (const [life, value] of lying.entries())
        assert.equal(new TextDecoder().decode(cipher.open(place(life), value)), canary);
      return cipher.stale.size;
    });
  assert.equal(await staleAfter(20), 0);
  assert.equal(await staleAfter(36), 36);
  service.stop();
});
