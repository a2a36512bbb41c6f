/** Secrets at rest: what the file holds, what it holds after a rotation of keys, and what a wrong key is told. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { resealStale } from "#apiserver/encryption/reseal.ts";
import type { EncryptionKey } from "#apiserver/encryption/sealer.ts";
import { sealAtRest, type SealedAtRest, type SealingRule } from "#apiserver/encryption/value-cipher.ts";
import { readEncryption, type EncryptionSettings } from "#apiserver/configuration/encryption.ts";
import { openSqliteStore } from "#store/sqlite/sqlite-store.ts";
import type { Store } from "#store/store.ts";
import { nodeCiphers } from "#world/node/ciphers.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { realRandom } from "#world/node/random.ts";
import { send, startInProcess } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "steer-encryption-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const canary = "canary-8c1f2a7e55d04b";
const oldKey = { name: "old", key: new Uint8Array(32).fill(1) };
const newKey = { name: "new", key: new Uint8Array(32).fill(2) };

function open(...keys: EncryptionKey[]): Promise<{ store: Store; cipher: SealedAtRest }> {
  return openWith(keys, [{ resources: ["secrets"], key: keys[0] }]);
}

async function openWith(
  keys: readonly EncryptionKey[],
  rules: readonly SealingRule[],
): Promise<{ store: Store; cipher: SealedAtRest }> {
  const cipher = sealAtRest({ ciphers: nodeCiphers, random: realRandom }, keys, rules);
  const store = await openSqliteStore({
    path: join(folder, "store.db"),
    cipher,
    clock: realClock,
    timers: realTimers({ keepAlive: true }),
    failed: (error) => assert.fail(String(error)),
  });
  return { store, cipher };
}

/** Whether any file of the store holds the text. */
function isOnDisk(text: string): boolean {
  return readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(text));
}

test("a Secret's content never reaches the disk, a ConfigMap's does", async () => {
  const { store } = await open(oldKey);
  const server = await startInProcess({ store });
  const secret = (value: string): unknown => ({
    metadata: { name: "s", annotations: { note: value } },
    stringData: { a: value },
  });
  await send(server, "POST", "/api/v1/namespaces/default/secrets", secret(canary));
  await send(server, "PUT", "/api/v1/namespaces/default/secrets/s", secret(`${canary}-changed`));
  await send(server, "POST", "/api/v1/namespaces/default/secrets", {
    metadata: { name: "gone" },
    stringData: { a: canary },
  });
  await send(server, "DELETE", "/api/v1/namespaces/default/secrets/gone");
  await send(server, "POST", "/api/v1/namespaces/default/configmaps", {
    metadata: { name: "m" },
    data: { a: "map-canary" },
  });
  await server.close();
  assert.equal(isOnDisk("map-canary"), true, "the search would find it");
  assert.equal(isOnDisk(canary), false);
  assert.equal(isOnDisk(btoa(canary).slice(0, 24)), false);
});

test("a new first key seals what the old one had sealed, and the old one may go", async () => {
  const rotated = await open(newKey, oldKey);
  assert.equal(await resealStale(rotated.store, rotated.cipher), 1);
  assert.equal(rotated.cipher.stale.has("/registry/core/secrets/default/s"), false);
  // The history still has what the old key sealed.
  await rotated.store.compact(rotated.store.visible);
  await rotated.store.close();
  const { store, cipher } = await open(newKey);
  assert.equal(cipher.stale.size, 0);
  const server = await startInProcess({ store });
  const answer = await send(server, "GET", "/api/v1/namespaces/default/secrets/s");
  await server.close();
  assert.deepEqual(answer.body["data"], { a: btoa(`${canary}-changed`) });
});

