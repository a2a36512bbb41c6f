/** One simulated cluster for the whole suite, and a plain HTTPS client for it: no client library, nothing of the program. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import https from "node:https";
import { readFileSync } from "node:fs";
import { startSimulatedCluster, type TestCluster } from "../cluster/harness.ts";

export type Json = Record<string, unknown>;

/** What stands at a path of an object (`status.conditions.0.type`); undefined where the path ends early. */
export function pick(value: unknown, path: string): unknown {
  let at = value;
  for (const step of path.split(".")) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Json)[step];
  }
  return at;
}

/** A list's items, or any other array at a path. */
export function arrayAt(value: unknown, path = "items"): Json[] {
  const found = pick(value, path);
  return Array.isArray(found) ? (found as Json[]) : [];
}

export function nameOf(value: unknown): string {
  return String(pick(value, "metadata.name"));
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
  readonly text: string;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: Json;
}

export interface Watch {
  /** The next event that `wanted` accepts; others are skipped. Fails after `limitMs`. */
  next(what: string, wanted?: (event: WatchEvent) => boolean, limitMs?: number): Promise<WatchEvent>;
  close(): void;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** A bearer token instead of the admin's certificate. */
  readonly token?: string;
}

interface Access {
  readonly base: URL;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export class Api {
  readonly #access: Access;
  readonly #agent: https.Agent;
  readonly #bare: https.Agent;

  constructor(kubeconfig: string) {
    this.#access = readAccess(kubeconfig);
    const { ca, cert, key } = this.#access;
    this.#agent = new https.Agent({ keepAlive: true, ca, cert, key });
    this.#bare = new https.Agent({ keepAlive: true, ca });
  }

  get url(): string {
    return `https://${this.#access.base.host}`;
  }

  get ca(): string {
    return this.#access.ca;
  }

  request(method: string, path: string, body?: unknown, options: RequestOptions = {}): Promise<Answer> {
    const payload =
      body === undefined ? undefined : typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = https.request(this.#options(method, path, payload, options), (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers as Record<string, string>,
            body: text.startsWith("{") ? (JSON.parse(text) as Json) : {},
            text,
          });
        });
      });
      outgoing.on("error", reject);
      outgoing.end(payload);
    });
  }

  /** A request that must be answered with 200, 201 or 202. */
  async expect(method: string, path: string, body?: unknown, options: RequestOptions = {}): Promise<Json> {
    const answer = await this.request(method, path, body, options);
    assert.ok(
      answer.status >= 200 && answer.status < 300,
      `${method} ${path}: ${answer.status} ${answer.text.slice(0, 600)}`,
    );
    return answer.body;
  }

  get(path: string): Promise<Json> {
    return this.expect("GET", path);
  }

  create(path: string, body: Json): Promise<Json> {
    return this.expect("POST", path, body);
  }

  patch(path: string, body: unknown, type: "merge" | "json" | "strategic-merge" = "merge"): Promise<Json> {
    return this.expect("PATCH", path, body, { headers: { "content-type": `application/${type}-patch+json` } });
  }

  apply(path: string, body: unknown, manager = "conformance"): Promise<Json> {
    return this.expect("PATCH", `${path}?fieldManager=${manager}`, body, {
      headers: { "content-type": "application/apply-patch+yaml" },
    });
  }

  watch(path: string): Promise<Watch> {
    return new Promise((resolve, reject) => {
      const outgoing = https.request(
        this.#options("GET", `${path}${path.includes("?") ? "&" : "?"}watch=true`, undefined, {}),
        (incoming) => {
          const queue: WatchEvent[] = [];
          let wake = (): void => undefined;
          let rest = "";
          let problem = incoming.statusCode === 200 ? undefined : `the watch was answered with ${incoming.statusCode}`;
          incoming.setEncoding("utf8");
          incoming.on("data", (chunk: string) => {
            const lines = (rest + chunk).split("\n");
            rest = lines.pop() ?? "";
            for (const line of lines) if (line !== "") queue.push(JSON.parse(line) as WatchEvent);
            wake();
          });
          incoming.on("close", () => {
            problem ??= "the watch ended";
            wake();
          });
          incoming.on("error", () => undefined);
          resolve({
            next: async (what, wanted = () => true, limitMs = 120_000) => {
              const deadlineMs = performance.now() + limitMs;
              for (;;) {
                for (let event = queue.shift(); event !== undefined; event = queue.shift())
                  if (wanted(event)) return event;
                if (problem !== undefined) throw new Error(`${problem} while waiting for ${what}`);
                const leftMs = deadlineMs - performance.now();
                if (leftMs <= 0) throw new Error(`no event within ${limitMs} ms: ${what}`);
                await new Promise<void>((woken) => {
                  const timer = setTimeout(woken, leftMs);
                  wake = () => {
                    clearTimeout(timer);
                    woken();
                  };
                });
              }
            },
            close: () => outgoing.destroy(),
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end();
    });
  }

  close(): void {
    this.#agent.destroy();
    this.#bare.destroy();
  }

  #options(
    method: string,
    path: string,
    body: string | Buffer | undefined,
    { headers, token }: RequestOptions,
  ): https.RequestOptions {
    return {
      host: this.#access.base.hostname,
      port: this.#access.base.port,
      method,
      path,
      agent: token === undefined ? this.#agent : this.#bare,
      headers: {
        accept: "application/json",
        ...(body !== undefined && {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(body)),
        }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...headers,
      },
    };
  }
}

/** The kubeconfig that `./steer up` writes holds its data in one JSON object per line. */
function readAccess(kubeconfig: string): Access {
  const text = readFileSync(kubeconfig, "utf8");
  const field = (name: string): string => {
    const found = new RegExp(`"${name}":"([^"]+)"`).exec(text)?.[1];
    if (found === undefined) throw new Error(`the kubeconfig has no ${name}`);
    return found;
  };
  const pem = (name: string): string => Buffer.from(field(name), "base64").toString();
  return {
    base: new URL(field("server")),
    ca: pem("certificate-authority-data"),
    cert: pem("client-certificate-data"),
    key: pem("client-key-data"),
  };
}

/** What a conformance test gets: a cluster, a client, and a namespace of its own. */
export interface Scene {
  readonly api: Api;
  readonly cluster: TestCluster;
  readonly namespace: string;
  /** Path of a collection of core/v1 in the namespace, with an object's name where one is given. */
  core(resource: string, name?: string): string;
  /** The same for another group: `at("apps/v1", "deployments", "web")`. */
  at(groupVersion: string, resource: string, name?: string): string;
  /** Runs when the test has ended. */
  cleanUp(action: () => unknown): void;
}

export type Conformance = (scene: Scene) => Promise<void>;

export function startSuite(): { play(test: Conformance): Promise<void>; stop(): void } {
  const cluster = startSimulatedCluster(3, "--dial-allow", "127.0.0.0/8");
  const api = new Api(cluster.kubeconfig);
  return {
    play: async (test) => {
      const namespace = `conformance-${unique()}`;
      await api.create("/api/v1/namespaces", { metadata: { name: namespace } });
      const actions: (() => unknown)[] = [];
      const at: Scene["at"] = (groupVersion, resource, name) => {
        const base = groupVersion === "v1" ? "/api/v1" : `/apis/${groupVersion}`;
        return `${base}/namespaces/${namespace}/${resource}${name === undefined ? "" : `/${name}`}`;
      };
      const core: Scene["core"] = (resource, name) => at("v1", resource, name);
      try {
        await test({ api, cluster, namespace, core, at, cleanUp: (action) => actions.push(action) });
      } finally {
        for (const action of actions.reverse()) await action();
        await api.request("DELETE", `/api/v1/namespaces/${namespace}`);
      }
    },
    stop: () => {
      api.close();
      cluster.remove();
    },
  };
}

/** A short suffix that no other test has. */
export function unique(): string {
  return randomBytes(4).toString("hex");
}
