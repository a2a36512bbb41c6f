import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Pod } from "#api/generated/core-v1.ts";
import { configmaps, pods, secrets, services } from "#api/generated/resources.ts";
import { busybox, cannotRun, TestNode } from "./test-node.ts";

let node: TestNode;
before(async () => {
  if (cannotRun === false) node = await TestNode.start();
});
after(async () => {
  if (cannotRun === false) await node.stop();
});

const isReady = (pod: Pod): boolean => pod.status.conditions?.find(({ type }) => type === "Ready")?.status === "True";
const namespace = "default";

test("volumes and variables show what the API has, and follow its changes", { skip: cannotRun }, async () => {
  node.api.add(configmaps, {
    metadata: { name: "settings", namespace },
    data: { colour: "red", "file.conf": "a=1\n" },
  });
  node.api.add(secrets, { metadata: { name: "key", namespace }, data: { password: btoa("hidden") } });
  node.api.add(services, {
    metadata: { name: "web-app", namespace },
    spec: { clusterIP: "10.96.1.2", ports: [{ name: "http", port: 80, protocol: "TCP" }] },
  });
  mkdirSync(`${node.dir}/host`);
  writeFileSync(`${node.dir}/host/name`, "from the host");
  node.addPod(
    "mounted",
    {
      hostname: "short",
      subdomain: "sub",
      hostAliases: [{ ip: "192.0.2.7", hostnames: ["alias"] }],
      securityContext: { runAsUser: 1000, fsGroup: 2000 },
      volumes: [
        { name: "config", configMap: { name: "settings" } },
        { name: "secret", secret: { secretName: "key", defaultMode: 0o400 } },
        { name: "info", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
        {
          name: "all",
          projected: {
            sources: [
              { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
              { configMap: { name: "settings", items: [{ key: "colour", path: "deep/colour" }] } },
            ],
          },
        },
        { name: "scratch", emptyDir: {} },
        { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
        { name: "host", hostPath: { path: `${node.dir}/host`, type: "Directory" } },
      ],
      containers: [
        {
          name: "main",
          image: busybox,
          command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait $!"],
          resources: { requests: { cpu: "250m", memory: "32Mi" }, limits: { cpu: "500m", memory: "64Mi" } },
          env: [
            { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "settings", key: "colour" } } },
            { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "key", key: "password" } } },
            { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
            { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } },
            { name: "GREETING", value: "$(COLOUR) at $(WEB_APP_SERVICE_HOST)" },
          ],
          envFrom: [{ prefix: "S_", configMapRef: { name: "settings" } }],
          volumeMounts: [
            { name: "config", mountPath: "/config" },
            { name: "config", mountPath: "/one/file.conf", subPath: "file.conf" },
            { name: "secret", mountPath: "/secret" },
            { name: "info", mountPath: "/info" },
            { name: "all", mountPath: "/all" },
            { name: "scratch", mountPath: "/scratch" },
            { name: "scratch", mountPath: "/sub", subPath: "made/here" },
            { name: "memory", mountPath: "/memory" },
            { name: "host", mountPath: "/host", readOnly: true },
          ],
        },
      ],
    },
    { labels: { app: "web" } },
  );
  const pod = await node.until("mounted", isReady);
  const show = async (script: string): Promise<string> => (await node.exec(pod, "main", "sh", "-c", script)).trim();
  assert.equal(
    await show("echo $COLOUR $PASSWORD $POD_IP $CPU $GREETING $S_colour"),
    `red hidden ${pod.status.podIP} 500 red at 10.96.1.2 red`,
  );
  assert.equal(
    await show(
      "cat /config/colour /one/file.conf /secret/password /info/labels /all/token /all/deep/colour /host/name",
    ),
    `reda=1\nhiddenapp="web"token-1redfrom the host`,
  );
  assert.equal(await show("id -u; id -G"), "1000\n0 2000");
  assert.equal(await show("touch /scratch/x /memory/y /sub/z && ls /scratch/made/here"), "z");
  assert.match(await show("cat /proc/mounts"), / \/memory tmpfs .*size=1024k/);
  assert.match(await show("touch /host/x 2>&1"), /Read-only file system/);
  assert.match(
    await show("cat /etc/hosts"),
    new RegExp(`${pod.status.podIP}\tshort.sub.default.svc.cluster.local\tshort\n[^]*192.0.2.7\talias`),
  );
  assert.match(
    await show("cat /etc/resolv.conf"),
    /search default.svc.cluster.local svc.cluster.local cluster.local.*\nnameserver 10.96.0.10\noptions ndots:5/,
  );
  assert.equal(await node.cgroup(pod, "memory", "memory.limit_in_bytes"), String(64 << 20));

  node.api.change(configmaps, { namespace, name: "settings" }, (object) => (object.data = { colour: "blue" }));
  const deadline = performance.now() + 60_000;
  while ((await show("cat /config/colour")) !== "blue")
    assert.ok(performance.now() < deadline, "the change did not arrive");
  assert.equal(await show("ls /config"), "colour");

  node.api.remove(pods, { namespace, name: "mounted" }, 2);
  await node.deleted("mounted");
  await node.nothingLeft(pod);
});

test("a subPath that leads out of its volume is refused", { skip: cannotRun }, async () => {
  mkdirSync(`${node.dir}/volume`);
  symlinkSync("/etc", `${node.dir}/volume/out`);
  symlinkSync("inner", `${node.dir}/volume/in`);
  mkdirSync(`${node.dir}/volume/inner`);
  writeFileSync(`${node.dir}/volume/inner/file`, "inside");
  const volumes = [{ name: "v", hostPath: { path: `${node.dir}/volume` } }];
  const container = (subPath: string) => [
    {
      name: "main",
      image: busybox,
      command: ["sh", "-c", "cat /v/file; echo; sleep 1000"],
      resources: {},
      volumeMounts: [{ name: "v", mountPath: "/v", subPath }],
    },
  ];
  node.addPod("escaping", { volumes, containers: container("out") });
  node.addPod("climbing", { volumes, containers: container("inner/../../..") });
  node.addPod("staying", { volumes, containers: container("in") });
  for (const name of ["escaping", "climbing"]) {
    const pod = await node.until(
      name,
      ({ status }) => status.containerStatuses?.[0]?.state.waiting?.reason === "CreateContainerConfigError",
    );
    assert.match(pod.status.containerStatuses?.[0]?.state.waiting?.message ?? "", /failed to prepare subPath/);
  }
  const staying = await node.until("staying", isReady);
  await node.logged(staying, "main", (text) => text === "inside\n");
  for (const name of ["escaping", "climbing", "staying"]) {
    node.api.remove(pods, { namespace, name }, 1);
    await node.deleted(name);
  }
});
