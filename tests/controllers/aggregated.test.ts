/** Objects that another API server keeps own and are owned, and go with their namespace; while it is down nothing is guessed. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { condition, never } from "../conformance/apps-objects.ts";
import { arrayAt, nameOf, pick, startSuite, unique, type Json, type Scene } from "../conformance/cluster.ts";
import { serveFlunders, type FlunderServer } from "./flunder-server.ts";
import { eventually } from "../eventually.ts";

const suite = startSuite();
after(() => suite.stop());

/** Waits until the cluster has noticed whether the server answers. */
async function availableIs({ api, core }: Scene, { group }: FlunderServer, status: "True" | "False"): Promise<void> {
  // A change of its Service is looked at, so that nobody waits for the next look.
  await api.patch(core("services", "flunders"), { metadata: { labels: { look: unique() } } });
  await eventually(`the APIService is available: ${status}`, async () => {
    const found = await api.get(`/apis/apiregistration.k8s.io/v1/apiservices/v1.${group}`);
    return condition(found, "Available")?.status === status;
  });
}

function ownedBy(owner: Json): Json {
  const { apiVersion, kind } = owner;
  return { ownerReferences: [{ apiVersion, kind, name: nameOf(owner), uid: pick(owner, "metadata.uid") }] };
}

function exists({ api }: Scene, path: string): Promise<boolean> {
  return api.request("GET", path).then(({ status }) => status === 200);
}

test("owners and dependents are collected across servers, and nothing because an owner's API is silent", () =>
  suite.play(async (scene) => {
    const { api, at, core } = scene;
    const server = await serveFlunders(scene);
    await availableIs(scene, server, "True");
    const flunder = (name: string, metadata: Json = {}): Promise<Json> =>
      api.create(at(server.apiVersion, "flunders"), { metadata: { name, ...metadata } });
    const map = async (name: string, metadata: Json = {}): Promise<Json> => ({
      ...(await api.create(core("configmaps"), { metadata: { name, ...metadata } })),
      ...{ apiVersion: "v1", kind: "ConfigMap" },
    });
    const gone = (name: string): Promise<unknown> =>
      eventually(`${name} goes`, async () => !(await exists(scene, core("configmaps", name))));

    await flunder("child", ownedBy(await map("parent")));
    await api.expect("DELETE", core("configmaps", "parent"));
    await eventually("the child goes where it is kept", () => Promise.resolve(server.names().length === 0));
    await map("clerk", ownedBy(await flunder("boss")));
    await map("servant", ownedBy(await flunder("lord")));
    await api.expect("DELETE", at(server.apiVersion, "flunders", "boss"));
    await gone("clerk");
    assert.ok(server.seen.some((request) => /^GET .*\/flunders\?.*watch=true/.test(request)));

    const late = await flunder("late");
    server.down();
    await availableIs(scene, server, "False");
    await map("follower", ownedBy(late));
    await map("waiting", ownedBy({ ...late, metadata: { name: "ghost", uid: "nobody-knows" } }));
    await map("sprout", ownedBy(await map("root")));
    await api.expect("DELETE", core("configmaps", "root"));
    await gone("sprout");
    for (const name of ["servant", "follower", "waiting"])
      assert.ok(await exists(scene, core("configmaps", name)), name);

    await server.up();
    await availableIs(scene, server, "True");
    await gone("waiting");
    for (const name of ["servant", "follower"]) assert.ok(await exists(scene, core("configmaps", name)), name);
    await api.expect("DELETE", at(server.apiVersion, "flunders", "late"));
    await gone("follower");
  }));

test("a namespace goes with what other servers keep in it, and waits, saying so, for one that is silent", () =>
  suite.play(async (scene) => {
    const { api, cleanUp, cluster } = scene;
    const server = await serveFlunders(scene);
    await availableIs(scene, server, "True");
    const doomed = async (): Promise<string> => {
      const name = `doomed-${unique()}`;
      await api.create("/api/v1/namespaces", { metadata: { name } });
      cleanUp(() => api.request("DELETE", `/api/v1/namespaces/${name}`));
      await api.create(`/apis/${server.apiVersion}/namespaces/${name}/flunders`, { metadata: { name: "last" } });
      await api.create(`/api/v1/namespaces/${name}/configmaps`, { metadata: { name: "first" } });
      return name;
    };
    const goes = (name: string): Promise<unknown> =>
      eventually(`${name} goes`, async () => !(await exists(scene, `/api/v1/namespaces/${name}`)));
    const soon = await doomed();
    await api.expect("DELETE", `/api/v1/namespaces/${soon}`);
    await goes(soon);
    assert.deepEqual(server.names(), []);

    const later = await doomed();
    server.down();
    await availableIs(scene, server, "False");
    await api.expect("DELETE", `/api/v1/namespaces/${later}`);
    const said = await eventually("it says what it waits for", async () => {
      const found = condition(await api.get(`/api/v1/namespaces/${later}`), "NamespaceDeletionDiscoveryFailure");
      return found?.status === "True" && found;
    });
    assert.equal(said.reason, "DiscoveryFailed");
    assert.equal(
      said.message,
      "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: " +
        `${server.apiVersion}: stale GroupVersion discovery: ${server.apiVersion}`,
    );
    const why = cluster.steer("why", `namespace/${later}`);
    assert.match(why.stdout, /Its deletion waits for:\n +Discovery failed for some groups, 1 failing/);
    await eventually("what this server keeps goes", async () => {
      const left = await api.get(`/api/v1/namespaces/${later}/configmaps`);
      return arrayAt(left).length === 0;
    });
    await never("the namespace goes", async () => !(await exists(scene, `/api/v1/namespaces/${later}`)), 500);
    await server.up();
    await availableIs(scene, server, "True");
    await goes(later);
    assert.deepEqual(server.names(), []);
  }));