test("other kinds are sealed as configured, what lies open is sealed, and what is not wanted sealed any more is opened", async () => {
  const own = [newKey];
  const secret = btoa(String.fromCharCode(...oldKey.key));
  const configured = (resources: string[], ...providers: object[]): EncryptionSettings => {
    const document = {
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "EncryptionConfiguration",
      resources: [{ resources, providers }],
    };
    const read = readEncryption(JSON.stringify(document), own);
    if (!read.ok) assert.fail(read.problem);
    return read.value;
  };
  const aesgcm = { aesgcm: { keys: [{ name: "maps", secret }] } };
  const sealed = configured(["configmaps", "*.apps"], aesgcm, { identity: {} });
  const first = await openWith(sealed.keys, [...sealed.rules, { resources: ["secrets"], key: newKey }]);
  // The map of the first test lies open.
  assert.deepEqual([...first.cipher.stale], ["/registry/core/configmaps/default/m"]);
  assert.equal(await resealStale(first.store, first.cipher), 1);
  const server = await startInProcess({ store: first.store });
  const spec = { selector: { matchLabels: { a: "b" } }, template: { metadata: { labels: { a: "b" } }, spec: {} } };
  const made = await send(server, "POST", "/apis/apps/v1/namespaces/default/deployments", {
    metadata: { name: "d", annotations: { note: "deployment-canary" } },
    spec: { ...spec, template: { ...spec.template, spec: { containers: [{ name: "c", image: "i" }] } } },
  });
  assert.equal(made.status, 201);
  await first.store.compact(first.store.visible);
  await server.close();
  assert.equal(isOnDisk("deployment-canary"), false);
  const opened = configured(["configmaps"], { identity: {} }, aesgcm);
  const second = await openWith(opened.keys, [...opened.rules, { resources: ["secrets"], key: newKey }]);
  assert.equal(second.cipher.stale.has("/registry/core/configmaps/default/m"), true);
  assert.ok((await resealStale(second.store, second.cipher)) >= 1);
  await second.store.close();
  assert.equal(isOnDisk("map-canary"), true);
});

test("a configuration that cannot be followed is refused, and shows no key", () => {
  const refused = (providers: object[], problem: RegExp, resources = ["secrets"]): void => {
    const read = readEncryption(
      JSON.stringify({
        apiVersion: "apiserver.config.k8s.io/v1",
        kind: "EncryptionConfiguration",
        resources: [{ resources, providers }],
      }),
      [newKey],
    );
    assert.ok(!read.ok);
    assert.match(read.problem, problem);
    assert.doesNotMatch(read.problem, /c2hvcnQ=/);
  };
  refused([{ aescbc: { keys: [] } }], /aescbc: is not supported/);
  refused([{ aesgcm: { keys: [{ name: "k", secret: "c2hvcnQ=" }] } }], /secret: must be 16, 24, 32 bytes/);
  refused([{ secretbox: { keys: [{ name: "k", secret: "c2hvcnQ=" }] } }], /secret: must be 32 bytes/);
  const kms = { apiVersion: "v2", name: "k", endpoint: "unix:///x" };
  refused([{ kms: { ...kms, apiVersion: "v1" } }], /kms.apiVersion: is v1: only v2 is supported/);
  refused([{ kms: { name: "k", endpoint: "unix:///x" } }], /kms.apiVersion: is v1: only v2 is supported/);
  refused([{ kms: { ...kms, cachesize: 5 } }], /cachesize: is not for v2/);
  refused([{ kms: { ...kms, endpoint: "https://x" } }], /endpoint: "https:..x" is no unix:/);
  refused([{ kms: { ...kms, timeout: "0s" } }], /timeout: must be longer than 0s/);
  refused([{ kms: { ...kms, name: "a:b" } }], /printable characters without colons/);
  refused([{ kms }, { kms: { ...kms, endpoint: "unix:///y" } }], /another key is called k/);
  refused([{ aesgcm: { keys: [] } }], /keys: Required value/);
  refused([{ aesgcm: { keys: [{ name: "new", secret: btoa("x".repeat(32)) }] } }], /another key is called new/);
  refused([], /providers: Required value/);
  refused([{ identity: {} }], /is no resource/, ["a/b"]);
});

test("a missing key, and a value that was moved to another name, are refused", async () => {
  await assert.rejects(open(oldKey), /sealed with the key new/);
  const keys: EncryptionKey[] = [
    newKey,
    { name: "short", key: new Uint8Array(16).fill(3), provider: "aesgcm" },
    { name: "box", key: new Uint8Array(32).fill(4), provider: "secretbox" },
  ];
  for (const key of keys) {
    const cipher = sealAtRest({ ciphers: nodeCiphers, random: realRandom }, keys, [{ resources: ["secrets"], key }]);
    const place = "/registry/core/secrets/default/";
    const value = new TextEncoder().encode("x");
    const sealed = cipher.seal(`${place}a`, value);
    assert.deepEqual([...cipher.open(`${place}a`, sealed)], [...value], key.name);
    assert.throws(() => cipher.open(`${place}b`, sealed), /not what was sealed/);
    const changed = sealed.slice();
    changed[changed.length - 1]! ^= 1;
    assert.throws(() => cipher.open(`${place}a`, changed), /not what was sealed/);
    const cut = sealed.subarray(0, sealed.length - 1);
    assert.throws(() => cipher.open(`${place}a`, cut), /not what was sealed/);
  }
});
