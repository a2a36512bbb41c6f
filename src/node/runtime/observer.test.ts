import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerRuntime, RuntimeContainerState } from "#world/container-runtime.ts";
import { outlineOf, RuntimeObserver } from "./observer.ts";

const labels = { "io.kubernetes.pod.uid": "u1", "io.kubernetes.container.name": "main" };
const metadata = { name: "web", uid: "u1", namespace: "default", attempt: 0 };

/** A runtime with one pod, of which only the container's state changes. */
function runtimeWith(state: () => RuntimeContainerState): ContainerRuntime {
  const sandbox = { id: "s1", metadata, state: "Ready", createdAt: 1, labels, annotations: {} } as const;
  const container = { id: "c1", podSandboxId: "s1", metadata: { name: "main", attempt: 0 }, imageRef: "", labels };
  const listed = { ...container, createdAt: 2, annotations: {} };
  const status = { ...listed, startedAt: 3, finishedAt: 0, exitCode: 1, reason: "Error", message: "", logPath: "" };
  const known = {
    listSandboxes: () => Promise.resolve([sandbox]),
    sandboxStatus: () => Promise.resolve(sandbox),
    listContainers: () => Promise.resolve([{ ...listed, state: state() }]),
    containerStatus: () => Promise.resolve({ ...status, state: state() }),
  };
  return known as object as ContainerRuntime;
}

test("a pod's outline differs from what was seen as soon as the runtime has something else, event or not", async () => {
  let state: RuntimeContainerState = "Running";
  const observer = new RuntimeObserver(runtimeWith(() => state));
  const seen = await observer.observe("u1");
  assert.equal((await observer.outlines()).get("u1"), outlineOf(seen));
  state = "Exited";
  assert.notEqual((await observer.outlines()).get("u1"), outlineOf(seen));
  assert.equal((await observer.outlines()).get("u1"), outlineOf(await observer.observe("u1")));
  assert.equal((await observer.outlines()).get("another"), undefined);
});
