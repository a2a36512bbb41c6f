import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { test } from "node:test";
import tls from "node:tls";
import { Worker } from "node:worker_threads";
import type { ByteSink, HttpHandler, HttpRequest, HttpResponse, Peer, Transport } from "../http.ts";
import { AddressInUseError } from "../http.ts";
import type { Connection } from "../sockets.ts";
import { createCertificates } from "./certificates.ts";
import { createCrypto } from "./crypto.ts";
import { nodeHttp } from "./http.ts";

const certificates = createCertificates();

interface Authority {
  readonly certificate: string;
  readonly key: string;
}

async function issue(usage: "ca" | "server" | "client", issuer?: Authority): Promise<Authority> {
  const { privateKey, publicKey } = createCrypto().generateKey();
  const request = {
    subject: { commonName: usage },
    publicKey,
    dnsNames: ["localhost"],
    addresses: ["127.0.0.1"],
    usages: [usage],
    notBefore: Date.now() - 60_000,
    notAfter: Date.now() + 3_600_000,
  };
  const certificate = await certificates.issue(request, issuer ?? { selfSignedWith: privateKey });
  return { certificate, key: privateKey };
}

const authority = await issue("ca");
const identity = await issue("server", authority);
const client = await issue("client", authority);
const stranger = await issue("client", await issue("ca"));

function text(status: number, body: string): HttpResponse {
  return { status, headers: { "content-type": "text/plain" }, body: Buffer.from(body) };
}

/** Answers what it saw. */
const echo: HttpHandler = {
  handle(request, peer) {
    const name = peer.certificate && certificates.read(peer.certificate)?.subject.commonName;
    return Promise.resolve(
      text(200, `${request.method} ${request.target} ${Buffer.from(request.body).toString()} ${name ?? "nobody"}`),
    );
  },
};

interface Served {
  readonly port: number;
  readonly baseUrl: string;
  readonly transport: Transport & { close(): void };
}

/** Serves with TLS on loopback while `use` runs. */
async function serving(
  handler: HttpHandler,
  use: (served: Served) => Promise<void>,
  bodyBytesMax = 1_000,
): Promise<void> {
  const options = { host: "127.0.0.1", port: 0, tls: { ...identity, clientCa: authority.certificate }, bodyBytesMax };
  const server = await nodeHttp.listen(options, handler);
  const baseUrl = `https://127.0.0.1:${server.port}`;
  const transport = nodeHttp.transport({ baseUrl, ca: authority.certificate });
  try {
    await use({ port: server.port, baseUrl, transport });
  } finally {
    transport.close();
    await server.close(0);
  }
}

function request(method: string, target: string, body = ""): HttpRequest {
  return { method, target, headers: {}, body: Buffer.from(body) };
}

function read({ body }: HttpResponse): Promise<string> {
  if (body instanceof Uint8Array) return Promise.resolve(Buffer.from(body).toString());
  if (!("open" in body)) throw new Error("a transport answers bytes or a stream");
  return new Promise((resolve, reject) => {
    let gathered = "";
    body.open({
      write: (chunk) => (gathered += Buffer.from(chunk).toString()) !== "",
      end: () => resolve(gathered),
      abort: reject,
    });
  });
}

test("HTTP/1.1 carries method, target and body, and who has no certificate is nobody", async () => {
  await serving(echo, async ({ transport }) => {
    assert.equal(await read(await transport.send(request("GET", "/a?b=c"))), "GET /a?b=c  nobody");
    assert.equal(await read(await transport.send(request("POST", "/a", "body"))), "POST /a body nobody");
  });
});

test("a client certificate counts only when our authority signed it", async () => {
  await serving(echo, async ({ baseUrl }) => {
    for (const [who, expected] of [
      [client, "client"],
      [stranger, "nobody"],
    ] as const) {
      const transport = nodeHttp.transport({ baseUrl, ca: authority.certificate, identity: who });
      assert.equal(await read(await transport.send(request("GET", "/"))), `GET /  ${expected}`);
      transport.close();
    }
  });
});

