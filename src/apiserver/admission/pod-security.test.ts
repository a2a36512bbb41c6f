import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodSpec } from "#api/generated/core-v1.ts";
import { cronjobs, deployments, namespaces, pods } from "#api/generated/resources.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { podSecurity } from "./pod-security.ts";
import { admit, requestFor } from "./request-in-tests.ts";

const label = "pod-security.kubernetes.io/";
const objects = new StoredInTests();
const inNamespace = (name: string, labels: Record<string, string>): void =>
  objects.put(namespaces, { metadata: { name, labels } });
inNamespace("open", {});
inNamespace("baseline", { [`${label}enforce`]: "baseline" });
inNamespace("restricted", { [`${label}enforce`]: "restricted" });
inNamespace("old", { [`${label}enforce`]: "restricted", [`${label}enforce-version`]: "v1.7" });
inNamespace("before-probes", { [`${label}enforce`]: "baseline", [`${label}enforce-version`]: "v1.33" });
inNamespace("watched", { [`${label}warn`]: "restricted", [`${label}audit`]: "baseline" });
inNamespace("broken", { [`${label}enforce`]: "relaxed" });
const plugin = podSecurity({ objects, clock: realClock, timers: realTimers({ keepAlive: true }) });

type Parts = Record<string, unknown>;
const strict = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};
/** A pod that the strictest level lets pass, with changes to its container's security context and to itself. */
function pod(namespace: string, context: Parts = {}, spec: Parts = {}, container: Parts = {}): object {
  const one = { name: "c", image: "i", securityContext: { ...strict, ...context }, ...container };
  return { metadata: { name: "p", namespace }, spec: { containers: [one], ...spec } };
}
const check = (object: object): Promise<string | undefined> => admit(plugin, requestFor(pods, { object }));

/** What each control forbids: at the lower level when `baseline`, else only at the higher one. */
const controls: readonly [string, "baseline" | "restricted", Parts, Parts, Parts, RegExp][] = [
  [
    "privileged",
    "baseline",
    { privileged: true },
    {},
    {},
    /privileged \(container "c" must not set securityContext\.privileged=true\)/,
  ],
  ["host network", "baseline", {}, { hostNetwork: true }, {}, /host namespaces \(hostNetwork=true\)/],
  [
    "host process ids",
    "baseline",
    {},
    { hostPID: true, hostIPC: true },
    {},
    /host namespaces \(hostPID=true, hostIPC=true\)/,
  ],
  [
    "capabilities",
    "baseline",
    { capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } },
    {},
    {},
    /must not include "NET_ADMIN"/,
  ],
  [
    "host ports",
    "baseline",
    {},
    {},
    { ports: [{ containerPort: 80, hostPort: 80 }] },
    /hostPort \(container "c" uses hostPort 80\)/,
  ],
  [
    "host probes",
    "baseline",
    {},
    {},
    { livenessProbe: { httpGet: { host: "x", port: 1 } } },
    /probe or lifecycle host/,
  ],
  ["AppArmor", "baseline", { appArmorProfile: { type: "Unconfined" } }, {}, {}, /forbidden AppArmor profile/],
  ["SELinux", "baseline", { seLinuxOptions: { type: "spc_t" } }, {}, {}, /seLinuxOptions/],
  ["SELinux users", "baseline", {}, { securityContext: { seLinuxOptions: { user: "x" } } }, {}, /seLinuxOptions \(pod/],
  ["proc", "baseline", { procMount: "Unmasked" }, {}, {}, /procMount/],
  ["seccomp", "baseline", { seccompProfile: { type: "Unconfined" } }, {}, {}, /seccompProfile/],
  [
    "sysctls",
    "baseline",
    {},
    { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } },
    {},
    /forbidden sysctls \(kernel\.msgmax\)/,
  ],
  ["Windows hosts", "baseline", { windowsOptions: { hostProcess: true } }, {}, {}, /hostProcess/],
  ["host paths", "baseline", {}, { volumes: [{ name: "v", hostPath: { path: "/" } }] }, {}, /"v"/],
  [
    "volume types",
    "restricted",
    {},
    { volumes: [{ name: "v", nfs: {} }] },
    {},
    /restricted volume types \(volume "v" uses restricted volume type "nfs"\)/,
  ],
  [
    "privilege escalation",
    "restricted",
    { allowPrivilegeEscalation: true },
    {},
    {},
    /allowPrivilegeEscalation != false/,
  ],
  ["root", "restricted", { runAsNonRoot: false }, {}, {}, /runAsNonRoot != true/],
  ["root by number", "restricted", { runAsUser: 0 }, {}, {}, /runAsUser=0/],
  [
    "kept capabilities",
    "restricted",
    { capabilities: { add: ["CHOWN"] } },
    {},
    {},
    /unrestricted capabilities .*drop=\["ALL"\].*; .*"CHOWN"/,
  ],
];
for (const [name, level, context, spec, container, message] of controls) {
  test(`${name}: refused from level ${level} on, in every kind of container`, async () => {
    assert.equal(await check(pod("open", context, spec, container)), undefined);
    const inBaseline = await check(pod("baseline", context, spec, container));
    if (level === "baseline") assert.match(inBaseline ?? "was let through", message);
    else assert.equal(inBaseline, undefined);
    assert.match((await check(pod("restricted", context, spec, container))) ?? "was let through", message);
    if (Object.keys(context).length + Object.keys(container).length === 0) return;
    const bad = { name: "c", image: "i", securityContext: { ...strict, ...context }, ...container };
    const good = { name: "good", image: "i", securityContext: strict };
    for (const kind of ["initContainers", "ephemeralContainers"]) {
      const object = { metadata: { name: "p", namespace: "restricted" }, spec: { containers: [good], [kind]: [bad] } };
      assert.match((await check(object)) ?? "was let through", message);
    }
  });
}

