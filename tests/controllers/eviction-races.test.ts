/** Evictions while the pod that was judged changes: who goes is who was judged, by the budget that holds then. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { namespaces, poddisruptionbudgets, pods } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import { createClient } from "#client/http-client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import { openMemoryStore } from "#store/memory/memory-store.ts";
import type { Store, Transaction } from "#store/store.ts";
import { realWorld } from "#world/node/real-world.ts";
import { admin, openApi } from "../api/harness.ts";

const { clock, timers } = realWorld;
const at = { namespace: "default", name: "web" };

interface Stage {
  readonly client: Client;
  /** Runs once, right after something of the kind that is named was written and before the pod goes. */
  between: (() => Promise<unknown>) | undefined;
  /** A budget from which a disruption is taken; a pod that is told that it goes. */
  after: "poddisruptionbudgets" | "pods";
}

async function play(story: (stage: Stage) => Promise<void>): Promise<void> {
  const plain = openMemoryStore({ clock, timers });
  const stage: { client: Client } & Omit<Stage, "client"> = {
    client: undefined as never,
    between: undefined,
    after: "poddisruptionbudgets",
  };
  const commit = async (transaction: Transaction): Promise<Awaited<ReturnType<Store["commit"]>>> => {
    const result = await plain.commit(transaction);
    const isMeant = transaction.operations.some(({ key }) => key.includes(`/${stage.after}/`));
    const { between } = stage;
    if (!isMeant || between === undefined) return result;
    stage.between = undefined;
    await between();
    return result;
  };
  const store = new Proxy(plain, {
    get: (target, name) => {
      if (name === "commit") return commit;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const { api } = openApi({ store });
  stage.client = createClient(api.transportFor(admin), { userAgent: "test", timers });
  try {
    await stage.client.create(namespaces, {}, { metadata: { name: "default" } });
    await story(stage);
  } finally {
    api.close();
    await plain.close();
  }
}

async function budget({ client }: Stage, name: string, app: string, disruptionsAllowed: number): Promise<void> {
  const spec = { minAvailable: 1, selector: { matchLabels: { app } } };
  const { metadata } = await client.create(poddisruptionbudgets, at, { metadata: { name }, spec } as never);
  const status = {
    observedGeneration: metadata.generation,
    disruptionsAllowed,
    currentHealthy: 1 + disruptionsAllowed,
    desiredHealthy: 1,
    expectedPods: 2,
  };
  const options = { type: "merge", subresource: "status" } as const;
  await client.patch(poddisruptionbudgets, { namespace: "default", name }, { status }, options);
}

async function pendingPod({ client }: Stage): Promise<void> {
  const spec = { nodeName: "n1", containers: [{ name: "main", image: "web:1" }] };
  await client.create(pods, at, { metadata: { name: "web", labels: { app: "web" } }, spec } as never);
}

async function pod(stage: Stage, isReady: boolean): Promise<void> {
  await pendingPod(stage);
  await ready(stage, isReady);
}

const ready = ({ client }: Pick<Stage, "client">, isReady: boolean): Promise<unknown> =>
  client.patch(
    pods,
    at,
    { status: { phase: "Running", conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] } },
    { type: "strategic", subresource: "status" },
  );

async function evict({ client }: Stage): Promise<number> {
  try {
    await client.request("POST", "/api/v1/namespaces/default/pods/web/eviction", {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: at,
    });
    return 201;
  } catch (error) {
    if (error instanceof ApiStatusError) return error.code;
    throw error;
  }
}

const allowed = async ({ client }: Stage, name = "web"): Promise<number | undefined> =>
  (await client.get(poddisruptionbudgets, { namespace: "default", name })).status?.disruptionsAllowed;
const isGoing = async ({ client }: Stage): Promise<boolean> => {
  const found = await client.find(pods, at);
  return found === undefined || found.metadata.deletionTimestamp !== undefined;
};

test("a healthy pod whose status moves after its budget was asked goes, and costs one disruption (k/k#142201)", () =>
  play(async (stage) => {
    await budget(stage, "web", "web", 1);
    await pod(stage, true);
    stage.between = () =>
      stage.client.patch(pods, at, { metadata: { annotations: { seen: "yes" } } }, { type: "merge" });
    assert.equal(await evict(stage), 201);
    assert.equal(await allowed(stage), 0);
    assert.equal(await isGoing(stage), true);
  }));

test("a pod that another budget protects by then stays (k/k#142201)", () =>
  play(async (stage) => {
    await budget(stage, "web", "web", 1);
    await budget(stage, "strict", "strict", 0);
    await pod(stage, true);
    stage.between = () => stage.client.patch(pods, at, { metadata: { labels: { app: "strict" } } }, { type: "merge" });
    assert.equal(await evict(stage), 429);
    assert.equal(await isGoing(stage), false);
  }));

test("a pod that has not started may go whatever its budget says, but not once it is ready", () =>
  play(async (stage) => {
    await budget(stage, "web", "web", 0);
    await pendingPod(stage);
    stage.after = "pods";
    stage.between = () => ready(stage, true);
    assert.equal(await evict(stage), 429);
    assert.equal(await isGoing(stage), false);
    await stage.client.delete(pods, at, { gracePeriodSeconds: 0 });
    await pendingPod(stage);
    stage.between = () =>
      stage.client.patch(pods, at, { metadata: { annotations: { seen: "yes" } } }, { type: "merge" });
    assert.equal(await evict(stage), 201);
    assert.equal(await isGoing(stage), true);
  }));

test("a pod of the same name that came meanwhile is not the one that was judged", () =>
  play(async (stage) => {
    await budget(stage, "web", "web", 1);
    await pod(stage, true);
    stage.between = async () => {
      await stage.client.delete(pods, at, { gracePeriodSeconds: 0 });
      const spec = { nodeName: "n1", containers: [{ name: "main", image: "web:1" }] };
      await stage.client.create(pods, at, { metadata: { name: "web", labels: { app: "other" } }, spec } as never);
    };
    assert.equal(await evict(stage), 409);
    assert.equal(await isGoing(stage), false);
  }));

test("a status that was counted before a disruption was granted cannot be written after it (k/k#82149)", () =>
  play(async (stage) => {
    await budget(stage, "web", "web", 1);
    await pod(stage, true);
    const counted = await stage.client.get(poddisruptionbudgets, at);
    assert.equal(await evict(stage), 201);
    const { uid, resourceVersion, name, namespace } = counted.metadata;
    const stale = { ...counted, metadata: { uid, resourceVersion, name, namespace } };
    const path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web/status";
    await assert.rejects(
      stage.client.request("PUT", path, stale),
      (error) => error instanceof ApiStatusError && error.code === 409,
    );
    assert.equal(await allowed(stage), 0);
  }));