test("a bearer token is sent, asked for each time", async () => {
  const tokens: (string | undefined)[] = [];
  const handler: HttpHandler = {
    handle: ({ headers }) => {
      tokens.push(headers.authorization);
      return Promise.resolve(text(200, ""));
    },
  };
  await serving(handler, async ({ baseUrl }) => {
    let serial = 0;
    const transport = nodeHttp.transport({ baseUrl, ca: authority.certificate, bearerToken: () => `t${serial++}` });
    await transport.send(request("GET", "/"));
    await transport.send(request("GET", "/"));
    transport.close();
    assert.deepEqual(tokens, ["Bearer t0", "Bearer t1"]);
  });
});

test("a body beyond the limit is 413 as Status, announced or not", async () => {
  await serving(echo, async ({ transport, port }) => {
    const announced = await transport.send(request("POST", "/", "x".repeat(1_001)));
    assert.equal(announced.status, 413);
    assert.match(await read(announced), /"reason":"RequestEntityTooLarge"/);
    const head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    const answer = await rawExchange(port, `${head}3e9\r\n${"x".repeat(1_001)}\r\n0\r\n\r\n`);
    assert.match(answer, /^HTTP\/1.1 413 /);
  });
});

test("smuggling attempts and missing hosts are turned away", async () => {
  await serving(echo, async ({ port }) => {
    const both = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert.match(await rawExchange(port, both), /^HTTP\/1.1 400 /);
    assert.match(await rawExchange(port, "GET / HTTP/1.1\r\n\r\n"), /^HTTP\/1.1 400 /);
  });
});

test("HTTP/2 by ALPN: requests, bodies, streams, the client's certificate", async () => {
  const handler: HttpHandler = {
    handle(incoming, peer) {
      if (incoming.target !== "/stream") return echo.handle(incoming, peer);
      return Promise.resolve({
        status: 200,
        headers: {},
        body: stream((sink) => (sink.write(Buffer.from("one ")), sink.write(Buffer.from("two")), sink.end())),
      });
    },
  };
  await serving(handler, async ({ port }) => {
    const session = http2.connect(`https://127.0.0.1:${port}`, {
      ca: authority.certificate,
      cert: client.certificate,
      key: client.key,
    });
    assert.equal(await overHttp2(session, { ":path": "/a" }), "GET /a  client");
    assert.equal(await overHttp2(session, { ":method": "POST", ":path": "/b" }, "body"), "POST /b body client");
    assert.equal(await overHttp2(session, { ":path": "/stream" }), "one two");
    assert.match(
      await overHttp2(session, { ":method": "POST", ":path": "/" }, "x".repeat(1_001)),
      /RequestEntityTooLarge/,
    );
    session.close();
  });
});

test("GETs over HTTP/2 that bring a body have their answers all the same, however many", async () => {
  await serving({ handle: () => text(200, "fine") }, async ({ port }) => {
    const session = http2.connect(`https://127.0.0.1:${port}`, { ca: authority.certificate });
    for (let i = 0; i < 60; i++) {
      const each = session.request({ ":path": "/" }, { endStream: false });
      const status = once(each, "response").then(([headers]) => (headers as http2.IncomingHttpHeaders)[":status"]);
      each.resume();
      each.end(Buffer.alloc(500_000));
      // The next one follows when this one's body has left too: else the client's own memory is what is full.
      await once(each, "close");
      assert.equal(await status, 200);
    }
    session.close();
  });
});

test("many bodies over HTTP/2, each larger than its window, come whole beside those that say no more or break off", async () => {
  const bytes = 1_500_000;
  const handler: HttpHandler = { handle: ({ body }) => text(200, String(body.length)) };
  const use = async ({ port }: Served): Promise<void> => {
    // The client's own memory is not to be what is full.
    const options = { ca: authority.certificate, maxSessionMemory: 100 };
    const sessions = [0, 1].map(() => http2.connect(`https://127.0.0.1:${port}`, options));
    const headers = { ":method": "POST", ":path": "/", "content-length": String(bytes) };
    const answers = sessions.flatMap((session) => {
      const [silent, broken] = [session.request(headers), session.request(headers)];
      for (const each of [silent, broken]) each.on("error", () => undefined).write(Buffer.alloc(200_000));
      broken.close(http2.constants.NGHTTP2_CANCEL);
      return Array.from({ length: 12 }, () => overHttp2(session, headers, "x".repeat(bytes)));
    });
    for (const answer of await Promise.all(answers)) assert.equal(answer, String(bytes));
    for (const session of sessions) session.destroy();
  };
  await serving(handler, use, bytes);
});

