/**
 * Connections that hold up or flood. Of HTTP/1.1: hundreds that never end their handshake, headers or body. Of HTTP/2: pings,
 * settings, headers without end, resets (CVE-2019-9512, CVE-2019-9514, CVE-2019-9515, CVE-2023-44487, CVE-2023-45288). Each costs
 * its own connection; memory stays bounded, and others are answered meanwhile.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import net from "node:net";
import tls from "node:tls";
import { send, startOverHttps } from "../api/harness.ts";

const server = await startOverHttps();
after(() => server.close());
const port = Number(new URL(server.baseUrl).port);
const memoryBytesMax = 150 * 1024 * 1024;

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const kinds = { headers: 1, reset: 3, settings: 4, ping: 6, continuation: 9 } as const;

function frame(type: keyof typeof kinds, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(kinds[type], 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** `:method GET`, `:scheme https`, `:path /`, `:authority x`, by the static table of HPACK. */
const request = Buffer.from([0x82, 0x87, 0x84, 0x41, 0x01, 0x78]);
/** A header field that is never indexed, with a name and a value of one character each. */
const field = Buffer.from([0x10, 0x01, 0x61, 0x01, 0x62]);
const endOfHeaders = 4;
const endOfStream = 1;

/** Sends `first`, then `next` as long as the connection takes it; resolves when the server has cut it off. Reads nothing. */
function flood(first: Buffer, next: (round: number) => Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false });
    let sent = 0;
    const go = (): void => {
      // Far more than any bound lets through: who takes all of it has none.
      if (sent > 256 * 1024 * 1024) {
        socket.destroy();
        reject(new Error("the server takes whatever comes"));
        return;
      }
      for (let hasRoom = true; hasRoom && !socket.destroyed;) {
        const piece = next(sent);
        sent += piece.length;
        hasRoom = socket.write(piece);
        if (sent > 256 * 1024 * 1024) hasRoom = false;
      }
    };
    socket.on("secureConnect", () => {
      socket.write(Buffer.concat([preface, frame("settings", 0, 0), first]));
      go();
    });
    socket.on("drain", go);
    socket.resume();
    // How it was cut off is the server's business: a reset is one way.
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(sent));
  });
}

const many = (piece: Buffer): Buffer => Buffer.concat(Array<Buffer>(200).fill(piece));

const floods: Readonly<Record<string, () => Promise<number>>> = {
  settings: () => flood(Buffer.alloc(0), () => many(frame("settings", 0, 0, Buffer.from([0, 4, 0, 0, 0xff, 0xff])))),
  "headers without end": () =>
    flood(frame("headers", endOfStream, 1, request), () => many(frame("continuation", 0, 1, field))),
  "empty headers without end": () =>
    flood(frame("headers", endOfStream, 1, request), () => many(frame("continuation", 0, 1))),
  "requests that are reset at once": () => {
    let stream = -1;
    return flood(Buffer.alloc(0), () =>
      Buffer.concat(
        Array.from({ length: 200 }, () => {
          stream += 2;
          const reset = frame("reset", 0, stream, Buffer.from([0, 0, 0, 8]));
          return Buffer.concat([frame("headers", endOfHeaders | endOfStream, stream, request), reset]);
        }),
      ),
    );
  },
};

for (const [what, run] of Object.entries(floods)) {
  test(`a flood of ${what} ends with its connection, and others are answered meanwhile`, async () => {
    const before = process.memoryUsage().rss;
    let isOver = false;
    const flooding = run().finally(() => (isOver = true));
    let answered = 0;
    do {
      assert.equal((await send(server, "GET", "/livez")).status, 200);
      answered += 1;
    } while (!isOver && answered < 100_000);
    assert.ok((await flooding) > 0);
    assert.ok(process.memoryUsage().rss - before < memoryBytesMax);
  });
}

test("a flood of pings is answered or cut off, and costs no memory", async () => {
  const before = process.memoryUsage().rss;
  const ping = many(frame("ping", 0, 0, Buffer.alloc(8)));
  let sent = 0;
  const socket = tls.connect({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false });
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  // Its answers are never read.
  socket.pause();
  socket.write(Buffer.concat([preface, frame("settings", 0, 0)]));
  for (let round = 0; round < 2_000 && !socket.destroyed; round += 1) {
    sent += ping.length;
    if (!socket.write(ping))
      await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), new Promise(setImmediate)]);
    if (socket.writableLength > 8 * 1024 * 1024) break;
    if (round % 100 === 0) assert.equal((await send(server, "GET", "/livez")).status, 200);
  }
  assert.ok(sent > 0);
  assert.ok(process.memoryUsage().rss - before < memoryBytesMax);
  socket.destroy();
  assert.equal((await send(server, "GET", "/livez")).status, 200);
});

test("hundreds of connections that never come to an end keep nobody out", async () => {
  const sockets: (tls.TLSSocket | net.Socket)[] = [];
  const head = `POST /api/v1/namespaces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`;
  const connect = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const options = { port, host: "127.0.0.1", ALPNProtocols: ["http/1.1"], rejectUnauthorized: false };
      const socket = tls.connect(options, () => {
        socket.write(text);
        resolve();
      });
      // The server may cut it off at any time.
      socket.on("error", reject);
      sockets.push(socket);
    });
  for (let round = 0; round < 6; round += 1) {
    const each = [head, `${head}content-length: 1000\r\n\r\n{`, `${head}transfer-encoding: chunked\r\n\r\n5\r\n{`];
    await Promise.all(each.flatMap((text) => Array.from({ length: 8 }, () => connect(text))));
    for (let index = 0; index < 20; index += 1) {
      // Half a greeting.
      const socket = net.connect(port, "127.0.0.1", () => socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02])));
      socket.on("error", () => undefined);
      sockets.push(socket);
    }
    assert.equal((await send(server, "GET", "/livez")).status, 200);
  }
  for (const socket of sockets) socket.destroy();
  assert.equal((await send(server, "GET", "/livez")).status, 200);
});
