import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import type { Pod } from "#api/generated/core-v1.ts";
import { leases, nodes } from "#api/generated/resources.ts";
import { SpdyClient, type SpdyStream } from "#streams/spdy.ts";
import type { HttpServer } from "#world/http.ts";
import { nodeHttp } from "#world/node/http.ts";
import { busybox, cannotRun, TestNode } from "./test-node.ts";

let node: TestNode;
let server: HttpServer;
let pod: Pod;
before(async () => {
  if (cannotRun !== false) return;
  node = await TestNode.start();
  server = await nodeHttp.listen({ host: "127.0.0.1", port: 0, bodyBytesMax: 1 << 20 }, node.agent.handler);
  node.addPod("talk", {
    containers: [
      {
        name: "main",
        image: busybox,
        command: ["sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; trap 'exit 0' TERM; sleep 1000 & wait $!"],
        resources: {},
      },
    ],
  });
  pod = await node.until(
    "talk",
    ({ status }) => status.conditions?.find(({ type }) => type === "Ready")?.status === "True",
  );
  await node.logged(pod, "main", (text) => text.endsWith("line 5\n"));
});
after(async () => {
  if (cannotRun !== false) return;
  await server.close(0);
  await node.stop();
});

const admin = { headers: { authorization: "Bearer admin" } };
const url = (path: string): string => `http://127.0.0.1:${server.port}${path}`;

async function ask(path: string, options: RequestInit = admin): Promise<{ status: number; text: string }> {
  const response = await fetch(url(path), options);
  return { status: response.status, text: await response.text() };
}

test("only who may is answered", { skip: cannotRun }, async () => {
  assert.equal((await ask("/healthz", {})).status, 401);
  assert.equal((await ask("/healthz", { headers: { authorization: "Bearer wrong" } })).status, 401);
  assert.equal((await ask("/healthz", { headers: { authorization: "Bearer reader" } })).status, 200);
  const denied = await ask("/run/default/talk/main?cmd=id", {
    method: "POST",
    headers: { authorization: "Bearer reader" },
  });
  assert.equal(denied.status, 403);
  assert.match(denied.text, /user=reader, verb=create, resource=nodes, subresource\(s\)=\[proxy\]/);
  assert.equal((await ask("/containerLogs/default/talk/..%2f..%2fetc")).status, 404);
});

test("logs by lines, bytes, time, and as they come", { skip: cannotRun }, async () => {
  const path = "/containerLogs/default/talk/main";
  assert.equal((await ask(path)).text, "line 1\nline 2\nline 3\nline 4\nline 5\n");
  assert.equal((await ask(`${path}?tailLines=2`)).text, "line 4\nline 5\n");
  assert.equal((await ask(`${path}?limitBytes=9`)).text, "line 1\nli");
  assert.match((await ask(`${path}?tailLines=1&timestamps=true`)).text, /^\d{4}-\d\d-\d\dT\S+Z line 5\n$/);
  assert.equal((await ask(`${path}?sinceTime=2999-01-01T00:00:00Z`)).text, "");
  assert.equal((await ask(`${path}?tailLines=x`)).status, 400);
  assert.equal((await ask(`${path}?previous=true`)).status, 400);
  assert.equal((await ask("/containerLogs/default/talk/absent")).status, 404);

  const response = await fetch(url(`${path}?follow=true&tailLines=1`), admin);
  const reader = response.body?.getReader();
  const next = async (): Promise<string> => new TextDecoder().decode((await reader?.read())?.value);
  assert.equal(await next(), "line 5\n");
  await node.exec(pod, "main", "sh", "-c", "echo later > /proc/1/fd/1");
  assert.equal(await next(), "later\n");
  await node.end(pod);
  assert.equal((await reader?.read())?.done, true);
  await node.until(
    "talk",
    ({ status }) => status.containerStatuses?.[0]?.restartCount === 1 && status.containerStatuses[0].ready,
  );
  assert.match((await ask(`${path}?previous=true`)).text, /later\n$/);
});