test("a body that never ends costs its stream, not the session", async () => {
  const options = { host: "127.0.0.1", port: 0, tls: identity, bodyBytesMax: 1000, bodyTimeoutMs: 1_000 };
  const server = await nodeHttp.listen(options, echo);
  const session = http2.connect(`https://127.0.0.1:${server.port}`, { ca: authority.certificate });
  const slow = session.request({ ":method": "POST", ":path": "/slow" });
  slow.on("error", () => undefined);
  slow.write("{");
  const trickle = setInterval(() => slow.writable && slow.write(" "), 20);
  await new Promise((resolve) => slow.once("close", resolve));
  clearInterval(trickle);
  assert.equal(slow.rstCode, http2.constants.NGHTTP2_CANCEL);
  const other = session.request({ ":method": "POST", ":path": "/other" });
  other.end("whole");
  const status = new Promise((resolve) => other.once("response", (headers) => resolve(headers[":status"])));
  other.resume();
  assert.equal(await status, 200);
  session.close();
  await server.close(0);
});

test("a session that resets its streams in a storm is closed (CVE-2023-44487)", async () => {
  await serving(echo, async ({ port, transport }) => {
    const session = http2.connect(`https://127.0.0.1:${port}`, { ca: authority.certificate });
    session.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => session.on("close", resolve));
    const storm = (): void => {
      for (let i = 0; i < 100 && !session.closed && !session.destroyed; i++) {
        const each = session.request({ ":path": "/" });
        each.on("error", () => undefined);
        each.close(http2.constants.NGHTTP2_CANCEL);
      }
      if (!session.closed && !session.destroyed) setImmediate(storm);
    };
    session.on("connect", storm);
    await closed;
    assert.equal((await transport.send(request("GET", "/"))).status, 200);
  });
});

test("a stream stops at a full socket and goes on when it has drained", async () => {
  const chunk = Buffer.alloc(256 * 1024, "x");
  let left = 40;
  let stops = 0;
  const handler: HttpHandler = {
    handle() {
      let into: ByteSink | undefined;
      const go = (): void => {
        while (left > 0) {
          left -= 1;
          if (!into!.write(chunk)) {
            stops += 1;
            return;
          }
        }
        into!.end();
      };
      const open = (sink: ByteSink): void => {
        into = sink;
        go();
      };
      return Promise.resolve({ status: 200, headers: {}, body: { open, drained: go, close: () => undefined } });
    },
  };
  await serving(handler, async ({ transport }) => {
    assert.equal((await read(await transport.send(request("GET", "/")))).length, 40 * chunk.length);
    assert.ok(stops > 0);
  });
});

test("a stream is closed when its client goes, and breaks at the client when it is aborted", async () => {
  let closed: () => void = () => undefined;
  const isClosed = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const handler: HttpHandler = {
    handle({ target }) {
      const begin = (sink: ByteSink): void => {
        sink.write(Buffer.from("begin"));
        if (target === "/abort") setImmediate(() => sink.abort(new Error("broken")));
      };
      return Promise.resolve({ status: 200, headers: {}, body: stream(begin, closed) });
    },
  };
  await serving(handler, async ({ transport }) => {
    const response = await transport.send(request("GET", "/watch"));
    assert.ok("open" in response.body);
    const { body } = response;
    body.open({ write: () => true, end: () => undefined, abort: () => undefined });
    body.close();
    await isClosed;
    await assert.rejects(async () => read(await transport.send(request("GET", "/abort"))));
  });
});

test("an upgrade hands the connection over; where there is none the client is told", async () => {
  const handler: HttpHandler = {
    ...echo,
    upgrade(_request: HttpRequest, _peer: Peer, connection: Connection) {
      connection.start({
        data: (chunk) => void connection.write(chunk),
        end: () => connection.end(),
        close: () => undefined,
        drain: () => undefined,
      });
      connection.write(
        Buffer.from("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\n\r\n"),
      );
    },
  };
  const headers = { connection: "Upgrade", upgrade: "SPDY/3.1" };
  await serving(handler, async ({ transport }) => {
    const result = await transport.upgrade!({ ...request("POST", "/exec"), headers });
    assert.ok(result.upgraded);
    const echoed = new Promise<string>((resolve) => {
      result.connection.start({
        data: (chunk) => resolve(Buffer.from(chunk).toString()),
        end: () => undefined,
        close: () => undefined,
        drain: () => undefined,
      });
    });
    result.connection.write(Buffer.from("hello"));
    assert.equal(await echoed, "hello");
    result.connection.destroy();
  });
  await serving(echo, async ({ transport }) => {
    const result = await transport.upgrade!({ ...request("POST", "/exec"), headers });
    assert.ok(!result.upgraded);
    assert.equal(result.response.status, 400);
  });
});

