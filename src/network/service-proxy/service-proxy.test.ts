import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Service, ServicePort, ServiceSpec } from "#api/generated/core-v1.ts";
import type { Endpoint, EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { KernelRules, RuleChange, RuleTable } from "#world/kernel-rules.ts";
import { RuleApplier } from "./apply.ts";
import { compile, compileHostPorts, compileService, serviceKey } from "./compile.ts";
import type { NodeFacts } from "./facts.ts";
import { RuleState } from "./rule-state.ts";
import { staleAfter } from "./stale.ts";
import { emptyTable } from "./table.ts";

const facts: NodeFacts = {
  table: "steer_test",
  nodeName: "n1",
  clusterPods: "10.244.0.0/16",
  nodePods: "10.244.1.0/24",
  serviceRanges: ["10.96.0.0/16"],
  dnsAddress: "10.96.0.10",
};

function service(
  spec: Partial<ServiceSpec>,
  port: Partial<ServicePort> = {},
  name = "web",
  created = "2026-01-01T00:00:00Z",
): Service {
  const ports = [{ name: "", port: 80, protocol: "TCP", ...port }];
  return {
    metadata: { namespace: "d", name, creationTimestamp: created },
    spec: { type: "ClusterIP", clusterIP: "10.96.0.5", ...spec, ports },
    status: { loadBalancer: {} },
  };
}

/** Endpoints as `1.2.3.4`, with `@node`, `!` when not ready, `~` when ending but serving. */
function slice(...texts: string[]): EndpointSlice {
  const endpoints = texts.map((text): Endpoint => {
    const [, address = "", mark, nodeName = "n1"] = /^([\d.]+)([!~])?(?:@(.*))?$/.exec(text) ?? [];
    const conditions = { ready: mark === undefined, serving: mark !== "!", terminating: mark === "~" };
    return { addresses: [address], conditions, nodeName };
  });
  const labels = { "kubernetes.io/service-name": "web" };
  return {
    metadata: { namespace: "d", labels },
    addressType: "IPv4",
    endpoints,
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
  };
}

function check(given: Service, slices: EndpointSlice[], ...expected: string[]): void {
  const elements = compileService(given, slices, facts).filter(({ set }) => set !== "hairpin");
  assert.deepEqual(
    elements.map(({ set, key, value }) => `${set}: ${key}${value === "" ? "" : ` → ${value}`}`).toSorted(),
    expected.toSorted(),
  );
}

test("a Service becomes a verdict by the number of its endpoints, and one element for each", () => {
  check(
    service({}),
    [slice("10.244.2.2@n2", "10.244.1.1", "10.244.1.9!")],
    "services: 10.96.0.5 . tcp . 80 → goto pick_service_2",
    "service_endpoints_tcp: 0 . 10.96.0.5 . tcp . 80 → 10.244.1.1 . 8080",
    "service_endpoints_tcp: 1 . 10.96.0.5 . tcp . 80 → 10.244.2.2 . 8080",
  );
});

test("without ready endpoints those that end serve on; without any the Service refuses", () => {
  check(
    service({}),
    [slice("10.244.1.1~", "10.244.1.2!")],
    "services: 10.96.0.5 . tcp . 80 → goto pick_service_1",
    "service_endpoints_tcp: 0 . 10.96.0.5 . tcp . 80 → 10.244.1.1 . 8080",
  );
  check(service({}), [slice("10.244.1.2!")], "unavailable_services: 10.96.0.5 . tcp . 80 → goto refuse");
});

test("what has no address of its own, belongs to another proxy or is the DNS has no rules", () => {
  for (const spec of [{ clusterIP: "None" }, { type: "ExternalName", clusterIP: "" }, { clusterIP: "10.96.0.10" }]) {
    check(service(spec), [slice("10.244.1.1")]);
  }
  const other = service({});
  other.metadata.labels = { "service.kubernetes.io/service-proxy-name": "other" };
  check(other, [slice("10.244.1.1")]);
});

test("an endpoint outside of what may be forwarded to is left out", () => {
  for (const address of ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"]) {
    check(service({}), [slice(address)], "unavailable_services: 10.96.0.5 . tcp . 80 → goto refuse");
  }
});

test("the policy Local takes only endpoints here; for clients outside it keeps their address", () => {
  const spec = { type: "NodePort", externalTrafficPolicy: "Local" };
  check(
    service(spec, { nodePort: 30080 }),
    [slice("10.244.1.1", "10.244.2.2@n2")],
    "services: 10.96.0.5 . tcp . 80 → goto pick_service_2",
    "service_endpoints_tcp: 0 . 10.96.0.5 . tcp . 80 → 10.244.1.1 . 8080",
    "service_endpoints_tcp: 1 . 10.96.0.5 . tcp . 80 → 10.244.2.2 . 8080",
    "node_ports: tcp . 30080 → goto pick_node_port_2",
    "node_port_endpoints_tcp: 0 . tcp . 30080 → 10.244.1.1 . 8080",
    "node_port_endpoints_tcp: 1 . tcp . 30080 → 10.244.2.2 . 8080",
    "node_port_locals: tcp . 30080 → goto pick_node_port_local_1",
    "node_port_local_endpoints_tcp: 0 . tcp . 30080 → 10.244.1.1 . 8080",
    "keep_source_node_ports: tcp . 30080",
  );
  check(service({ internalTrafficPolicy: "Local" }), [slice("10.244.2.2@n2")], "services: 10.96.0.5 . tcp . 80 → drop");
});

test("session affinity remembers for its time", () => {
  const spec = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 30 } } };
  check(
    service(spec),
    [slice("10.244.1.1")],
    "services: 10.96.0.5 . tcp . 80 → goto stick_service_1",
    "sticky_services: 10.96.0.5 . tcp . 80 → goto remember_30",
    "service_endpoints_tcp: 0 . 10.96.0.5 . tcp . 80 → 10.244.1.1 . 8080",
  );
});

