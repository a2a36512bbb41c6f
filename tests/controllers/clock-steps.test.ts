/** The clock of the server's machine is set back while it runs: who is hindered says so, nothing comes twice, others go on. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cronjobs, deployments, events, jobs } from "#api/generated/resources.ts";
import { realWorld } from "#world/node/real-world.ts";
import { startCluster, type RunningCluster } from "./running-cluster.ts";

const namespace = "default";
let steppedMs = 0;
let cluster: RunningCluster;
before(async () => {
  const { clock } = realWorld;
  cluster = await startCluster({ now: () => clock.now() + steppedMs, monotonic: () => clock.monotonic() });
});
after(() => cluster.stop());

test("a CronJob whose last start lies ahead says so, and starts nothing twice", async () => {
  const { client } = cluster;
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "tick:1" }] } };
  await client.create(cronjobs, { namespace }, {
    metadata: { name: "tick" },
    spec: { schedule: "@every 1s", jobTemplate: { spec: { template } } },
  } as never);
  const names = async (): Promise<string[]> =>
    (await client.list(jobs, { namespace })).items.map(({ metadata }) => metadata.name ?? "").sort();
  await cluster.until("its first Job", async () => (await names()).length > 0);
  steppedMs = -3_600_000;
  // Something about it changes, as it does all the time: it is looked at.
  await client.patch(
    cronjobs,
    { namespace, name: "tick" },
    { metadata: { labels: { seen: "yes" } } },
    { type: "merge" },
  );
  const told = await cluster.until("it is told", async () =>
    (await client.list(events, { namespace })).items.find(({ reason }) => reason === "ClockSetBack"),
  );
  assert.match(told.message ?? "", /the clock has been set back, and no Job starts before that time has come again/);
  const before = await names();
  const spec = {
    replicas: 2,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "web:1" }] } },
  };
  await client.create(deployments, { namespace }, { metadata: { name: "web" }, spec } as never);
  await cluster.until(
    "others go on",
    async () => (await client.get(deployments, { namespace, name: "web" })).status.availableReplicas === 2,
  );
  assert.deepEqual(await names(), before);
  assert.deepEqual(cluster.problems, []);
});