test("a strict pod passes everywhere, a plain one is told all that it lacks", async () => {
  assert.equal(await check(pod("restricted")), undefined);
  const plain = { metadata: { name: "p", namespace: "restricted" }, spec: { containers: [{ name: "c", image: "i" }] } };
  assert.equal(
    await check(plain),
    'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set ' +
      "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities " +
      '(container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
      'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
      'seccompProfile (pod or container "c" must set ' +
      'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
});

test("settings of the pod count for its containers", async () => {
  const context: PodSpec["securityContext"] = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };
  const one = { name: "c", securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } } };
  assert.equal(
    await check({
      metadata: { name: "p", namespace: "restricted" },
      spec: { containers: [one], securityContext: context },
    }),
    undefined,
  );
});

test("a pinned version knows what it knew", async () => {
  assert.equal(await check(pod("old", { allowPrivilegeEscalation: true, capabilities: {} })), undefined);
  assert.match((await check(pod("old", { runAsNonRoot: false }))) ?? "", /restricted:v1\.7/);
  const probe = { readinessProbe: { tcpSocket: { host: "x", port: 1 } } };
  assert.equal(await check(pod("before-probes", {}, {}, probe)), undefined);
});

test("warnings and audit say what would be refused, and refuse nothing", async () => {
  const request = requestFor(pods, { object: pod("watched", { privileged: true }) });
  assert.equal(await admit(plugin, request), undefined);
  assert.match(request.warnings[0] ?? "", /^would violate PodSecurity "restricted:latest": privileged/);
  assert.match(
    request.auditAnnotations[`${label}audit-violations`] ?? "",
    /^would violate PodSecurity "baseline:latest": privileged/,
  );
});

test("templates are warned about, and never refused", async () => {
  inNamespace("both", { [`${label}enforce`]: "baseline", [`${label}warn`]: "baseline" });
  const template = { metadata: {}, spec: { containers: [{ name: "c", securityContext: { privileged: true } }] } };
  const objectsOfKinds = [
    [deployments, { template }],
    [cronjobs, { jobTemplate: { spec: { template } } }],
  ] as const;
  for (const [resource, spec] of objectsOfKinds) {
    const request = requestFor(resource, { object: { metadata: { name: "d", namespace: "both" }, spec } });
    assert.equal(await admit(plugin, request), undefined);
    assert.match(request.warnings[0] ?? "no warning", /^would violate PodSecurity "baseline:latest": privileged/);
  }
});

