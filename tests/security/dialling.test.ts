/** What the server dials for others: judged by the address itself, once, however it was written (CVE-2020-8555, -8562, CVE-2025-13281). */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressFilter } from "#apiserver/connect/addresses.ts";
import { createNodeConnector, openOutward } from "#cluster/node-connector.ts";
import { nodeHttp } from "../../src/world/node/http.ts";
import { startOutside, type OutsideServer } from "./outside.ts";

let outside: OutsideServer;
before(async () => {
  outside = await startOutside(() => ({ body: { inner: "detail" } }));
});
after(() => outside.close());

const ask = { method: "GET", target: "/", headers: {}, body: new Uint8Array(0) };

function dial(host: string, dialAllow: readonly string[] = []): Promise<{ status: number }> {
  const port = Number(new URL(outside.url).port);
  return openOutward({ http: nodeHttp, dialAllow })({ scheme: "https", host, port, ca: outside.ca }).send(ask);
}

/** One address, in every notation that some parser reads. */
const loopback = [
  ...["127.0.0.1", "127.1", "127.0.0.2", "0x7f000001", "2130706433", "017700000001", "0.0.0.0", "0", "localhost"],
  ...["::1", "0:0:0:0:0:0:0:1", "::", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::7f00:1"],
];
const metadata = ["169.254.169.254", "0xa9fea9fe", "::ffff:a9fe:a9fe", "fe80::1", "fd00:ec2::254", "100.100.100.200"];

for (const host of [...loopback, ...metadata, "224.0.0.1", "255.255.255.255", "ff02::1"]) {
  test(`${host} is not dialled`, async () => {
    const before = outside.seen.length;
    await assert.rejects(dial(host), /address not allowed/);
    assert.equal(outside.seen.length, before);
  });
}

test("a network that was allowed is dialled, and only it", async () => {
  assert.equal((await dial("127.0.0.1", ["127.0.0.1/32"])).status, 200);
  assert.equal((await dial("localhost", ["127.0.0.0/8"])).status, 200);
  await assert.rejects(dial("127.0.0.2", ["127.0.0.1/32"]), /address not allowed/);
});

test("addresses of ordinary networks are let through", () => {
  const allows = addressFilter([]);
  for (const address of ["10.0.0.1", "192.168.1.1", "172.16.0.1", "1.1.1.1", "100.64.0.1", "2001:db8::1", "fd00::1"])
    assert.ok(allows(address), address);
});

test("a name is judged by what it resolves to, once: a second answer of its name server counts nowhere", async () => {
  const asked: string[] = [];
  const transport = nodeHttp.transport({
    baseUrl: outside.url.replace("127.0.0.1", "localhost"),
    ca: outside.ca,
    allowAddress: (address) => {
      asked.push(address);
      return address === "127.0.0.1";
    },
  });
  await transport.send(ask);
  assert.equal(new Set(asked).size, asked.length, `asked about ${asked.join(", ")}`);
  assert.ok(asked.includes("127.0.0.1"));
  transport.close();
});

for (const address of ["127.0.0.1", "169.254.169.254", "0.0.0.0", "not an address"]) {
  test(`a Node that claims ${address} is not dialled (CVE-2022-3294)`, async () => {
    const status = {
      addresses: [{ type: "InternalIP", address }],
      daemonEndpoints: { kubeletEndpoint: { Port: Number(new URL(outside.url).port) } },
    };
    const node = { metadata: { name: "n1" }, status };
    const objects = {
      get: () => node,
      labels: () => ({}),
      list: () => [node],
      each: () => [node],
      onChange: () => ({ close: () => undefined }),
    };
    const identity = { certificate: "", key: "" };
    const nodes = createNodeConnector({ http: nodeHttp, objects: () => objects, ca: outside.ca, identity });
    const before = outside.seen.length;
    await assert.rejects(nodes.request("n1", ask), /is refused/);
    assert.equal(outside.seen.length, before);
  });
}
