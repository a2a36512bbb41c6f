/** What kubectl can only show with containers that run. */
import assert from "node:assert/strict";
import { type TestCluster } from "../cluster/harness.ts";
import { eventually } from "../eventually.ts";

type Json = Record<string, unknown>;

function deployment(name: string, tier: string, replicas: number, command: string): Json {
  const labels = { app: "guestbook", tier };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: "main",
              image: "localhost/steersman-busybox:1",
              command: ["/bin/busybox", "sh", "-c", command],
              readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}

function service(name: string, tier: string): Json {
  const spec = { selector: { app: "guestbook", tier }, ports: [{ port: 80, targetPort: 8080 }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name, labels: { app: "guestbook", tier } }, spec };
}

/** Entries are kept by one tier and shown by two of another, which finds it by its Service's name. */
const store = "mkdir /www && echo hello-from-the-store > /www/entries && exec httpd -f -p 8080 -h /www";
const front =
  "mkdir /www && cd /www && (while true; do wget -qO new http://guestbook-store/entries && mv new list; sleep 1; done) & " +
  "sleep 1; exec httpd -f -p 8080 -h /www";

export async function guestbook(cluster: TestCluster): Promise<void> {
  const objects = [
    service("guestbook-store", "store"),
    deployment("guestbook-store", "store", 1, store),
    service("frontend", "front"),
    deployment("frontend", "front", 2, front),
  ];
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const run = (...args: string[]): string => {
    const { code, stdout, stderr } = cluster.tryKubectl([...args, "-f", "-"], { input });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  cluster.kubectl("create", "namespace", "guestbook");
  assert.match(run("create", "-n", "guestbook"), /deployment\.apps\/frontend created/);
  cluster.kubectl(
    "rollout",
    "status",
    "-n",
    "guestbook",
    "deployment/frontend",
    "deployment/guestbook-store",
    "--timeout=150s",
  );
  const entries = (): string =>
    cluster.tryKubectl(["get", "--raw", "/api/v1/namespaces/guestbook/services/frontend:80/proxy/list"]).stdout;
  await eventually("the frontend shows what the store keeps", () => entries().includes("hello-from-the-store"));
  run("delete", "-n", "guestbook", "--timeout=150s");
  await eventually("nothing is left", () => {
    const left = cluster.kubectl("get", "-n", "guestbook", "pods,services,deployments", "-o", "name");
    return left.trim() === "";
  });
  cluster.kubectl("delete", "namespace", "guestbook", "--timeout=150s");
}

export async function filteredLogs(cluster: TestCluster): Promise<void> {
  const script = "for i in 1 2 3 4 5; do echo line $i of the log; done; sleep 3; echo late; sleep 3600";
  cluster.kubectl("run", "logs", "--image=localhost/steersman-busybox:1", "--restart=Never", "--", "sh", "-c", script);
  const logs = (...flags: string[]): string => cluster.kubectl("logs", "logs", ...flags);
  cluster.kubectl("wait", "pod/logs", "--for=condition=Ready", "--timeout=150s");
  const log = await eventually("the whole log", () => {
    const text = logs();
    return text.endsWith("late\n") ? text : undefined;
  });
  assert.equal(log.split("\n").length, 7);
  assert.equal(logs("--tail=1"), "late\n");
  assert.equal(logs("--limit-bytes=1"), "l");
  const stamped = logs("--tail=1", "--timestamps");
  assert.match(stamped, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) late\n$/);
  const lateMs = Date.parse(stamped.split(" ", 1)[0] ?? "");
  assert.equal(logs(`--since-time=${new Date(lateMs - 1000).toISOString()}`), "late\n");
  await eventually("what is older than a second is left out", () => logs("--since=1s") === "");
  assert.equal(logs("--since=24h"), log);
  cluster.kubectl("delete", "pod", "logs", "--grace-period=1");
}
