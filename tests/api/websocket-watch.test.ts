/** Watches as WebSockets, as browsers and some libraries ask for them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { WebSocket } from "ws";
import type { ApiServerOptions } from "#apiserver/server.ts";
import { send, startOverHttps, type TestServer } from "./harness.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const sha1 = (bytes: Uint8Array): Uint8Array => createHash("sha1").update(bytes).digest();
const token = `base64url.bearer.authorization.k8s.io.${Buffer.from("secret").toString("base64url")}`;

interface Message {
  readonly isBinary: boolean;
  readonly text: string;
}

/** An open WebSocket whose messages are taken one by one; undefined: it was closed. */
class Messages {
  readonly socket: WebSocket;
  readonly #arrived: Message[] = [];
  readonly #waiting: ((message: Message | undefined) => void)[] = [];
  code: number | undefined;

  constructor(server: TestServer, target: string, protocols: string[], headers: Record<string, string> = {}) {
    this.socket = new WebSocket(`${server.baseUrl.replace("https", "wss")}${target}`, protocols, {
      headers,
      rejectUnauthorized: false,
    });
    this.socket.on("message", (data: Buffer, isBinary) => {
      const message = { isBinary, text: data.toString("latin1") };
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#arrived.push(message);
      else waiting(message);
    });
    this.socket.on("close", (code) => {
      this.code = code;
      for (const waiting of this.#waiting.splice(0)) waiting(undefined);
    });
  }

  next(): Promise<Message | undefined> {
    const message = this.#arrived.shift();
    if (message !== undefined || this.code !== undefined) return Promise.resolve(message);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next messages as `TYPE name`. */
  async take(count: number): Promise<string[]> {
    const taken: string[] = [];
    for (let i = 0; i < count; i++) {
      const message = await this.next();
      if (message === undefined) return [...taken, "END"];
      const { type, object } = JSON.parse(message.text) as { type: string; object: { metadata: { name: string } } };
      taken.push(`${type} ${object.metadata.name}`);
    }
    return taken;
  }
}

async function start(options: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  const server = await startOverHttps({ sha1, ...options });
  await send(server, "POST", maps, { metadata: { name: "a" } });
  return server;
}

test("each event is one text message, until the watch's time is over", async () => {
  const server = await start();
  // The end is waited for after what has to be seen before it, on a busy machine too.
  const brief = new Messages(server, `${maps}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dnone`, []);
  const seen = new Messages(server, `${maps}?watch=true`, []);
  assert.deepEqual(await seen.take(1), ["ADDED a"]);
  await send(server, "POST", maps, { metadata: { name: "b" }, data: { text: "two\nlines" } });
  const second = await seen.next();
  assert.equal(second?.isBinary, false);
  assert.match(second.text, /^\{"type":"ADDED".*"text":"two\\nlines".*\}\n$/);
  await send(server, "DELETE", `${maps}/b`);
  assert.deepEqual(await seen.take(1), ["DELETED b"]);
  seen.socket.close();
  assert.deepEqual(await brief.take(1), ["END"]);
  assert.equal(brief.code, 1000);
  await server.close();
});

test("protobuf comes in binary messages, without the length that frames it elsewhere", async () => {
  const server = await start();
  const accept = "application/vnd.kubernetes.protobuf;stream=watch";
  const seen = new Messages(server, `${maps}?watch=1`, [], { accept });
  const first = await seen.next();
  assert.equal(first?.isBinary, true);
  // The event's first field is its type.
  assert.equal(first.text.slice(0, 7), "\n\x05ADDED");
  seen.socket.close();
  await server.close();
});

test("a token among the protocols says who asks; the other protocol is agreed to", async () => {
  let asked: string | undefined;
  const server = await startOverHttps({
    sha1,
    authenticator: {
      authenticate: ({ headers }) => {
        asked = headers["sec-websocket-protocol"];
        return { ok: true, user: { name: "x", uid: "", groups: ["system:masters"], extra: {} } };
      },
      checkToken: () => ({ ok: false, reason: "invalid", detail: "no" }),
    },
  });
  const seen = new Messages(server, `${maps}?watch=1`, [token, "base64.binary.k8s.io"]);
  await new Promise((resolve) => seen.socket.once("open", resolve));
  assert.match(String(asked), /^base64url\.bearer/);
  assert.equal(seen.socket.protocol, "base64.binary.k8s.io");
  seen.socket.close();
  await server.close();
});

test("what cannot be watched is answered without changing the protocol", async () => {
  const server = await start({
    authorizer: {
      authorize: ({ resource }) =>
        resource === "secrets" ? { allowed: false, denied: true, reason: "" } : { allowed: true, reason: "" },
      rulesFor: () => ({ resourceRules: [], nonResourceRules: [], incomplete: false }),
    },
  });
  for (const [target, status] of [
    ["/api/v1/secrets?watch=1", 403],
    ["/api/v1/nothings?watch=1", 404],
    [`${maps}?watch=1&resourceVersion=x`, 422],
    [`${maps}/a`, 200],
  ] as const) {
    const { socket } = new Messages(server, target, []);
    socket.on("error", () => undefined);
    const answer = await new Promise<number | undefined>((resolve) =>
      socket.once("unexpected-response", (_request, response) => resolve(response.statusCode)),
    );
    assert.equal(answer, status, target);
    socket.terminate();
  }
  await server.close();
});

test("a client that goes away ends its watch; what it sends is not looked at", async () => {
  const server = await start();
  const seen = new Messages(server, `${maps}?watch=1`, []);
  assert.deepEqual(await seen.take(1), ["ADDED a"]);
  seen.socket.send("hello");
  await send(server, "POST", maps, { metadata: { name: "b" } });
  assert.deepEqual(await seen.take(1), ["ADDED b"]);
  seen.socket.close();
  assert.deepEqual(await seen.take(1), ["END"]);
  await server.close();
});
