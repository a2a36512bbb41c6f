/** A whole server in this process over the memory store, with configuration files, behind its dial rules. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAccess } from "#cluster/access-files.ts";
import { createNodeConnector } from "#cluster/node-connector.ts";
import { createServer, issuer, type Server, type ServerOptions } from "#cluster/server.ts";
import { openMemoryStore } from "../../src/store/memory/memory-store.ts";
import { silentLog, type Log } from "../../src/telemetry/log.ts";
import { createCertificates } from "../../src/world/node/certificates.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { createCrypto } from "../../src/world/node/crypto.ts";
import { realDisk } from "../../src/world/node/disk.ts";
import { nodeHttp } from "../../src/world/node/http.ts";
import { nodeJsonWebKeys } from "../../src/world/node/json-web-keys.ts";
import { realRandom } from "../../src/world/node/random.ts";
import { wholeBody } from "../api/harness.ts";

export interface SecuredServer {
  readonly server: Server;
  /** Everything that was logged, a line each. */
  readonly logged: string[];
  /** Writes the files anew and follows them. */
  follow(files: Readonly<Record<string, string>>): Promise<void>;
  ask(question: Question): Promise<Answered>;
  close(): Promise<void>;
}

export interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Record<string, unknown>;
}

/** `files`: what lies in the `config` folder. Loopback may be dialled unless `dialAllow` says otherwise. */
export async function startSecured(
  files: Readonly<Record<string, string>>,
  options: { readonly dialAllow?: readonly string[] } & Partial<ServerOptions> = {},
): Promise<SecuredServer> {
  const dataDir = mkdtempSync(join(tmpdir(), "steer-security-"));
  const write = (now: Readonly<Record<string, string>>): void => {
    rmSync(join(dataDir, "config"), { recursive: true, force: true });
    mkdirSync(join(dataDir, "config"));
    for (const [name, content] of Object.entries(now)) writeFileSync(join(dataDir, "config", name), content);
  };
  write(files);
  const timers = realTimers({ keepAlive: true });
  const crypto = createCrypto();
  const certificates = createCertificates();
  const ca = await selfSigned();
  const identity = { certificate: ca.certificate, key: ca.key };
  const logged: string[] = [];
  const log: Log = {
    ...silentLog,
    info: (message, fields) => logged.push(`${message} ${JSON.stringify(fields)}`),
    warn: (message, fields) => logged.push(`${message} ${JSON.stringify(fields)}`),
    error: (message, error) => logged.push(`${message} ${String(error)}`),
  };
  const { dialAllow = ["127.0.0.0/8"], ...rest } = options;
  const store = openMemoryStore({ clock: realClock, timers });
  const server = createServer({
    world: { clock: realClock, timers, random: realRandom, crypto, certificates },
    store,
    serviceRange: "10.96.0.0/16",
    podRange: "10.244.0.0/16",
    nodePorts: { first: 30000, last: 32767 },
    apiAddress: "192.0.2.1",
    apiPort: 6443,
    clientCa: ca,
    serviceAccountKey: crypto.generateKey(),
    nodes: (objects) => createNodeConnector({ http: nodeHttp, objects, ca: ca.certificate, identity, dialAllow }),
    webKeys: nodeJsonWebKeys,
    access: await readAccess(realDisk, dataDir, [issuer]),
    log,
    ...rest,
  });
  await server.start();
  return {
    server,
    logged,
    follow: async (now) => {
      write(now);
      server.replaceAccess(await readAccess(realDisk, dataDir, [issuer]));
    },
    ask: async ({ method = "GET", path = "/api/v1/namespaces", token, headers = {}, body }) => {
      const request = {
        method,
        target: path,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { "content-type": "application/json" }),
          ...headers,
        },
        body: body === undefined ? new Uint8Array(0) : Buffer.from(JSON.stringify(body)),
      };
      const response = await server.api.handler.handle(request, { address: "192.0.2.9", port: 1 });
      const text = Buffer.from(await wholeBody(response)).toString("utf8");
      const isJson = (response.headers["content-type"] ?? "").includes("json");
      return {
        status: response.status,
        headers: response.headers,
        body: isJson ? (JSON.parse(text) as Record<string, unknown>) : { text },
      };
    },
    close: async () => {
      await server.stop();
      await store.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function selfSigned(): Promise<{ certificate: string; key: string }> {
  const { privateKey, publicKey } = createCrypto().generateKey();
  const certificate = await createCertificates().issue(
    {
      subject: { commonName: "ca" },
      publicKey,
      usages: ["ca"],
      notBefore: Date.now() - 1000,
      notAfter: Date.now() + 3_600_000,
    },
    { selfSignedWith: privateKey },
  );
  return { certificate, key: privateKey };
}

/** Who the server takes a caller for. */
export async function whoIs(secured: SecuredServer, question: Question): Promise<Record<string, unknown> | number> {
  const { status, body } = await secured.ask({
    ...question,
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
  });
  if (status !== 201) return status;
  return (body["status"] as { userInfo: Record<string, unknown> }).userInfo;
}
