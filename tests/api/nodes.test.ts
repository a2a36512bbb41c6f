import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeConnector } from "#apiserver/node-connector.ts";
import type { Connection, ConnectionEvents } from "#world/sockets.ts";
import { send, startInProcess, type TestServer } from "./harness.ts";

const pods = "/api/v1/namespaces/default/pods";

/** Notes what reaches the agents. */
function connector(): NodeConnector & { readonly seen: string[] } {
  const seen: string[] = [];
  return {
    seen,
    request(node, request) {
      seen.push(`${node} ${request.method} ${request.target} ${request.headers.authorization ?? "-"}`);
      const isRedirect = request.target.includes("redirect");
      const headers: Record<string, string> = isRedirect
        ? { location: "http://169.254.169.254/" }
        : { "content-type": "text/plain" };
      return Promise.resolve({ status: isRedirect ? 302 : 200, headers, body: Buffer.from("from the agent") });
    },
    upgrade(node, request, connection) {
      seen.push(`${node} upgrade ${request.target}`);
      connection.destroy();
    },
  };
}

async function withPod(nodes: NodeConnector, play: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await startInProcess({ nodes });
  const containers = ["main", "side"].map((name) => ({ name, image: "i" }));
  await send(server, "POST", pods, { metadata: { name: "p" }, spec: { containers } });
  await send(server, "POST", pods, { metadata: { name: "one" }, spec: { containers: [{ name: "only", image: "i" }] } });
  await send(server, "POST", "/api/v1/nodes", { metadata: { name: "n" } });
  for (const name of ["p", "one"])
    await send(server, "POST", `${pods}/${name}/binding`, { metadata: { name }, target: { name: "n" } });
  await play(server);
  await server.close();
}

test("logs, exec and the node's own API become the agent's paths, without the caller's credentials", async () => {
  const nodes = connector();
  await withPod(nodes, async (server) => {
    const headers = { authorization: "Bearer secret" };
    const log = await send(server, "GET", `${pods}/one/log?tailLines=5&follow=true`, undefined, headers);
    assert.equal(log.text, "from the agent");
    await send(
      server,
      "POST",
      `${pods}/p/exec?container=side&command=ls&command=-l&stdout=true&tty=true`,
      undefined,
      headers,
    );
    await send(server, "GET", "/api/v1/nodes/n/proxy/stats/summary?only=cpu", undefined, headers);
    assert.deepEqual(nodes.seen, [
      "n GET /containerLogs/default/one/only?follow=true&tailLines=5 -",
      "n POST /exec/default/p/side?output=1&tty=1&command=ls&command=-l -",
      "n GET /stats/summary?only=cpu -",
    ]);
  });
});

test("the container must be named when there are several, and be one of the pod's", async () => {
  await withPod(connector(), async (server) => {
    const unnamed = await send(server, "GET", `${pods}/p/log`);
    assert.equal(unnamed.body.message, "a container name must be specified for pod p, choose one of: [main side]");
    const wrong = await send(server, "GET", `${pods}/p/log?container=x`);
    assert.equal(wrong.body.message, "container x is not valid for pod p");
    assert.equal((await send(server, "GET", `${pods}/none/log`)).status, 404);
    assert.equal((await send(server, "POST", `${pods}/one/exec`)).status, 400);
  });
});

test("an agent's redirect is neither followed nor passed on (CVE-2020-8559, CVE-2022-3172)", async () => {
  await withPod(connector(), async (server) => {
    const answer = await send(server, "GET", "/api/v1/nodes/n/proxy/redirect");
    assert.equal(answer.status, 502);
    assert.equal(answer.headers.location, undefined);
  });
});

test("an upgrade goes to the agent; one that is refused gets an answer and its end", async () => {
  const nodes = connector();
  await withPod(nodes, async (server) => {
    const upgrade = (target: string): Promise<string> =>
      new Promise((resolve) => {
        let written = "";
        const connection: Connection = {
          start: (_events: ConnectionEvents) => undefined,
          write: (chunk) => (written += Buffer.from(chunk).toString()) !== "",
          end: () => resolve(written),
          destroy: () => resolve("destroyed"),
          pause: () => undefined,
          resume: () => undefined,
        };
        const request = { method: "POST", target, headers: {}, body: new Uint8Array(0) };
        server.api.handler.upgrade!(request, { address: "", port: 0 }, connection);
      });
    assert.equal(await upgrade(`${pods}/one/exec?command=ls&stdout=1`), "destroyed");
    assert.deepEqual(nodes.seen, ["n upgrade /exec/default/one/only?output=1&command=ls"]);
    assert.match(
      await upgrade(`${pods}/none/exec?command=ls&stdout=1`),
      /^HTTP\/1\.1 404 Not Found\r\n[^]*connection: close\r\n[^]*"reason":"NotFound"/,
    );
    assert.match(await upgrade("/version"), /^HTTP\/1\.1 405 /);
  });
});
