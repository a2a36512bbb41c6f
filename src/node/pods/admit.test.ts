import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerPort, Pod } from "#api/generated/core-v1.ts";
import { refusalOf } from "./admit.ts";

const room = { cpuMilli: 2000, memoryBytes: 1 << 30, pods: 3 };

function pod(cpu: string, ports: ContainerPort[] = [], phase = "Running"): Pod {
  const container = { name: "main", image: "x", resources: { requests: { cpu } }, ports };
  return { apiVersion: "v1", kind: "Pod", metadata: {}, spec: { containers: [container] }, status: { phase } };
}

function check(story: string, asked: Pod, others: readonly Pod[], reason: string | undefined): void {
  test(story, () => assert.equal(refusalOf(asked, others, room)?.reason, reason));
}

const web = { containerPort: 80, hostPort: 8080 };
check("a pod that fits is taken", pod("1"), [pod("1")], undefined);
check("no processors are left", pod("1500m"), [pod("1")], "OutOfcpu");
check("a pod that has ended takes nothing", pod("1500m"), [pod("1", [], "Failed")], undefined);
check("a host port is taken", pod("0", [web]), [pod("0", [web])], "NodePorts");
check(
  "a port of one address meets that of all",
  pod("0", [{ ...web, hostIP: "127.0.0.1" }]),
  [pod("0", [web])],
  "NodePorts",
);
check("another protocol is another port", pod("0", [{ ...web, protocol: "UDP" }]), [pod("0", [web])], undefined);
check("the node has its number of pods", pod("0"), [pod("0"), pod("0"), pod("0")], "OutOfpods");

test("the refusal tells what was asked and what there is", () => {
  const { message } = refusalOf(pod("1500m"), [pod("1")], room)!;
  assert.match(message, /cpu, requested: 1500, used: 1000, capacity: 2000$/);
});