test("external addresses are served, but not one that is meant for few", () => {
  const ingress = [{ ip: "203.0.113.9" }];
  const balancer = { ...service({ type: "LoadBalancer" }), status: { loadBalancer: { ingress } } };
  const keys = (given: Service): string[] => compileService(given, [slice("10.244.1.1")], facts).map(({ key }) => key);
  assert.ok(keys(balancer).includes("203.0.113.9 . tcp . 80"));
  balancer.spec.loadBalancerSourceRanges = ["198.51.100.0/24"];
  assert.ok(!keys(balancer).includes("203.0.113.9 . tcp . 80"));
  assert.ok(keys(service({ externalIPs: ["203.0.113.8"] })).includes("203.0.113.8 . tcp . 80"));
});

test("of two Services that claim one address the older has it, also after the younger was seen first", () => {
  const old = service({ clusterIP: "10.96.0.6", externalIPs: ["203.0.113.8"] }, {}, "old", "2026-01-01T00:00:00Z");
  const young = service({ externalIPs: ["203.0.113.8"] }, {}, "web", "2026-02-01T00:00:00Z");
  const table = compile([young, old], [slice("10.244.1.1")], facts);
  const claimed = table.sets
    .find(({ name }) => name === "unavailable_services")
    ?.elements.get("203.0.113.8 . tcp . 80");
  assert.equal(claimed, "goto refuse", "the old one has no endpoints");
});

test("host ports lead to pods and keep the client's address", () => {
  const pod = { pod: "d/p", hostPort: 8443, protocol: "UDP", address: "10.244.1.7", port: 443 } as const;
  assert.deepEqual(
    compileHostPorts([pod]).map(({ set, key, value }) => [set, key, value]),
    [
      ["host_ports", "udp . 8443", "10.244.1.7 . 443"],
      ["keep_source_node_ports", "udp . 8443", ""],
      ["hairpin", "10.244.1.7 . 10.244.1.7", ""],
    ],
  );
});

