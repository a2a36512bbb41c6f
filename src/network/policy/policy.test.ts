import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIpv4 } from "#base/cidr.ts";
import type { NetworkPolicy, NetworkPolicyPeer } from "#api/generated/networking-v1.ts";
import { compilePolicies, type Allowance, type PolicyPlan, type PolicyPod, type Protocol } from "./compile.ts";
import { merged, without } from "./ranges.ts";

/** A packet of a new connection. */
interface Packet {
  readonly from: PolicyPod;
  readonly to: PolicyPod;
  readonly protocol: Protocol;
  readonly port: number;
}

const namespaces = new Map([
  ["a", { team: "red" }],
  ["b", { team: "blue" }],
]);
const pods: PolicyPod[] = ["a", "a", "b", "b"].map((namespace, index) => ({
  namespace,
  labels: index % 2 === 0 ? { app: "web" } : { app: "db" },
  address: `10.0.0.${index + 1}`,
  nodeName: "n1",
  namedPorts: [{ name: "http", protocol: "TCP", port: index % 2 === 0 ? 80 : 81 }],
}));

/** The documentation's words, one after the other, without any of the compiler's ideas. */
function reference(policies: readonly NetworkPolicy[], { from, to, protocol, port }: Packet): boolean {
  const direction = (pod: PolicyPod, other: PolicyPod, kind: "Ingress" | "Egress"): boolean => {
    const selecting = policies.filter(({ metadata, spec }) => {
      const types = spec.policyTypes ?? ["Ingress", ...((spec.egress ?? []).length === 0 ? [] : ["Egress"])];
      return metadata.namespace === pod.namespace && types.includes(kind) && isSelected(spec.podSelector, pod.labels);
    });
    if (selecting.length === 0) return true;
    return selecting.some(({ metadata, spec }) => {
      const rules =
        kind === "Ingress"
          ? (spec.ingress ?? []).map((rule) => ({ peers: rule.from, ports: rule.ports }))
          : (spec.egress ?? []).map((rule) => ({ peers: rule.to, ports: rule.ports }));
      return rules.some(({ peers, ports }) => {
        const isPeer =
          peers === undefined ||
          peers.length === 0 ||
          peers.some((peer) => matchesPeer(peer, metadata.namespace ?? "", other));
        const isPort =
          ports === undefined ||
          ports.length === 0 ||
          ports.some((one) => {
            if ((one.protocol ?? "TCP") !== protocol) return false;
            if (one.port === undefined) return true;
            if (typeof one.port === "string")
              return to.namedPorts.some(
                (named) => named.name === one.port && named.protocol === protocol && named.port === port,
              );
            return one.port <= port && port <= (one.endPort ?? one.port);
          });
        return isPeer && isPort;
      });
    });
  };
  return direction(from, to, "Egress") && direction(to, from, "Ingress");
}

function isSelected(
  selector: { matchLabels?: Record<string, string> },
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
}

function matchesPeer(
  { ipBlock, podSelector, namespaceSelector }: NetworkPolicyPeer,
  own: string,
  pod: PolicyPod,
): boolean {
  const inside = (cidr: string): boolean => {
    const [network = "", bits = "0"] = cidr.split("/");
    const mask = 2 ** (32 - Number(bits));
    return Math.floor((parseIpv4(network) ?? 0) / mask) === Math.floor((parseIpv4(pod.address) ?? 0) / mask);
  };
  if (ipBlock !== undefined) return inside(ipBlock.cidr) && !(ipBlock.except ?? []).some(inside);
  if (podSelector === undefined && namespaceSelector === undefined) return false;
  const isNamespace =
    namespaceSelector === undefined
      ? pod.namespace === own
      : isSelected(namespaceSelector, namespaces.get(pod.namespace) ?? {});
  return isNamespace && isSelected(podSelector ?? {}, pod.labels);
}

/** What the compiled plan says. */
function planned(plan: PolicyPlan, { from, to, protocol, port }: Packet): boolean {
  const allows = (allowances: readonly Allowance[] | undefined, peer: PolicyPod): boolean => {
    const address = parseIpv4(peer.address) ?? -1;
    if (allowances === undefined) return true;
    return allowances.some(({ peers, ports }) => {
      const isPort =
        ports === "all" || (ports.get(protocol) ?? []).some(({ first, last }) => first <= port && port <= last);
      return isPort && peers.some(({ first, last }) => first <= address && address <= last);
    });
  };
  return allows(plan.egress.get(from.address), to) && allows(plan.ingress.get(to.address), from);
}

const selector = fc.constantFrom(
  {},
  { matchLabels: { app: "web" } },
  { matchLabels: { app: "db" } },
  { matchLabels: { team: "red" } },
);
const peer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ podSelector: selector, namespaceSelector: selector }),
  fc.record({
    ipBlock: fc.constantFrom({ cidr: "10.0.0.0/30" }, { cidr: "0.0.0.0/0", except: ["10.0.0.2/32", "10.0.0.4/31"] }),
  }),
);
const port = fc.constantFrom(
  {},
  { port: 80 },
  { port: "http" },
  { port: 79, endPort: 81 },
  { protocol: "UDP", port: 80 },
  { protocol: "UDP" },
);
const rule = (name: "from" | "to") =>
  fc.record(
    { [name]: fc.array(peer, { maxLength: 2 }), ports: fc.array(port, { maxLength: 2 }) },
    { requiredKeys: [] },
  );
const policy = fc.record({
  metadata: fc.record({ namespace: fc.constantFrom("a", "b"), name: fc.constant("p") }),
  spec: fc.record(
    {
      podSelector: selector,
      ingress: fc.array(rule("from"), { maxLength: 2 }),
      egress: fc.array(rule("to"), { maxLength: 2 }),
      policyTypes: fc.constantFrom(["Ingress"], ["Egress"], ["Ingress", "Egress"]),
    },
    { requiredKeys: ["podSelector"] },
  ),
}) as object as fc.Arbitrary<NetworkPolicy>;

test("for every pair, port and set of policies the plan says what the documentation says", () => {
  fc.assert(
    fc.property(fc.array(policy, { maxLength: 4 }), (policies) => {
      const plan = compilePolicies({ policies, pods, namespaces, nodeName: "n1" });
      for (const from of pods) {
        for (const to of pods) {
          for (const protocol of ["TCP", "UDP"] as const) {
            for (const port of [79, 80, 81, 82]) {
              const packet = { from, to, protocol, port };
              assert.equal(planned(plan, packet), reference(policies, packet), JSON.stringify({ packet, policies }));
            }
          }
        }
      }
    }),
    { numRuns: 1_500 },
  );
});

test("pods of other nodes get no rules here", () => {
  const everything = { metadata: { namespace: "a", name: "deny" }, spec: { podSelector: {} } } as NetworkPolicy;
  const plan = compilePolicies({ policies: [everything], pods, namespaces, nodeName: "n2" });
  assert.deepEqual([plan.ingress.size, plan.egress.size], [0, 0]);
});

test("ranges merge and are cut", () => {
  assert.deepEqual(
    merged([
      { first: 5, last: 9 },
      { first: 1, last: 4 },
      { first: 20, last: 21 },
    ]),
    [
      { first: 1, last: 9 },
      { first: 20, last: 21 },
    ],
  );
  assert.deepEqual(
    without(
      [{ first: 0, last: 10 }],
      [
        { first: 3, last: 4 },
        { first: 9, last: 12 },
      ],
    ),
    [
      { first: 0, last: 2 },
      { first: 5, last: 8 },
    ],
  );
});
