import assert from "node:assert/strict";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { test } from "node:test";
import { linuxProbeWire } from "#world/node/probe-wire.ts";

const wire = linuxProbeWire();
const host = "127.0.0.1";

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

test("gRPC health: the service's word, or why there is none", async () => {
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const service = Buffer.concat(chunks).subarray(7).toString();
      if (service === "absent") {
        stream.respond({ "content-type": "application/grpc", "grpc-status": "5" }, { endStream: true });
        return;
      }
      stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, service === "sick" ? 2 : 1]));
    });
  });
  const port = await listening(server);
  try {
    assert.equal(await wire.grpcHealth(host, port, "", 30_000), "SERVING");
    assert.equal(await wire.grpcHealth(host, port, "sick", 30_000), "NOT_SERVING");
    await assert.rejects(wire.grpcHealth(host, port, "absent", 30_000), /failed with code 5/);
  } finally {
    server.close();
  }
  await assert.rejects(wire.grpcHealth(host, port, "", 30_000));
});

test("HTTP: status, headers, and no waiting beyond the limit", async () => {
  const server = createServer((request, response) => {
    if (request.url === "/slow") return;
    response.writeHead(request.headers.host === "example.com" ? 204 : 503).end("x".repeat(100_000));
  });
  const port = await listening(server);
  const ask = (path: string, headers: { name: string; value: string }[] = [], timeoutMs = 30_000) =>
    wire.http({ scheme: "http", host, port, path, headers, timeoutMs, bodyBytesMax: 1_000 });
  try {
    assert.deepEqual(await ask("/", [{ name: "Host", value: "example.com" }]), { status: 204 });
    assert.deepEqual(await ask("/"), { status: 503 });
    await assert.rejects(ask("/slow", [], 300), /context deadline exceeded/);
    await wire.tcp(host, port, 30_000);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  await assert.rejects(wire.tcp(host, port, 30_000), /ECONNREFUSED/);
});