test("UDP endpoints that went are forgotten, and the time before the first endpoint too", () => {
  const udp = { protocol: "UDP", port: 53 };
  const at = (...texts: string[]) => {
    const one = slice(...texts);
    return compileService(service({}, udp), [{ ...one, ports: [{ name: "", port: 53, protocol: "UDP" }] }], facts);
  };
  const target = { protocol: "udp", originalAddress: "10.96.0.5", originalPort: 53 };
  assert.deepEqual(staleAfter(at("10.244.1.1", "10.244.1.2"), at("10.244.1.2")).connections, [
    { ...target, translatedAddress: "10.244.1.1" },
  ]);
  assert.deepEqual(staleAfter(at(), at("10.244.1.2")).connections, [target]);
});

/** A kernel that holds what it was told and refuses what nft would refuse. */
class ModelRules implements KernelRules {
  readonly elements = new Map<string, string>();
  readonly chains = new Set<string>();

  async replaceTable(table: RuleTable): Promise<void> {
    this.elements.clear();
    this.chains.clear();
    for (const { name } of table.chains) this.chains.add(name);
    for (const { name, elements } of table.sets)
      for (const [key, value] of elements) this.#add(`${name} ${key}`, value);
  }

  async change({ addChains, removeElements, addElements }: RuleChange): Promise<void> {
    for (const { name } of addChains) this.chains.add(name);
    for (const { set, key } of removeElements)
      assert.ok(this.elements.delete(`${set} ${key}`), `${set} ${key} is not there`);
    for (const { set, key, value } of addElements) this.#add(`${set} ${key}`, value);
  }

  #add(id: string, value: string): void {
    assert.ok(!this.elements.has(id), `${id} is there already`);
    if (value.startsWith("goto ")) assert.ok(this.chains.has(value.slice(5)), `there is no chain for ${value}`);
    this.elements.set(id, value);
  }

  removeTable = async (): Promise<void> => {};
  readElements = async (): Promise<undefined> => undefined;
  forgetConnections = async (): Promise<void> => {};
}

const addresses = fc.uniqueArray(fc.constantFrom("10.244.1.1", "10.244.1.2", "10.244.1.3", "10.244.2.4@n2"));
const change = fc.record({
  name: fc.constantFrom("web", "api", "db"),
  gone: fc.boolean(),
  endpoints: addresses,
  externalIPs: fc.constantFrom([], ["203.0.113.8"]),
  sticky: fc.boolean(),
});

test("after any sequence of changes the kernel holds what a start from nothing would give it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(change, { maxLength: 3 }), { maxLength: 8 }), async (rounds) => {
      const model = new ModelRules();
      const applier = new RuleApplier(model, facts.table, new RuleState(emptyTable(facts)));
      const current = new Map<string, { service: Service; slice: EndpointSlice }>();
      for (const round of rounds) {
        const touched = new Set<string>();
        for (const { name, gone, endpoints, externalIPs, sticky } of round) {
          const clusterIP = `10.96.1.${name.length + name.charCodeAt(0)}`;
          const affinity = sticky ? { sessionAffinity: "ClientIP" } : {};
          const made = service({ clusterIP, externalIPs: [...externalIPs], ...affinity }, {}, name);
          const labels = { "kubernetes.io/service-name": name };
          touched.add(serviceKey(made));
          if (gone) current.delete(serviceKey(made));
          else
            current.set(serviceKey(made), {
              service: made,
              slice: { ...slice(...endpoints), metadata: { namespace: "d", labels } },
            });
        }
        await applier.apply(
          [...touched].map((owner) => {
            const found = current.get(owner);
            const rank = `${found?.service.metadata.creationTimestamp ?? ""} ${owner}`;
            return {
              owner,
              rank,
              elements: found === undefined ? [] : compileService(found.service, [found.slice], facts),
            };
          }),
        );
        const all = [...current.values()];
        const fresh = compile(
          all.map((one) => one.service),
          all.map((one) => one.slice),
          facts,
        );
        const expected = fresh.sets.flatMap(({ name, elements }) =>
          [...elements].map(([key, value]) => `${name} ${key} ${value}`),
        );
        assert.deepEqual([...model.elements].map(([id, value]) => `${id} ${value}`).toSorted(), expected.toSorted());
      }
    }),
    { numRuns: 300 },
  );
});
