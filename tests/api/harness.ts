import assert from "node:assert/strict";
import { kinds } from "#api/kinds.ts";
import { createApiServer, type ApiServer, type ApiServerOptions } from "#apiserver/server.ts";
import type { User } from "#apiserver/user.ts";
import type { Store } from "#store/store.ts";
import type { ByteStream, HttpResponse, Transport } from "#world/http.ts";
import { openMemoryStore } from "../../src/store/memory/memory-store.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { nodeHttp } from "../../src/world/node/http.ts";
import { realRandom } from "../../src/world/node/random.ts";
import { loopbackIdentity } from "./loopback-identity.ts";

export const admin: User = { name: "admin", uid: "", groups: ["system:masters", "system:authenticated"], extra: {} };

/** A server to send requests to, by whatever way. */
export interface TestServer {
  readonly name: string;
  readonly api: ApiServer;
  readonly store: Store;
  readonly transport: Transport;
  /** Where it listens; empty in process. */
  readonly baseUrl: string;
  close(): Promise<void>;
}

export type Start = (options?: Partial<ApiServerOptions>) => Promise<TestServer>;

/** A server that lets everyone do everything, over a store in memory unless told otherwise. */
export function openApi(options: Partial<ApiServerOptions>): { api: ApiServer; store: Store } {
  const timers = realTimers({ keepAlive: true });
  const store = options.store ?? openMemoryStore({ clock: realClock, timers });
  const api = createApiServer({
    kinds,
    store,
    clock: realClock,
    timers,
    random: realRandom,
    authenticator: { authenticate: () => ({ ok: true, user: admin }), checkToken: () => ({ ok: true, user: admin }) },
    authorizer: {
      authorize: () => ({ allowed: true, reason: "" }),
      rulesFor: () => ({ resourceRules: [], nonResourceRules: [], incomplete: false }),
    },
    admission: [],
    version: { major: "1", minor: "36", gitVersion: "v1.36.0+steersman.1" },
    ...options,
  });
  return { api, store };
}

/** The server called directly. */
export const startInProcess: Start = async (options = {}) => {
  const { api, store } = openApi(options);
  return {
    name: "in process",
    api,
    store,
    baseUrl: "",
    transport: { send: async (request) => api.handler.handle(request, { address: "127.0.0.1", port: 1 }) },
    close: async () => {
      api.close();
      await store.close();
    },
  };
};

/** The server behind a port with TLS, on loopback. */
export const startOverHttps = async (
  options: Partial<ApiServerOptions> = {},
): Promise<TestServer & { readonly certificate: string }> => {
  const { api, store } = openApi(options);
  const { certificate, key } = await loopbackIdentity();
  const server = await nodeHttp.listen(
    {
      host: "127.0.0.1",
      port: 0,
      tls: { certificate, key, clientCa: certificate },
      bodyBytesMax: 3 * 1024 * 1024,
    },
    api.handler,
  );
  const baseUrl = `https://127.0.0.1:${server.port}`;
  const transport = nodeHttp.transport({ baseUrl, ca: certificate });
  return {
    name: "over HTTPS",
    certificate,
    api,
    store,
    transport,
    baseUrl,
    close: async () => {
      transport.close();
      api.close();
      await server.close(0);
      await store.close();
    },
  };
};

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // Answers are looked at by path, and a wrong path fails the test that asks for it.
  readonly body: Record<string, unknown>;
  readonly text: string;
}

/** Sends one request and reads the whole answer. */
export async function send(
  { transport }: TestServer,
  method: string,
  target: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const bytes = body === undefined ? new Uint8Array(0) : isRaw ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const response = await transport.send({ method, target, headers: { ...type, ...headers }, body: bytes });
  const text = Buffer.from(await wholeBody(response)).toString("utf8");
  const isJson = (response.headers["content-type"] ?? "").startsWith("application/json");
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== "" ? (JSON.parse(text) as Record<string, unknown>) : {},
  };
}

/** Puts the kind Widget of example.com/v1 into force: it is served when this resolves. `version`: its schema and subresources. */
export async function defineWidgets(server: TestServer, version: object): Promise<void> {
  const defined = await send(server, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", kind: "Widget" },
      versions: [{ name: "v1", served: true, storage: true, ...version }],
    },
  });
  assert.equal(defined.status, 201, defined.text);
  while ((await send(server, "GET", "/apis/example.com/v1/widgets")).status === 404)
    await new Promise((resolve) => setImmediate(resolve));
}

export function wholeBody({ body }: HttpResponse): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return Promise.resolve(body);
  if (!("open" in body)) return Promise.resolve(Buffer.concat(body));
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    body.open({
      write: (chunk) => parts.push(chunk) > 0,
      end: () => resolve(Buffer.concat(parts)),
      abort: reject,
    });
  });
}

export interface WatchEvent {
  readonly type: string;
  readonly object: Record<string, unknown> & { metadata: Record<string, unknown> };
}

/** An open watch whose events are taken one by one. */
export class TestWatch {
  readonly #stream: ByteStream;
  readonly #events: WatchEvent[] = [];
  readonly #waiting: ((event: WatchEvent | undefined) => void)[] = [];
  readonly #decoder = new TextDecoder();
  #text = "";
  #isOver = false;

  constructor(response: HttpResponse) {
    assert.equal(response.status, 200);
    this.#stream = response.body as ByteStream;
    this.#stream.open({
      write: (chunk) => {
        this.#read(this.#decoder.decode(chunk, { stream: true }));
        return true;
      },
      end: () => this.#end(),
      abort: () => this.#end(),
    });
  }

  #read(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      const event = JSON.parse(line) as WatchEvent;
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#events.push(event);
      else waiting(event);
    }
  }

  #end(): void {
    this.#isOver = true;
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }

  /** The next event; undefined when the watch is over. */
  next(): Promise<WatchEvent | undefined> {
    const event = this.#events.shift();
    if (event !== undefined || this.#isOver) return Promise.resolve(event);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next `count` events as `TYPE name`. */
  async take(count: number): Promise<string[]> {
    const taken: string[] = [];
    for (let i = 0; i < count; i++) {
      const event = await this.next();
      taken.push(event === undefined ? "END" : `${event.type} ${String(event.object.metadata.name)}`);
    }
    return taken;
  }

  close(): void {
    this.#stream.close();
  }
}

export async function watch(server: TestServer, target: string): Promise<TestWatch> {
  return new TestWatch(await server.transport.send({ method: "GET", target, headers: {}, body: new Uint8Array(0) }));
}

/** What `pattern` names must be in `value`; regular expressions match texts, undefined means absent. */
export function assertMatches(value: unknown, pattern: unknown, path = "answer"): void {
  if (pattern instanceof RegExp) {
    assert.match(String(value), pattern, path);
  } else if (Array.isArray(pattern)) {
    assert.ok(Array.isArray(value), `${path} is a list`);
    assert.equal(value.length, pattern.length, `length of ${path}`);
    pattern.forEach((item, index) => assertMatches(value[index], item, `${path}[${index}]`));
  } else if (typeof pattern === "object" && pattern !== null) {
    assert.ok(typeof value === "object" && value !== null, `${path} is an object, not ${JSON.stringify(value)}`);
    for (const [key, inner] of Object.entries(pattern))
      assertMatches((value as Record<string, unknown>)[key], inner, `${path}.${key}`);
  } else assert.deepEqual(value, pattern, path);
}
