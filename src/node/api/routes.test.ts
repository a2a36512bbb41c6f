import assert from "node:assert/strict";
import { test } from "node:test";
import { routeOf, subresourcesOf, verbOf } from "./routes.ts";

const now = Date.parse("2026-01-01T00:01:00Z");

function show(method: string, target: string): string {
  const route = routeOf(method, target, now);
  if (route.to === "none") return "none";
  if (route.to === "bad") return `bad: ${route.message}`;
  return `${route.to} ${verbOf(route)} nodes/${subresourcesOf(route).join(",")}`;
}

test("paths lead where kubelet's do, with the right that each needs", () => {
  const cases: [string, string, string][] = [
    ["GET", "/healthz", "healthz get nodes/healthz,proxy"],
    ["GET", "/pods", "pods get nodes/pods,proxy"],
    ["GET", "/stats/summary", "stats-summary get nodes/stats"],
    ["GET", "/stats/ingress", "ingress-activity get nodes/stats"],
    ["GET", "/stats/users", "traffic-users get nodes/stats"],
    ["GET", "/metrics", "agent-metrics get nodes/metrics"],
    ["GET", "/metrics/cadvisor", "cadvisor-metrics get nodes/metrics"],
    ["GET", "/metrics/resource", "resource-metrics get nodes/metrics"],
    ["GET", "/containerLogs/ns/p/c?follow=true", "logs get nodes/proxy"],
    ["GET", "/exec/ns/p/c?command=ls&output=1", "exec create nodes/proxy"],
    ["POST", "/exec/ns/p/uid/c?command=ls&output=1", "exec create nodes/proxy"],
    ["GET", "/attach/ns/p/c?stdin=true", "attach create nodes/proxy"],
    ["GET", "/portForward/ns/p?port=80", "port-forward create nodes/proxy"],
    ["POST", "/run/ns/p/c?cmd=ls", "run create nodes/proxy"],
    ["POST", "/images/load", "load-image create nodes/proxy"],
    ["POST", "/exec/ns/p/c?command=ls", "bad: you must specify at least 1 of stdin, stdout, stderr"],
    ["GET", "/portForward/ns/p?port=0", "bad: invalid port"],
    ["GET", "/containerLogs/ns/p/c?limitBytes=0", 'bad: invalid limitBytes: "0"'],
    ["GET", "/containerLogs/ns/p/..%2fx", "none"],
    ["GET", "/containerLogs/ns/%2e%2e/c", "none"],
    ["GET", "/containerLogs/ns/p/%ff", "none"],
    ["GET", "/debug/pprof", "none"],
    ["DELETE", "/pods", "none"],
  ];
  for (const [method, target, expected] of cases) assert.equal(show(method, target), expected, target);
});

test("what a reader of logs wants", () => {
  const route = routeOf(
    "GET",
    "/containerLogs/ns/p/c?sinceSeconds=30&tailLines=5&timestamps=true&previous=true&stream=Stderr",
    now,
  );
  assert.deepEqual(route, {
    to: "logs",
    at: { namespace: "ns", pod: "p" },
    container: "c",
    previous: true,
    options: {
      follow: false,
      timestamps: true,
      tailLines: 5,
      limitBytes: undefined,
      sinceMs: now - 30_000,
      stream: "Stderr",
    },
  });
});