test("a running pod may change what the standards do not look at", async () => {
  const old = pod("baseline", { privileged: true });
  const labelled = { ...old, metadata: { name: "p", namespace: "baseline", labels: { a: "b" } } };
  assert.equal(await admit(plugin, requestFor(pods, { object: labelled, oldObject: old })), undefined);
  const changed = pod("baseline", { privileged: true }, { activeDeadlineSeconds: 5 });
  assert.match((await admit(plugin, requestFor(pods, { object: changed, oldObject: old }))) ?? "", /privileged/);
});

test("a debug container must keep the standard of its namespace", async () => {
  const old = pod("baseline");
  const ephemeral = {
    ...(old as { spec: object }).spec,
    ephemeralContainers: [{ name: "e", securityContext: { privileged: true } }],
  };
  const request = requestFor(pods, {
    subresource: "ephemeralcontainers",
    object: { ...old, spec: ephemeral },
    oldObject: old,
  });
  assert.match((await admit(plugin, request)) ?? "", /container "e" must not set/);
});

test("labels that mean nothing are refused, and taken as the strictest where they stand", async () => {
  const write = (labels: Record<string, string>): Promise<string | undefined> =>
    admit(plugin, requestFor(namespaces, { object: { metadata: { name: "n", labels } } }));
  assert.match(
    (await write({ [`${label}enforce`]: "relaxed" })) ?? "",
    /must be one of privileged, baseline, restricted/,
  );
  assert.match((await write({ [`${label}warn-version`]: "1.30" })) ?? "", /must be "latest" or "v1\.x"/);
  assert.equal(await write({ [`${label}enforce`]: "baseline", [`${label}enforce-version`]: "v1.30" }), undefined);
  assert.match((await check(pod("broken", { runAsNonRoot: false }))) ?? "", /restricted:latest/);
});

interface Raise {
  readonly from: Record<string, string>;
  readonly to: Record<string, string>;
  readonly warnings: readonly string[];
}

const title = (policy: string): string =>
  `existing pods in namespace "running" violate the new PodSecurity enforce level "${policy}"`;
const hosts = "hosts-a (and 2 other pods): host namespaces";
const rooted = "root-a (and 1 other pod): runAsNonRoot != true";
const raises: readonly Raise[] = [
  { from: {}, to: { enforce: "restricted" }, warnings: [title("restricted:latest"), hosts, rooted] },
  { from: {}, to: { enforce: "baseline" }, warnings: [title("baseline:latest"), hosts] },
  {
    from: { enforce: "baseline" },
    to: { enforce: "restricted" },
    warnings: [title("restricted:latest"), hosts, rooted],
  },
  { from: { enforce: "restricted" }, to: { enforce: "baseline" }, warnings: [] },
  { from: { enforce: "restricted" }, to: { enforce: "restricted", warn: "baseline" }, warnings: [] },
  {
    from: { enforce: "baseline" },
    to: { enforce: "baseline", "enforce-version": "v1.30" },
    warnings: [title("baseline:v1.30"), hosts],
  },
  { from: { enforce: "baseline" }, to: { enforce: "privileged" }, warnings: [] },
  { from: {}, to: { warn: "restricted", audit: "restricted" }, warnings: [] },
];

test("who raises the level hears which of the pods that run would not be let in any more", async () => {
  for (const name of ["hosts-a", "hosts-b", "hosts-c"])
    objects.put(pods, { ...pod("running", {}, { hostPID: true }), metadata: { name, namespace: "running" } });
  for (const name of ["root-a", "root-b"])
    objects.put(pods, { ...pod("running", { runAsNonRoot: false }), metadata: { name, namespace: "running" } });
  objects.put(pods, { ...pod("running"), metadata: { name: "good", namespace: "running" } });
  const namespace = (labels: Record<string, string>): object => ({
    metadata: {
      name: "running",
      labels: Object.fromEntries(Object.entries(labels).map(([key, value]) => [label + key, value])),
    },
  });
  for (const { from, to, warnings } of raises) {
    const request = requestFor(namespaces, { oldObject: namespace(from), object: namespace(to) });
    assert.equal(await admit(plugin, request), undefined);
    assert.deepEqual(request.warnings, warnings, JSON.stringify([from, to]));
  }
});