/** Posts again and again on one connection, each time when the answer has come; on a thread of its own, or nothing overlaps. */
const postInTurn = `
const { parentPort, workerData: { port, ca, count, length } } = require("node:worker_threads");
const https = require("node:https");
const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca });
const body = Buffer.alloc(length, 0x78);
const once = () => new Promise((resolve, reject) => {
  const options = { host: "127.0.0.1", port, agent, method: "POST", headers: { "content-length": length } };
  const request = https.request(options, (response) => {
    let received = 0;
    response.on("data", (chunk) => (received += chunk.length));
    response.on("end", () => resolve(received));
    response.on("error", reject);
  });
  request.on("error", reject);
  request.end(body);
});
(async () => {
  for (let i = 1; i < count; i += 1) await once();
  parentPort.postMessage(await once());
  agent.destroy();
})();
`;

test("large requests follow large answers on one connection", async () => {
  // Node breaks a connection off whose parser it pauses for an answer that has not drained, while more than a record is read.
  const bytes = Buffer.alloc(1_000_000, 0x78);
  const handlers: Readonly<Record<string, HttpHandler>> = {
    whole: {
      handle: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return { status: 200, headers: {}, body: bytes };
      },
    },
    streamed: {
      handle: () => {
        let into: ByteSink | undefined;
        const more = (): void => {
          into?.write(bytes);
          into?.end();
        };
        return {
          status: 200,
          headers: {},
          body: { open: (sink) => ((into = sink), more()), drained() {}, close() {} },
        };
      },
    },
  };
  for (const [name, handler] of Object.entries(handlers)) {
    await serving(
      handler,
      async ({ port }) => {
        const workerData = { port, ca: authority.certificate, count: 60, length: 1_000_000 };
        const worker = new Worker(postInTurn, { eval: true, workerData });
        const [received] = (await once(worker, "message")) as [number];
        assert.equal(received, bytes.length, name);
        await worker.terminate();
      },
      2_000_000,
    );
  }
});

test("a taken port is said as such", async () => {
  await serving(echo, async ({ port }) => {
    await assert.rejects(nodeHttp.listen({ host: "127.0.0.1", port, bodyBytesMax: 1 }, echo), AddressInUseError);
  });
});

test("a handler that breaks its promise is a 500 without details", async () => {
  await serving({ handle: () => Promise.reject(new Error("secret")) }, async ({ transport }) => {
    const response = await transport.send(request("GET", "/"));
    assert.equal(response.status, 500);
    assert.doesNotMatch(await read(response), /secret/);
  });
});

test("new connections get the new certificate", async () => {
  const server = await nodeHttp.listen({ host: "127.0.0.1", port: 0, tls: identity, bodyBytesMax: 1 }, echo);
  const next = await issue("server", authority);
  server.replaceTls(next);
  const socket = tls.connect({ host: "127.0.0.1", port: server.port, ca: authority.certificate });
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  const expected = certificates.read(next.certificate);
  assert.equal(certificates.read(socket.getPeerCertificate().raw)?.publicKey, expected?.publicKey);
  socket.destroy();
  await server.close(0);
});

function stream(open: (sink: ByteSink) => void, close: () => void = () => undefined): HttpResponse["body"] {
  return { open, close, drained: () => undefined };
}

function overHttp2(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const each = session.request(headers, { endStream: body === undefined });
    let gathered = "";
    each.on("data", (chunk: Buffer) => (gathered += chunk.toString()));
    each.on("end", () => resolve(gathered));
    each.on("error", (error) => (gathered === "" ? reject(error) : resolve(gathered)));
    if (body !== undefined) each.end(body);
  });
}

/** Sends bytes over TLS and reads until the server closes or has answered. */
function rawExchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket: net.Socket = tls.connect({ host: "127.0.0.1", port, ca: authority.certificate }, () =>
      socket.write(bytes),
    );
    let gathered = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      gathered += chunk.toString();
      if (gathered.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(gathered));
  });
}
