/**
 * An upgrade that the other side refuses ends the tunnel: what the client sends afterwards never reaches it (CVE-2018-1002105).
 * Agents, aggregated servers and pods are all dialled by the same few lines; here it is a pod with a port of its own.
 */
import assert from "node:assert/strict";
import net, { type AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { ConnectionEvents } from "#world/sockets.ts";
import { startSecured, type SecuredServer } from "./cluster.ts";

const token = "root";
let secured: SecuredServer;
let backend: net.Server;
let answer = "";
let received = "";
let connections = 0;

before(async () => {
  backend = net.createServer((socket) => {
    connections += 1;
    // Cut off from the other side is how this ends.
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      const isFirst = !received.includes("\r\n\r\n");
      received += chunk.toString("latin1");
      if (isFirst && received.includes("\r\n\r\n")) socket.write(answer);
    });
  });
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  secured = await startSecured({ "tokens.csv": `${token},root,1,"system:masters"\n` });
  const { port } = backend.address() as AddressInfo;
  const pods = "/api/v1/namespaces/default/pods";
  const containers = [{ name: "c", image: "i", ports: [{ containerPort: port }] }];
  await secured.ask({
    method: "POST",
    path: "/api/v1/namespaces/default/serviceaccounts",
    token,
    body: { metadata: { name: "default" } },
  });
  const made = await secured.ask({
    method: "POST",
    path: pods,
    token,
    body: { metadata: { name: "p" }, spec: { containers } },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const status = await secured.ask({
    method: "PATCH",
    path: `${pods}/p/status`,
    token,
    headers: { "content-type": "application/merge-patch+json" },
    body: { status: { podIP: "127.0.0.1", podIPs: [{ ip: "127.0.0.1" }] } },
  });
  assert.equal(status.status, 200, JSON.stringify(status.body));
});
after(async () => {
  await secured.close();
  backend.close();
});

/** Upgrades through the proxy of the pod; once it is answered the client smuggles a request of its own. */
function upgrade(): Promise<{ readonly written: string; readonly isOver: boolean }> {
  received = "";
  return new Promise((resolve) => {
    let written = "";
    let events: ConnectionEvents | undefined;
    const done = (isOver: boolean): void => resolve({ written, isOver });
    const smuggle = (): void => {
      const request = "GET /secret HTTP/1.1\r\nhost: x\r\nx-remote-user: root\r\n\r\n";
      setImmediate(() => events?.data(Buffer.from(request)));
    };
    secured.server.api.handler.upgrade!(
      {
        method: "GET",
        target: "/api/v1/namespaces/default/pods/p/proxy/shell",
        headers: { authorization: `Bearer ${token}`, connection: "Upgrade", upgrade: "websocket" },
        body: new Uint8Array(0),
      },
      { address: "192.0.2.9", port: 1 },
      {
        start: (given) => (events = given),
        write: (chunk) => {
          written += Buffer.from(chunk).toString("latin1");
          smuggle();
          if (written.includes("echo")) done(false);
          return true;
        },
        end: () => done(true),
        destroy: () => done(true),
        pause: () => undefined,
        resume: () => undefined,
      },
    );
  });
}

for (const [status, body] of [
  ["403 Forbidden", "no"],
  ["200 OK", "fine"],
  ["404 Not Found", "none"],
  ["302 Found", ""],
] as const) {
  test(`after ${status} the tunnel is closed`, async () => {
    answer = `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\nlocation: http://127.0.0.1/x\r\n\r\n${body}`;
    const before = connections;
    const { written, isOver } = await upgrade();
    assert.ok(isOver);
    assert.match(
      written,
      status.startsWith("302") ? /^HTTP\/1\.1 502 / : new RegExp(`^HTTP/1\\.1 ${status.slice(0, 3)} `),
    );
    assert.match(written, /connection: close/i);
    // Another request takes its way while the smuggled one would arrive.
    assert.equal((await secured.ask({ path: "/api/v1/namespaces/default/pods/p", token })).status, 200);
    assert.equal(connections, before + 1);
    assert.doesNotMatch(received, /secret|authorization|x-remote-user/i);
    assert.match(received, /^GET \/shell HTTP\/1\.1\r\n/);
  });
}

test("a refusal without end is cut off", async () => {
  answer = `HTTP/1.1 500 Internal Server Error\r\ncontent-length: 100000000\r\n\r\n${"x".repeat(10_000_000)}`;
  const { written, isOver } = await upgrade();
  assert.ok(isOver);
  assert.match(written, /^HTTP\/1\.1 502 /);
  assert.ok(written.length < 10_000);
});
