import assert from "node:assert/strict";
import { test } from "node:test";
import type { TrafficSplit } from "#api/delivery/traffic-split.ts";
import type { Service, ServicePort, ServiceSpec } from "#api/generated/core-v1.ts";
import { planCondition } from "./controller.ts";
import { throughProxy, type Surroundings } from "./opt-in.ts";

interface Asked {
  readonly annotation?: string;
  readonly labels?: Record<string, string>;
  readonly spec?: Partial<ServiceSpec>;
  readonly ports?: Partial<ServicePort>[];
  /** Of the TrafficSplits: an Ingress, or with undefined the Service itself. */
  readonly splits?: (string | undefined)[];
  readonly shielded?: string;
}

function serviceOf({ annotation, labels, spec, ports = [{}] }: Asked): Service {
  return {
    metadata: {
      name: "web",
      namespace: "shop",
      uid: "u",
      ...(labels === undefined ? {} : { labels }),
      ...(annotation === undefined ? {} : { annotations: { "steersman.dev/through-proxy": annotation } }),
    },
    spec: { clusterIP: "10.96.0.20", ...spec, ports: ports.map((port) => ({ port: 80, protocol: "TCP", ...port })) },
    status: { loadBalancer: {} },
  } as Service;
}

function judge(asked: Asked): [string, number[]] | undefined {
  const around: Surroundings = {
    dnsAddress: "10.96.0.10",
    shielded: () => asked.shielded,
    splits: (asked.splits ?? []).map(
      (ingress) => ({ metadata: { name: "s", namespace: "shop" }, spec: { service: "web", ingress } }) as TrafficSplit,
    ),
  };
  const verdict = throughProxy(serviceOf(asked), around);
  return verdict === undefined ? undefined : [verdict.reason, verdict.ports.map(({ port }) => port)];
}

const yes = { annotation: "true" };
const cases: readonly [string, Asked, [string, number[]] | undefined][] = [
  ["nobody asked", {}, undefined],
  ["its owner asked", yes, ["Proxied", [80]]],
  ["a split of an Ingress alone asks for nothing", { splits: ["web"] }, undefined],
  ["a split of the Service asks", { splits: ["web", undefined] }, ["Proxied", [80]]],
  ["its owner has the last word", { annotation: "false", splits: [undefined] }, undefined],
  ["what is no yes is none", { annotation: "True\n" }, undefined],
  ["headless", { ...yes, spec: { clusterIP: "None" } }, ["Headless", []]],
  ["a name for something else", { ...yes, spec: { type: "ExternalName" } }, ["ExternalName", []]],
  ["an address of another family", { ...yes, spec: { clusterIP: "fd00::1" } }, ["NoAddress", []]],
  ["another proxy's", { ...yes, labels: { "service.kubernetes.io/service-proxy-name": "x" } }, ["OtherProxy", []]],
  ["the cluster's DNS", { ...yes, spec: { clusterIP: "10.96.0.10" } }, ["ClusterDNS", []]],
  ["UDP only", { ...yes, ports: [{ protocol: "UDP" }] }, ["NoHTTPPort", []]],
  [
    "ports that are no HTTP stay with packet rules",
    {
      ...yes,
      ports: [
        { name: "a", port: 80 },
        { name: "b", port: 81, appProtocol: "http" },
        { name: "c", port: 82, appProtocol: "kubernetes.io/ws" },
        { name: "d", port: 83, appProtocol: "kubernetes.io/h2c" },
        { name: "e", port: 84, appProtocol: "https" },
        { name: "f", port: 85, protocol: "UDP" },
      ],
    },
    ["Proxied", [80, 81, 82]],
  ],
  ["a policy shields its pods", { ...yes, shielded: "10.244.0.5" }, ["NetworkPolicy", []]],
];
for (const [name, asked, expected] of cases) {
  test(`through the proxy: ${name}`, () => {
    assert.deepEqual(judge(asked), expected);
  });
}

test("a Service's condition says so once, keeps its time while it is the same, and goes when nobody asks", () => {
  const service = serviceOf(yes);
  const verdict = { ports: service.spec.ports ?? [], reason: "Proxied", message: "yes" };
  const [action] = planCondition(service, verdict, 0);
  assert.ok(action?.verb === "patch" && action.subresource === "status");
  const { status } = action.patch as { status: NonNullable<Service["status"]> };
  assert.equal(status.conditions?.[0]?.status, "True");
  const told = { ...service, status: { ...service.status, ...status } };
  assert.deepEqual(planCondition(told, verdict, 60_000), []);
  const [no] = planCondition(told, { ports: [], reason: "Headless", message: "no" }, 60_000);
  assert.match(JSON.stringify(no), /"status":"False".*1970-01-01T00:01:00Z/);
  assert.match(JSON.stringify(planCondition(told, undefined, 0)), /"\$patch":"delete"/);
  assert.deepEqual(planCondition(service, undefined, 0), []);
});
