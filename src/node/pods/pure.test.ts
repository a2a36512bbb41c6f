import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, Pod } from "#api/generated/core-v1.ts";
import { decideRestart, failPull, goDuration } from "./back-off.ts";
import { podDns, parseResolvConf } from "./dns.ts";
import { environmentOf, type EnvironmentInputs } from "./environment.ts";
import { expand } from "./expand.ts";
import { containerResources, podLimits, qosClassOf } from "./qos.ts";
import { BurstableAsk, qosLimits } from "./qos-cgroups.ts";
import { seccompOf } from "./sandbox-config.ts";
import { statusPatch } from "./status-writer.ts";
import { restartsAfter } from "./restart.ts";

function pod(containers: Container[], more: Partial<Pod["spec"]> = {}): Pod {
  return {
    metadata: { name: "p", namespace: "ns", uid: "u", labels: { a: "1", b: "2" } },
    spec: { containers, ...more },
    status: {},
  };
}

function container(more: Partial<Container> = {}): Container {
  return { name: "c", resources: {}, ...more };
}

test("references to variables", () => {
  const known = new Map([["A", "1"]]);
  const cases: [string, string][] = [
    ["$(A)", "1"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$1"],
    ["$(B) $A ${A} $", "$(B) $A ${A} $"],
    ["$(A", "$(A"],
  ];
  for (const [text, expected] of cases) assert.equal(expand(text, known), expected);
});

test("variables come from everywhere, later ones win, what is missing is named", () => {
  const facts = {
    nodeName: "n",
    hostIps: ["192.0.2.1"],
    podIps: ["10.0.0.1", "fd00::1"],
    allocatable: { cpu: 2, memory: 1 << 30 },
  };
  const inputs: EnvironmentInputs = {
    configMaps: new Map([["m", { metadata: {}, data: { x: "from map", y: "2" } }]]),
    secrets: new Map([["s", { metadata: {}, data: { k: btoa("hidden") } }]]),
    services: [
      {
        namespace: "default",
        name: "kubernetes",
        clusterIp: "10.96.0.1",
        ports: [{ name: "https", port: 443, protocol: "TCP" }],
      },
      { namespace: "ns", name: "db", clusterIp: "None", ports: [{ name: "", port: 5432, protocol: "TCP" }] },
      { namespace: "other", name: "far", clusterIp: "10.96.0.9", ports: [{ name: "", port: 1, protocol: "TCP" }] },
    ],
    facts,
  };
  const show = (one: Container, names: string[]): string[] => {
    const variables = environmentOf(pod([one]), one, inputs);
    return names.map((name) => variables.get(name) ?? "-");
  };
  const env = [
    { name: "x", value: "own" },
    { name: "URL", value: "https://$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT_HTTPS)/$(x)" },
    { name: "KEY", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
    { name: "NONE", valueFrom: { configMapKeyRef: { name: "absent", key: "k", optional: true } } },
    { name: "LABEL", valueFrom: { fieldRef: { fieldPath: "metadata.labels['b']" } } },
    { name: "IPS", valueFrom: { fieldRef: { fieldPath: "status.podIPs" } } },
    { name: "MEM", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
  ];
  const full = container({ envFrom: [{ configMapRef: { name: "m" } }], env });
  assert.deepEqual(
    show(full, ["x", "y", "URL", "KEY", "NONE", "LABEL", "IPS", "MEM", "DB_SERVICE_HOST", "FAR_SERVICE_HOST"]),
    ["own", "2", "https://10.96.0.1:443/own", "hidden", "-", "2", "10.0.0.1,fd00::1", "1024", "-", "-"],
  );
  const missing = container({ env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "m", key: "z" } } }] });
  assert.throws(() => show(missing, []), /couldn't find key z in ConfigMap ns\/m/);
  assert.throws(() => show(container({ envFrom: [{ secretRef: { name: "gone" } }] }), []), /secret "gone" not found/);
});

test("resolv.conf by policy", () => {
  const host = parseResolvConf("# ours\nnameserver 192.0.2.53\nsearch example.com\noptions rotate\n");
  const settings = { clusterDns: ["10.96.0.10"], clusterDomain: "cluster.local" };
  const show = (spec: Partial<Pod["spec"]>): string => {
    const { servers, searches, options } = podDns(pod([], spec), settings, host);
    return [servers.join(), searches.join(), options.join()].join(" | ");
  };
  const cluster = "10.96.0.10 | ns.svc.cluster.local,svc.cluster.local,cluster.local,example.com | ndots:5";
  assert.equal(show({}), cluster);
  assert.equal(show({ hostNetwork: true }), "192.0.2.53 | example.com | rotate");
  assert.equal(show({ hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }), cluster);
  const dnsConfig = {
    nameservers: ["1.1.1.1"],
    searches: ["a.b"],
    options: [{ name: "ndots", value: "2" }, { name: "edns0" }],
  };
  assert.equal(show({ dnsPolicy: "None", dnsConfig }), "1.1.1.1 | a.b | ndots:2,edns0");
});

