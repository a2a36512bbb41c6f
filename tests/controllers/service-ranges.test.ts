/** Ranges of Services' addresses, and who has which address: against a running cluster. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { condition, gone, objectAt } from "../conformance/apps-objects.ts";
import { pick, startSuite, type Json } from "../conformance/cluster.ts";
import { eventually } from "../eventually.ts";

const suite = startSuite();
after(() => suite.stop());

const networking = "/apis/networking.k8s.io/v1";
const service = (name: string, spec: Json = {}): Json => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name },
  spec: { ports: [{ port: 80 }], ...spec },
});

test("each address says which Service has it, and is free with it", () =>
  suite.play(async (scene) => {
    const { api, core, namespace, cluster } = scene;
    const made = await api.create(core("services"), service("web"));
    const address = String(pick(made, "spec.clusterIP"));
    const path = `${networking}/ipaddresses/${address}`;
    await eventually("it is written down", async () => (await api.request("GET", path)).status === 200);
    const parentRef = { resource: "services", namespace, name: "web" };
    assert.deepEqual(pick(await api.get(path), "spec.parentRef"), parentRef);
    assert.match(cluster.kubectl("get", "ipaddresses"), new RegExp(`${address} +services/${namespace}/web`));
    // Somebody takes it away: it is true all the same.
    await api.expect("DELETE", path);
    await eventually("it is written down again", async () => (await api.request("GET", path)).status === 200);
    await api.expect("DELETE", core("services", "web"));
    await gone(scene, path);
  }));

test("another range gives addresses, and stays while Services have some of it", () =>
  suite.play(async (scene) => {
    const { api, core, namespace, cluster } = scene;
    const range = `${networking}/servicecidrs/${namespace}`;
    const create = (): Promise<{ readonly status: number }> =>
      api.request("POST", core("services"), service("far", { clusterIP: "10.231.7.9" }));
    assert.equal((await create()).status, 422, "no range has it");
    await api.create(`${networking}/servicecidrs`, {
      apiVersion: "networking.k8s.io/v1",
      kind: "ServiceCIDR",
      metadata: { name: namespace },
      spec: { cidrs: ["10.231.7.0/24"] },
    });
    await objectAt(scene, "the range is ready", range, (object) => condition(object, "Ready")?.status === "True");
    assert.equal((await create()).status, 201);
    const address = `${networking}/ipaddresses/10.231.7.9`;
    await eventually("it is written down", async () => (await api.request("GET", address)).status === 200);
    await api.expect("DELETE", range);
    await objectAt(scene, "the range waits", range, (object) => condition(object, "Ready")?.reason === "Terminating");
    const why = cluster.steer("why", `servicecidr/${namespace}`);
    assert.match(why.stdout, /Its deletion waits for:\n +Services that have addresses of no other range/);
    const second = api.request("POST", core("services"), service("farther", { clusterIP: "10.231.7.10" }));
    assert.equal((await second).status, 422, "a range that is to go gives none");
    await api.expect("DELETE", core("services", "far"));
    await gone(scene, range);
  }));
