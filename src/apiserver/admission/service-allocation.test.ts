import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "#api/generated/core-v1.ts";
import { ipaddresses, servicecidrs, services } from "#api/generated/resources.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { reservationMs } from "./limits.ts";
import { admit, requestFor } from "./request-in-tests.ts";
import { serviceAllocation } from "./service-allocation.ts";

interface Attempt {
  readonly old?: Service;
  readonly dryRun?: boolean;
  readonly now?: number;
  readonly store?: boolean;
}

function world(
  serviceRange = "10.96.0.0/24",
  nodePorts = { first: 30000, last: 32767 },
): {
  objects: StoredInTests;
  create: (service: Service, attempt?: Attempt) => Promise<string | undefined>;
} {
  const objects = new StoredInTests();
  const plugin = serviceAllocation({ objects, random: { float: () => 0.5 }, serviceRange, nodePorts });
  return {
    objects,
    create: async (service, { old, dryRun, now, store = true } = {}) => {
      const request = requestFor(services, {
        object: service,
        ...(old === undefined ? {} : { oldObject: old }),
        dryRun: dryRun ?? false,
        now: now ?? 0,
      });
      const message = await admit(plugin, request);
      if (message === undefined && store && dryRun !== true) objects.put(services, service);
      return message;
    },
  };
}

function named(name: string, spec: Service["spec"] = {}): Service {
  const ports = spec.ports ?? [{ port: 80, protocol: "TCP" }];
  return {
    metadata: { name, namespace: "shop" },
    spec: { type: "ClusterIP", ports, ...spec },
    status: { loadBalancer: {} },
  };
}

test("a Service gets an address of the range, its family and its policy", async () => {
  const { create } = world();
  const service = named("web");
  assert.equal(await create(service), undefined);
  assert.match(service.spec.clusterIP ?? "", /^10\.96\.0\.\d+$/);
  assert.deepEqual(service.spec.clusterIPs, [service.spec.clusterIP]);
  assert.deepEqual([service.spec.ipFamilies, service.spec.ipFamilyPolicy], [["IPv4"], "SingleStack"]);
});

test("as many Services as the range has addresses get one each, then the range is full", async () => {
  const { create, objects } = world("10.96.0.0/28");
  const seen = new Set<string>();
  for (let index = 0; index < 14; index++) {
    const service = named(`s${index}`);
    assert.equal(await create(service), undefined);
    seen.add(service.spec.clusterIP ?? "");
  }
  assert.equal(seen.size, 14);
  assert.ok(!seen.has("10.96.0.0") && !seen.has("10.96.0.15"));
  assert.match((await create(named("late"), { now: reservationMs + 1 })) ?? "", /range is full/);
  objects.remove(services, "shop", "s3");
  assert.equal(await create(named("late"), { now: reservationMs + 2 }), undefined);
});

test("requests that wait for later steps get different addresses", async () => {
  const { create } = world("10.96.0.0/28");
  const both = [named("a"), named("b")];
  await Promise.all(both.map((service) => create(service, { store: false })));
  assert.notEqual(both[0]?.spec.clusterIP, both[1]?.spec.clusterIP);
});