test("classes of service and the kernel's numbers", () => {
  const both = { cpu: "500m", memory: "64Mi" };
  const guaranteed = pod([container({ resources: { limits: both } })]);
  const burstable = pod([container({ resources: { requests: { cpu: "250m" } } })]);
  assert.deepEqual([guaranteed, burstable, pod([container()])].map(qosClassOf), [
    "Guaranteed",
    "Burstable",
    "BestEffort",
  ]);
  assert.deepEqual(containerResources(guaranteed.spec.containers[0] ?? container(), guaranteed, 1 << 30), {
    cpuPeriod: 100_000,
    cpuQuota: 50_000,
    cpuShares: 512,
    memoryLimitInBytes: 64 << 20,
    oomScoreAdj: -997,
  });
  assert.deepEqual(podLimits(burstable), {
    cpuShares: 256,
    cpuPeriodUs: undefined,
    cpuQuotaUs: undefined,
    memoryBytes: undefined,
  });
  const ask = new BurstableAsk();
  const running = { ...burstable, status: { phase: "Running" } };
  for (const [uid, one] of Object.entries({ g: guaranteed, a: burstable, b: running, c: burstable })) ask.set(uid, one);
  ask.set("b", { ...burstable, status: { phase: "Succeeded" } });
  ask.set("c", undefined);
  assert.deepEqual(
    [...qosLimits("/r", ask.milli, 2000)].map(([path, { cpuShares }]) => `${path} ${cpuShares}`),
    ["/r/kubepods 2048", "/r/kubepods/burstable 256", "/r/kubepods/besteffort 2"],
  );
});

test("a seccomp profile that cannot be honoured never means none", () => {
  const show = (profile: { type: string; localhostProfile?: string } | undefined): string | undefined =>
    seccompOf(profile, "/profiles")?.profileType;
  assert.equal(show(undefined), "Unconfined");
  assert.equal(show({ type: "RuntimeDefault" }), "RuntimeDefault");
  assert.equal(show({ type: "Localhost", localhostProfile: "a/b.json" }), "Localhost");
  for (const localhostProfile of ["", "/etc/x", "../x", "a/../../x"])
    assert.equal(show({ type: "Localhost", localhostProfile }), undefined);
  assert.equal(show({ type: "localhost" }), undefined);
});

test("each restart waits at least 10 s doubled, never more than 5 min", () => {
  let entry: { delayMs: number; at: number } | undefined;
  let now = 0;
  const waits: number[] = [];
  for (let restarts = 0; restarts < 8; restarts += 1) {
    const endedAt = now;
    let decision = decideRestart(entry, restarts, endedAt, now);
    if (!decision.start) {
      now = decision.at;
      decision = decideRestart(entry, restarts, endedAt, now);
    }
    assert.ok(decision.start);
    waits.push((now - endedAt) / 1000);
    entry = decision.next;
    now += 1_000;
  }
  assert.deepEqual(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
  assert.equal(failPull({ reason: "", message: "", count: 9, retryAt: 0 }, "", "", 0).retryAt, 300_000);
  assert.deepEqual([10_000, 80_000, 300_000, 3_660_000].map(goDuration), ["10s", "1m20s", "5m0s", "1h1m0s"]);
});

test("whether a container starts again", () => {
  const cases: [string, number, boolean, boolean][] = [
    ["Always", 0, false, true],
    ["OnFailure", 0, false, false],
    ["OnFailure", 1, false, true],
    ["Never", 1, false, false],
    ["Always", 0, true, false],
    ["Always", 1, true, true],
    ["Never", 1, true, false],
  ];
  for (const [restartPolicy, code, init, expected] of cases) {
    assert.equal(
      restartsAfter(pod([], { restartPolicy }), container(), code, init),
      expected,
      `${restartPolicy} ${code} ${init}`,
    );
  }
});

test("a status patch names what is gone: addresses, reasons, messages", () => {
  const ready = { type: "Ready", status: "False", reason: "ContainersNotReady", message: "m" };
  const patch = statusPatch(
    {
      podIP: "10.0.0.1",
      podIPs: [{ ip: "10.0.0.1" }],
      reason: "x",
      conditions: [ready, { type: "Other", status: "True" }],
    },
    { podIP: "10.0.0.2", podIPs: [{ ip: "10.0.0.2" }], conditions: [{ type: "Ready", status: "True" }] },
  );
  assert.deepEqual(patch, {
    podIP: "10.0.0.2",
    podIPs: [{ $patch: "delete", ip: "10.0.0.1" }, { ip: "10.0.0.2" }],
    conditions: [{ type: "Ready", status: "True", reason: null, message: null }],
    reason: null,
  });
});
