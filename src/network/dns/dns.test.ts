import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { test } from "node:test";
import fc from "fast-check";
import type { Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { realRandom } from "#world/node/random.ts";
import { realTimers } from "#world/node/clock.ts";
import { answer } from "./answer.ts";
import { createForwarder, upstreamsOf } from "./forward.ts";
import { createMetrics } from "#telemetry/metrics.ts";
import { DnsMeasures } from "./measures.ts";
import { respond, startDnsServer } from "./server.ts";
import { parseQuery, types, writeQuery, writeQuestion, type DnsRecord, type Query } from "./wire.ts";
import { zoneFromObjects } from "./zone-from-objects.ts";

const services = [
  {
    metadata: { namespace: "default", name: "web" },
    spec: { clusterIP: "10.96.0.20", ports: [{ name: "http", port: 80 }] },
  },
  { metadata: { namespace: "default", name: "db" }, spec: { clusterIP: "None", ports: [{ name: "sql", port: 5432 }] } },
  { metadata: { namespace: "default", name: "empty" }, spec: { clusterIP: "None" } },
  { metadata: { namespace: "default", name: "alias" }, spec: { type: "ExternalName", externalName: "Example.COM" } },
  {
    metadata: { namespace: "default", name: "inner" },
    spec: { type: "ExternalName", externalName: "web.default.svc.cluster.local" },
  },
  {
    metadata: { namespace: "default", name: "circle" },
    spec: { type: "ExternalName", externalName: "circle.default.svc.cluster.local" },
  },
] as object as Service[];
const slices = [
  {
    metadata: { namespace: "default", name: "db-1", labels: { "kubernetes.io/service-name": "db" } },
    addressType: "IPv4",
    ports: [{ name: "sql", protocol: "TCP", port: 5432 }],
    endpoints: [
      { addresses: ["10.244.1.5"], hostname: "db-0", conditions: { ready: true } },
      { addresses: ["10.244.2.6"], conditions: {} },
      { addresses: ["10.244.2.7"], conditions: { ready: false } },
    ],
  },
] as object as EndpointSlice[];
const zone = zoneFromObjects("cluster.local", ["10.96.0.0/16", "10.244.0.0/16"], services, slices, [
  "default",
  "kube-system",
]);

function query(name: string, type: keyof typeof types): Query {
  const parsed = parseQuery(writeQuery(0, writeQuestion(name, types[type])));
  assert.equal(parsed.kind, "query");
  return parsed.kind === "query" ? parsed.query : assert.fail();
}

function text({ name, data }: DnsRecord): string {
  const rest = Object.values(data).map(String).join(" ");
  return `${name} ${rest}`;
}

function check(name: string, type: keyof typeof types, expected: string, ...records: string[]): void {
  const answered = answer(zone, query(name, type));
  const said = answered.kind === "answer" ? String(answered.answer.code) : answered.kind;
  assert.equal(said, expected, `${name} ${type}`);
  if (answered.kind !== "forward") assert.deepEqual(answered.answer.answers.map(text), records, `${name} ${type}`);
  if (answered.kind === "answer" && records.length === 0 && answered.answer.code !== 2) {
    assert.equal(answered.answer.authorities[0]?.data.type, "SOA");
  }
}

test("the cluster's names are answered as the specification says", () => {
  check("web.default.svc.cluster.local", "A", "0", "web.default.svc.cluster.local A 10.96.0.20");
  check("web.default.svc.cluster.local", "AAAA", "0");
  check("nobody.default.svc.cluster.local", "A", "3");
  check("web.default.svc.cluster.local.default.svc.cluster.local", "A", "3");
  check("web.kube-system.svc.cluster.local", "A", "3");
  check("default.svc.cluster.local", "A", "0");
  check("nowhere.svc.cluster.local", "A", "3");
  check(
    "_http._tcp.web.default.svc.cluster.local",
    "SRV",
    "0",
    "_http._tcp.web.default.svc.cluster.local SRV 0 100 80 web.default.svc.cluster.local",
  );
  check("_http._udp.web.default.svc.cluster.local", "SRV", "3");
  check(
    "db.default.svc.cluster.local",
    "A",
    "0",
    "db.default.svc.cluster.local A 10.244.1.5",
    "db.default.svc.cluster.local A 10.244.2.6",
  );
  check("db-0.db.default.svc.cluster.local", "A", "0", "db-0.db.default.svc.cluster.local A 10.244.1.5");
  check("10-244-2-6.db.default.svc.cluster.local", "A", "0", "10-244-2-6.db.default.svc.cluster.local A 10.244.2.6");
  check("10-244-2-7.db.default.svc.cluster.local", "A", "3");
  check("db-0.web.default.svc.cluster.local", "A", "3");
  check(
    "_sql._tcp.db.default.svc.cluster.local",
    "SRV",
    "0",
    "_sql._tcp.db.default.svc.cluster.local SRV 0 50 5432 db-0.db.default.svc.cluster.local",
    "_sql._tcp.db.default.svc.cluster.local SRV 0 50 5432 10-244-2-6.db.default.svc.cluster.local",
  );
  check("empty.default.svc.cluster.local", "A", "3");
  check("alias.default.svc.cluster.local", "A", "alias", "alias.default.svc.cluster.local CNAME example.com");
  check("alias.default.svc.cluster.local", "CNAME", "0", "alias.default.svc.cluster.local CNAME example.com");
  check(
    "inner.default.svc.cluster.local",
    "A",
    "0",
    "inner.default.svc.cluster.local CNAME web.default.svc.cluster.local",
    "web.default.svc.cluster.local A 10.96.0.20",
  );
  check("circle.default.svc.cluster.local", "A", "2");
  check("10-244-1-5.default.pod.cluster.local", "A", "0", "10-244-1-5.default.pod.cluster.local A 10.244.1.5");
  check("10-244-1-5.nowhere.pod.cluster.local", "A", "3");
  check("20.0.96.10.in-addr.arpa", "PTR", "0", "20.0.96.10.in-addr.arpa PTR web.default.svc.cluster.local");
  check("5.1.244.10.in-addr.arpa", "PTR", "0", "5.1.244.10.in-addr.arpa PTR db-0.db.default.svc.cluster.local");
  check("9.9.244.10.in-addr.arpa", "PTR", "3");
  check("8.8.8.8.in-addr.arpa", "PTR", "forward");
  check("dns-version.cluster.local", "TXT", "0", "dns-version.cluster.local TXT 1.1.0");
  check("example.com", "A", "forward");
  check("xcluster.local", "A", "forward");
});

const onProblem = (problem: string, error: unknown): never => assert.fail(`${problem}: ${String(error)}`);

test("bytes from anybody never throw", async () => {
  const forwarder = { ask: () => Promise.resolve(undefined) };
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), fc.boolean(), async (bytes, shaped) => {
      const message = shaped ? new Uint8Array([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...bytes]) : bytes;
      const reply = await respond({ zone, forwarder, onProblem }, message, false);
      assert.ok(reply === undefined || reply.length <= 1_232);
    }),
    { numRuns: 2_000 },
  );
});