test("commands and their streams", { skip: cannotRun }, async () => {
  const run = await ask("/run/default/talk/main?cmd=echo hello", { method: "POST", ...admin });
  assert.equal(run.text, "hello\n");
  const exec = "/exec/default/talk/main?command=cat&input=1&output=1&error=1";
  const socket = new WebSocket(url(exec).replace("http", "ws"), ["v5.channel.k8s.io"], admin);
  const said: string[] = [];
  const closed = new Promise<void>((resolve, reject) => {
    socket.on("message", (message: Buffer) => said.push(`${message[0]}:${message.subarray(1).toString()}`));
    socket.on("close", () => resolve());
    socket.on("error", reject);
  });
  await new Promise((resolve) => socket.on("open", resolve));
  socket.send(Buffer.from("\0typed\n", "latin1"));
  socket.send(Buffer.from([255, 0]));
  await closed;
  assert.ok(said.includes("1:typed\n"), said.join());
  assert.ok(
    said.some((message) => message.startsWith("3:") && message.includes('"status":"Success"')),
    said.join(),
  );
});

/** A SPDY connection to the agent's API, as older clients make it. */
async function spdy(path: string, protocol: string): Promise<SpdyClient> {
  const headers = {
    connection: "Upgrade",
    upgrade: "SPDY/3.1",
    "x-stream-protocol-version": protocol,
    ...admin.headers,
  };
  const transport = nodeHttp.transport({ baseUrl: url("") });
  const result = await transport.upgrade?.({ method: "POST", target: path, headers, body: new Uint8Array(0) });
  if (result?.upgraded !== true) throw new Error(`not upgraded: ${result?.response.status}`);
  return new SpdyClient(result.connection);
}

/** A connection of streams: each says all it said when it ends, or when the connection does. */
function streamsOf(client: SpdyClient) {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  client.start({ closed: () => close(), drain: () => undefined });
  return (headers: Record<string, string>): { stream: SpdyStream; said: Promise<string> } => {
    let text = "";
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const stream = client.open(headers, {
      data: (payload) => (text += new TextDecoder().decode(payload)),
      end: () => end(),
    });
    return { stream, said: Promise.race([ended, closed]).then(() => text) };
  };
}

test("SPDY clients are passed through: a command, a port", { skip: cannotRun }, async () => {
  const exec = await spdy(
    "/exec/default/talk/main?command=cat&input=1&output=1",
    "v4.channel.k8s.io, v3.channel.k8s.io",
  );
  const opened = streamsOf(exec);
  const error = opened({ streamType: "error" });
  const input = opened({ streamType: "stdin" });
  const output = opened({ streamType: "stdout" });
  input.stream.write(new TextEncoder().encode("typed\n"));
  input.stream.end();
  assert.equal(await output.said, "typed\n");
  assert.match(await error.said, /"status":"Success"/);
  exec.end();

  const command = ["httpd", "-f", "-p", "8080", "-h", "/bin"];
  const readinessProbe = { tcpSocket: { port: 8080 }, periodSeconds: 1 };
  node.addPod("served", { containers: [{ name: "main", image: busybox, command, readinessProbe, resources: {} }] });
  await node.until("served", ({ status }) => status.containerStatuses?.[0]?.ready === true);
  const forward = await spdy("/portForward/default/served", "portforward.k8s.io");
  const openedPort = streamsOf(forward);
  openedPort({ streamType: "error", port: "8080", requestID: "0" }).stream.end();
  const data = openedPort({ streamType: "data", port: "8080", requestID: "0" });
  data.stream.write(new TextEncoder().encode("GET /absent HTTP/1.0\r\n\r\n"));
  assert.match(await data.said, /^HTTP\/1\.\d 404/);
  forward.end();
});

test("figures of pods for summaries and for Prometheus", { skip: cannotRun }, async () => {
  const summary = JSON.parse((await ask("/stats/summary")).text) as {
    pods: { podRef: { name: string }; memory: { workingSetBytes: number } }[];
  };
  const talk = summary.pods.find(({ podRef }) => podRef.name === "talk");
  assert.ok((talk?.memory.workingSetBytes ?? 0) > 0);
  assert.match(
    (await ask("/metrics/resource")).text,
    /container_memory_working_set_bytes\{container="main",namespace="default",pod="talk"\} [1-9]/,
  );
});

test("the node tells what it is and that it lives", { skip: cannotRun }, async () => {
  const own = await node.api.get(nodes, { name: "n1" });
  assert.equal(own.status.conditions?.find(({ type }) => type === "Ready")?.status, "True");
  assert.equal(own.metadata.labels?.["kubernetes.io/hostname"], "n1");
  assert.match(own.status.nodeInfo?.containerRuntimeVersion ?? "", /^containerd:\/\/1\./);
  assert.ok(own.status.images?.some(({ names }) => names?.includes(busybox)));
  const lease = await node.api.get(leases, { namespace: "kube-node-lease", name: "n1" });
  assert.equal(lease.spec.leaseDurationSeconds, 40);
});
