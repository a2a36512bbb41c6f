/** Clients that leave their end of a connection open hold it no longer than they may. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { test } from "node:test";
import type { HttpHandler } from "../http.ts";
import { createCertificates } from "./certificates.ts";
import { createCrypto } from "./crypto.ts";
import { nodeHttp } from "./http.ts";

const handler: HttpHandler = {
  handle: () => Promise.resolve({ status: 200, headers: {}, body: Buffer.from("answer") }),
};
const at = { host: "127.0.0.1", port: 0, bodyBytesMax: 1_000, bodyTimeoutMs: 500 };

async function selfSigned(): Promise<{ readonly certificate: string; readonly key: string }> {
  const { privateKey, publicKey } = createCrypto().generateKey();
  const request = {
    subject: { commonName: "localhost" },
    publicKey,
    dnsNames: ["localhost"],
    addresses: [],
    usages: ["ca", "server"] as const,
    notBefore: Date.now() - 60_000,
    notAfter: Date.now() + 3_600_000,
  };
  const certificate = await createCertificates().issue(request, { selfSignedWith: privateKey });
  return { certificate, key: privateKey };
}

const refused = {
  "headers that never end": "GET / HTTP/1.1\r\nhost: x\r\nx-long: ",
  "an upgrade that nobody can do": "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
};

for (const [name, bytes] of Object.entries(refused)) {
  test(`${name}: its client reads nothing, ends nothing, goes on sending, and is cut off`, async () => {
    const server = await nodeHttp.listen(at, handler);
    const socket = net.connect({ host: at.host, port: server.port, allowHalfOpen: true });
    // Nobody reads: that the server has ended its side is not noticed.
    socket.pause();
    // A connection that is gone cannot be written to.
    socket.on("error", () => undefined);
    const gone = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    socket.write(bytes);
    const trickle = setInterval(() => socket.write("x"), 20);
    await gone;
    clearInterval(trickle);
    await server.close(0);
  });
}

test("an HTTP/2 connection without a request is closed, one with a request under way is not", async () => {
  const { certificate, key } = await selfSigned();
  const waiting = Promise.withResolvers<void>();
  const slow: HttpHandler = {
    handle: async () => {
      await waiting.promise;
      return { status: 200, headers: {}, body: Buffer.from("late") };
    },
  };
  const server = await nodeHttp.listen({ ...at, tls: { certificate, key }, idleTimeoutMs: 1_000 }, slow);
  const connect = (): http2.ClientHttp2Session =>
    http2.connect(`https://localhost:${server.port}`, { ca: certificate, servername: "localhost" });
  const busy = connect();
  const request = busy.request({ ":path": "/" });
  const answered = once(request, "response");
  request.resume();
  const idle = connect();
  const pings = setInterval(() => {
    if (!idle.closed && !idle.destroyed) idle.ping(() => undefined);
  }, 20);
  idle.on("error", () => undefined);
  await once(idle, "close");
  clearInterval(pings);
  assert.equal(busy.closed, false, "it waits for its answer");
  waiting.resolve();
  const [headers] = (await answered) as [http2.IncomingHttpHeaders];
  assert.equal(headers[":status"], 200);
  busy.close();
  await server.close(0);
});