test("resolv.conf names the servers to ask, ourselves left out", () => {
  const file =
    "search x\nnameserver 10.0.0.1\nnameserver 10.96.0.10\nnameserver ::1\n# nameserver 9.9.9.9\nnameserver 10.0.0.1\n";
  assert.deepEqual(upstreamsOf(file, ["10.96.0.10"]), ["10.0.0.1"]);
});

test("a resolver gets answers over UDP and TCP, ours and those of others", async (t) => {
  const many = Array.from({ length: 200 }, (_, index) => ({
    addresses: [`10.1.${index >> 8}.${index & 255}`],
    conditions: {},
  }));
  const big = { ...slices[0], endpoints: many } as object as EndpointSlice;
  const upstreamServices = [
    { metadata: { namespace: "b", name: "a" }, spec: { clusterIP: "10.9.9.9" } },
  ] as object as Service[];
  const world = { sockets: nodeSockets, timers: realTimers({ keepAlive: true }), onProblem };
  const silent = { ask: () => Promise.resolve(undefined) };
  const upstream = await startDnsServer({
    ...world,
    zone: zoneFromObjects("example.com", [], upstreamServices, [], ["b"]),
    forwarder: silent,
    address: "127.0.0.1",
    port: 0,
  });
  t.after(() => upstream.close());
  const forwarder = createForwarder({
    ...world,
    random: realRandom,
    upstreams: () => ["127.0.0.1"],
    upstreamPort: upstream.port,
  });
  const outside = {
    metadata: { namespace: "default", name: "out" },
    spec: { type: "ExternalName", externalName: "a.b.svc.example.com" },
  };
  const own = zoneFromObjects(
    "cluster.local",
    ["10.96.0.0/16"],
    [...services, outside as object as Service],
    [big],
    ["default"],
  );
  const server = await startDnsServer({ ...world, zone: own, forwarder, address: "127.0.0.1", port: 0 });
  t.after(() => server.close());
  const resolver = new Resolver({ timeout: 20_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${server.port}`]);

  assert.deepEqual(await resolver.resolve4("web.default.svc.cluster.local"), ["10.96.0.20"]);
  assert.deepEqual(await resolver.resolve4("WEB.Default.svc.cluster.LOCAL"), ["10.96.0.20"]);
  assert.equal(
    (await resolver.resolve4("db.default.svc.cluster.local")).length,
    200,
    "too long for UDP, so asked again over TCP",
  );
  assert.deepEqual(await resolver.reverse("10.96.0.20"), ["web.default.svc.cluster.local"]);
  const [srv] = await resolver.resolveSrv("_http._tcp.web.default.svc.cluster.local");
  assert.deepEqual([srv?.name, srv?.port], ["web.default.svc.cluster.local", 80]);
  assert.deepEqual(await resolver.resolve4("a.b.svc.example.com"), ["10.9.9.9"], "from the other server");
  assert.deepEqual(
    await resolver.resolve4("out.default.svc.cluster.local"),
    ["10.9.9.9"],
    "an alias is followed to the other server",
  );
  await assert.rejects(resolver.resolve4("none.default.svc.cluster.local"), { code: "ENOTFOUND" });
  await assert.rejects(resolver.resolve6("web.default.svc.cluster.local"), { code: "ENODATA" });
  await assert.rejects(resolver.resolve4("nowhere.example.org"), { code: "ESERVFAIL" });
});

test("questions are told by what is asked and answered, and what a client makes up is no label", async () => {
  const metrics = createMetrics();
  let now = 0;
  const measures = new DnsMeasures(metrics, { monotonic: () => (now += 1) }, "cluster.local");
  const forwarder = { ask: () => Promise.resolve(undefined) };
  const ask = (name: string, type: number, stream: boolean): Promise<Uint8Array | undefined> =>
    respond({ zone, forwarder, measures, onProblem }, writeQuery(1, writeQuestion(name, type)), stream);
  await ask("web.default.svc.cluster.local", types.A, false);
  await ask("web.default.svc.cluster.local", types.A, false);
  await ask("web.default.svc.cluster.local", types.A, true);
  await ask("nobody.default.svc.cluster.local", types.AAAA, false);
  for (let type = 1_000; type < 1_100; type++) await ask(`made-up-${type}.example.com`, type, false);
  const page = await metrics.expose();
  const own = 'server="dns://:53",zone="cluster.local.",view=""';
  const other = 'server="dns://:53",zone=".",view=""';
  for (const line of [
    `coredns_dns_requests_total{${own},proto="udp",family="1",type="A"} 2`,
    `coredns_dns_requests_total{${own},proto="tcp",family="1",type="A"} 1`,
    `coredns_dns_requests_total{${own},proto="udp",family="1",type="AAAA"} 1`,
    `coredns_dns_requests_total{${other},proto="udp",family="1",type="other"} 100`,
    `coredns_dns_responses_total{${own},rcode="NOERROR",plugin="kubernetes"} 3`,
    `coredns_dns_responses_total{${own},rcode="NXDOMAIN",plugin="kubernetes"} 1`,
    `coredns_dns_responses_total{${other},rcode="SERVFAIL",plugin="forward"} 100`,
    `coredns_dns_request_duration_seconds_bucket{${own},le="0.0005"} 0`,
    `coredns_dns_request_duration_seconds_bucket{${own},le="0.001"} 4`,
    `coredns_dns_request_size_bytes_count{${own},proto="tcp"} 1`,
    `coredns_dns_response_size_bytes_count{${own},proto="udp"} 3`,
  ])
    assert.ok(page.split("\n").includes(line), `${line} is not in ${page}`);
  assert.doesNotMatch(page, /made-up|type="10/);
});
