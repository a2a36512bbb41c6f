/** Certificates end: they are renewed in time, by processes that go on, and connections that stand are not harmed. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import tls from "node:tls";
import { keepFresh, transportOf } from "#cluster/fresh-certificates.ts";
import { openNodeIdentity, openPki, readCertificates, type Pki } from "#cluster/pki.ts";
import { silentLog } from "#telemetry/log.ts";
import type { TlsIdentity } from "#world/http.ts";
import { createCertificates } from "../../src/world/node/certificates.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { createCrypto } from "../../src/world/node/crypto.ts";
import { realDisk } from "../../src/world/node/disk.ts";
import { nodeHttp } from "../../src/world/node/http.ts";
import { eventually } from "../eventually.ts";

const dayMs = 24 * 60 * 60 * 1000;
const root = mkdtempSync(join(tmpdir(), "steer-certificates-"));
after(() => rmSync(root, { recursive: true, force: true }));

const certificates = createCertificates();
const real = realTimers({ keepAlive: true });

/** The machine, with a calendar that a test turns, and timers that it fires. */
class Calendar {
  daysAhead: number;
  readonly dataDir = mkdtempSync(join(root, "data-"));
  readonly planned: { delayMs: number; task: () => void }[] = [];
  readonly clock = { now: () => realClock.now() + this.daysAhead * dayMs, monotonic: () => realClock.monotonic() };
  readonly timers = {
    ...real,
    after: (delayMs: number, task: () => void) => {
      const entry = { delayMs, task };
      this.planned.push(entry);
      return { cancel: () => void this.planned.splice(this.planned.indexOf(entry), 1) };
    },
  };
  constructor(daysAhead: number) {
    this.daysAhead = daysAhead;
  }
  get world() {
    return {
      disk: realDisk,
      crypto: createCrypto(),
      certificates,
      clock: this.clock,
      timers: this.timers,
      http: nodeHttp,
    };
  }
}

function open(calendar: Calendar): Promise<Pki> {
  return openPki(calendar.world, calendar.dataDir, { dnsNames: ["localhost"], addresses: ["127.0.0.1"] });
}

/** The fingerprint of the certificate that a server shows to a new connection. */
function shownBy(port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: "127.0.0.1", port, ca, servername: "localhost" }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? "");
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("a server and its clients go on with renewed certificates, over connections that stand and over new ones", async () => {
  // TLS itself looks at the machine's clock: what was issued then ends in 75 days.
  const calendar = new Calendar(-290);
  let pki = await open(calendar);
  const ca = pki.caCertificate;
  const callers: string[] = [];
  const server = await nodeHttp.listen(
    { host: "127.0.0.1", port: 0, tls: { ...pki.server, clientCa: ca }, bodyBytesMax: 1024 },
    {
      handle: (_request, peer) => {
        callers.push(Buffer.from(peer.certificate ?? []).toString("hex"));
        return Promise.resolve({ status: 200, headers: {}, body: new Uint8Array(0) });
      },
    },
  );
  let renewals = 0;
  const fresh = keepFresh(calendar.world, {
    current: () => [pki.server.certificate, pki.admin.certificate],
    renew: async () => {
      pki = await open(calendar);
      server.replaceTls({ ...pki.server, clientCa: ca });
      renewals += 1;
    },
    log: silentLog,
  });
  const baseUrl = `https://127.0.0.1:${server.port}`;
  const client = transportOf({ http: nodeHttp, timers: calendar.timers }, { baseUrl, ca }, () => pki.admin);
  const standing = nodeHttp.transport({ baseUrl, ca, identity: pki.admin });
  const ask = { method: "GET", target: "/", headers: {}, body: new Uint8Array(0) };
  await client.send(ask);
  await standing.send(ask);
  const before = await shownBy(server.port, ca);
  // Nothing is due for months: nobody wakes up for it more often than needed.
  assert.deepEqual(
    calendar.planned.map(({ delayMs }) => delayMs),
    [20 * dayMs],
  );
  calendar.daysAhead = -270;
  calendar.planned.shift()?.task();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(renewals, 0);

  calendar.daysAhead = 0;
  calendar.planned.pop()?.task();
  await eventually("the renewal", () => renewals > 0);
  assert.notEqual(await shownBy(server.port, ca), before);
  assert.equal((await standing.send(ask)).status, 200);
  assert.equal((await client.send(ask)).status, 200);
  assert.notEqual(callers.at(-1), callers[0], "requests after the renewal show the new identity");
  const info = certificates.read(pki.server.certificate);
  assert.ok(info !== undefined && info.notAfter > calendar.clock.now() + 360 * dayMs);
  fresh.stop();
  standing.close();
  await server.close(0);
});

test("a renewal that fails is told of and tried again within the hour", async () => {
  const calendar = new Calendar(0);
  const pki = await open(calendar);
  calendar.daysAhead = 700;
  const told: string[] = [];
  const fresh = keepFresh(calendar.world, {
    current: () => [pki.server.certificate],
    renew: () => Promise.reject(new Error("the disk is full")),
    log: { ...silentLog, error: (message, error) => void told.push(`${message}: ${String(error)}`) },
  });
  calendar.planned.pop()?.task();
  while (told.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told, ["cannot renew certificates: Error: the disk is full"]);
  assert.equal(calendar.planned.at(-1)?.delayMs, 60 * 60 * 1000);
  fresh.stop();
});

test("an agent renews its own identity and nothing else; looking at the ends changes nothing", async () => {
  const calendar = new Calendar(290);
  const { dataDir } = calendar;
  await open(calendar);
  const node = { name: "n1", address: "192.0.2.5" };
  const first: TlsIdentity = await openNodeIdentity(calendar.world, dataDir, node);
  calendar.daysAhead = 600;
  const files = (): string[] =>
    ["server", "admin", "node-client"].map((name) => readFileSync(join(dataDir, "pki", `${name}.crt`), "utf8"));
  const before = files();
  assert.equal((await readCertificates(calendar.world, dataDir, ["ca", "server", "node-n1", "nobody"])).length, 3);
  assert.deepEqual(files(), before);
  const second = await openNodeIdentity(calendar.world, dataDir, node);
  assert.notEqual(second.certificate, first.certificate);
  assert.deepEqual(certificates.read(second.certificate)?.subject, {
    commonName: "system:node:n1",
    organizations: ["system:nodes"],
  });
  assert.deepEqual(files(), before);
});