test("an asked-for address is given when it is free and in range", async () => {
  const { create, objects } = world();
  assert.equal(await create(named("a", { clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"] })), undefined);
  assert.equal(
    await create(named("b", { clusterIP: "10.96.0.10" })),
    'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: ' +
      "failed to allocate IP 10.96.0.10: provided IP is already allocated",
  );
  assert.match(
    (await create(named("c", { clusterIP: "10.97.0.1" }))) ?? "",
    /the provided IP \(10\.97\.0\.1\) is not in the valid range\. The range of valid IPs is 10\.96\.0\.0\/24/,
  );
  objects.remove(services, "shop", "a");
  assert.equal(await create(named("b", { clusterIP: "10.96.0.10" }), { now: reservationMs + 1 }), undefined);
});

test("an address belongs to the deleted Service's successor at once", async () => {
  const { create, objects } = world();
  const service = named("web", { clusterIP: "10.96.0.20" });
  await create(service);
  objects.remove(services, "shop", "web");
  assert.equal(await create(named("web", { clusterIP: "10.96.0.20" })), undefined);
});

test("a dry run takes nothing", async () => {
  const { create } = world();
  assert.equal(await create(named("a", { clusterIP: "10.96.0.30" }), { dryRun: true }), undefined);
  assert.equal(await create(named("b", { clusterIP: "10.96.0.30" })), undefined);
});

test("an update keeps the address", async () => {
  const { create } = world();
  const service = named("web");
  await create(service);
  const next = structuredClone(service);
  assert.equal(await create(next, { old: service }), undefined);
  assert.equal(next.spec.clusterIP, service.spec.clusterIP);
});

test("headless Services and external names get no address", async () => {
  const { create } = world();
  const headless = named("h", { clusterIP: "None", selector: { app: "x" } });
  await create(headless);
  assert.deepEqual([headless.spec.clusterIPs, headless.spec.ipFamilies], [["None"], ["IPv4"]]);
  const open = named("o", { clusterIP: "None" });
  await create(open);
  assert.deepEqual([open.spec.ipFamilies, open.spec.ipFamilyPolicy], [["IPv4", "IPv6"], "RequireDualStack"]);
  const external = named("e", { type: "ExternalName", externalName: "example.com" });
  await create(external);
  assert.equal(external.spec.clusterIP, undefined);
});

test("two families are refused in a cluster that has one", async () => {
  const { create } = world();
  assert.match(
    (await create(named("a", { ipFamilyPolicy: "RequireDualStack" }))) ?? "",
    /not configured for dual-stack/,
  );
  assert.match(
    (await create(named("b", { ipFamilies: ["IPv6"] }))) ?? "",
    /spec\.ipFamilies\[0\]: Invalid value: "IPv6"/,
  );
  assert.equal(await create(named("c", { ipFamilyPolicy: "PreferDualStack" })), undefined);
});

test("node ports are given once, and shared by the protocols of one number", async () => {
  const { create } = world();
  const ports = [
    { name: "dns", port: 53, protocol: "UDP" },
    { name: "dns-tcp", port: 53, protocol: "TCP" },
    { name: "http", port: 80, protocol: "TCP" },
  ];
  const service = named("dns", { type: "NodePort", ports });
  assert.equal(await create(service), undefined);
  const [udp, tcp, http] = service.spec.ports?.map((port) => port.nodePort) ?? [];
  assert.ok(udp !== undefined && 30000 <= udp && udp <= 32767);
  assert.equal(udp, tcp);
  assert.notEqual(udp, http);
});

test("asked-for node ports are given when free and in range", async () => {
  const { create } = world();
  const asking = (name: string, nodePort: number): Service =>
    named(name, { type: "NodePort", ports: [{ port: 80, protocol: "TCP", nodePort }] });
  assert.equal(await create(asking("a", 30080)), undefined);
  assert.equal(
    await create(asking("b", 30080)),
    'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
  );
  assert.match((await create(asking("c", 80))) ?? "", /The range of valid ports is 30000-32767/);
});

test("a load balancer gets node ports unless it wants none, and a health port for local traffic", async () => {
  const { create } = world();
  const local = named("l", { type: "LoadBalancer", externalTrafficPolicy: "Local" });
  await create(local);
  assert.ok(local.spec.ports?.[0]?.nodePort);
  assert.ok(local.spec.healthCheckNodePort);
  assert.notEqual(local.spec.healthCheckNodePort, local.spec.ports[0].nodePort);
  const bare = named("b", { type: "LoadBalancer", allocateLoadBalancerNodePorts: false });
  await create(bare);
  assert.equal(bare.spec.ports?.[0]?.nodePort, undefined);
});

test("ServiceCIDRs give addresses as long as they are not to go, also where they overlap", async () => {
  const { create, objects } = world("10.96.0.0/29");
  const later = (now: number): Attempt => ({ now });
  for (let index = 0; index < 6; index++) assert.equal(await create(named(`s${index}`)), undefined);
  assert.match((await create(named("late"))) ?? "", /range is full/);
  const range = (cidrs: string[], more: object = {}): object => ({
    metadata: { name: "more", ...more },
    spec: { cidrs },
    status: {},
  });
  objects.put(servicecidrs, range(["10.96.0.0/28", "2001:db8::/112"]) as never);
  const seen = new Set<string>();
  for (let index = 0; index < 8; index++) {
    const service = named(`more-${index}`);
    assert.equal(await create(service, later(2000)), undefined);
    seen.add(service.spec.clusterIP ?? "");
  }
  assert.equal(seen.size, 8, "the six of the smaller range are not given twice");
  objects.put(servicecidrs, range(["10.96.0.0/28"], { deletionTimestamp: "2026-01-01T00:00:00Z" }) as never);
  assert.match((await create(named("asks", { clusterIP: "10.96.0.14" }), later(4000))) ?? "", /not in the valid range/);
});

test("an IPAddress that people made for something else keeps its address", async () => {
  const { create, objects } = world();
  const spec = { parentRef: { resource: "gateways", group: "example.com", namespace: "shop", name: "door" } };
  objects.put(ipaddresses, { metadata: { name: "10.96.0.77" }, spec } as never);
  assert.match((await create(named("web", { clusterIP: "10.96.0.77" }), { now: 2000 })) ?? "", /already allocated/);
});

test("another address than a Service has is left to validation to refuse, and is not taken", async () => {
  const { create } = world();
  const old = named("web", { clusterIP: "10.96.0.10" });
  assert.equal(await create(old), undefined);
  for (const clusterIP of ["10.97.0.1", "10.96.0.20"])
    assert.equal(await create(named("web", { clusterIP }), { old, store: false }), undefined);
  assert.equal(await create(named("other", { clusterIP: "10.96.0.20" })), undefined);
});
