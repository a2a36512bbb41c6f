import assert from "node:assert/strict";
import { arrayAt, nameOf, type Conformance, type Json, type Scene } from "./cluster.ts";
import { define } from "./custom-resources.ts";
import { serveWebhooks } from "./webhook-server.ts";
import { eventually } from "../eventually.ts";

/** v1 has `hostPort`, v2 has `host` and `port`. */
function convert(request: Json): Json {
  const wanted = String(request.desiredAPIVersion);
  const convertedObjects = arrayAt(request, "objects").map((object) => {
    const { host, port, hostPort, ...rest } = object;
    if (wanted.endsWith("/v1"))
      return { ...rest, apiVersion: wanted, hostPort: hostPort ?? `${String(host)}:${String(port)}` };
    const [toHost, toPort] = String(hostPort).split(":");
    return { ...rest, apiVersion: wanted, host: host ?? toHost, port: port ?? toPort };
  });
  return { convertedObjects };
}

async function defineConverted(scene: Scene): ReturnType<typeof define> {
  const server = await serveWebhooks(scene, { "/convert": convert });
  const version = (name: string, storage: boolean, fields: readonly string[]): Json => ({
    name,
    storage,
    served: true,
    schema: {
      openAPIV3Schema: {
        type: "object",
        properties: Object.fromEntries(fields.map((field) => [field, { type: "string" }])),
      },
    },
  });
  const clientConfig = server.at("/convert");
  return await define(scene, {
    versions: [version("v1", true, ["hostPort"]), version("v2", false, ["host", "port"])],
    extra: { conversion: { strategy: "Webhook", webhook: { clientConfig, conversionReviewVersions: ["v1"] } } },
  });
}

async function oneObject(scene: Scene): Promise<void> {
  const { api } = scene;
  const custom = await defineConverted(scene);
  await api.create(custom.collection("v1"), custom.object("moving", { hostPort: "localhost:8080" }));
  const read = await api.get(`${custom.collection("v2")}/moving`);
  assert.deepEqual(
    [read.apiVersion, read.host, read.port, read.hostPort],
    [`${custom.group}/v2`, "localhost", "8080", undefined],
  );
}

async function mixedList(scene: Scene): Promise<void> {
  const { api } = scene;
  const custom = await defineConverted(scene);
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${custom.name}`;
  await api.create(custom.collection("v1"), custom.object("first", { hostPort: "localhost:8080" }));
  await api.patch(
    path,
    [
      { op: "replace", path: "/spec/versions/0/storage", value: false },
      { op: "replace", path: "/spec/versions/1/storage", value: true },
    ],
    "json",
  );
  await eventually("v2 to be stored", async () => {
    const versions = arrayAt(await api.get(path), "status.storedVersions") as unknown[];
    return versions.includes("v2");
  });
  await api.create(custom.collection("v1"), custom.object("second", { hostPort: "localhost:9090" }));
  const listed = async (version: string): Promise<Json[]> => arrayAt(await api.get(custom.collection(version)));
  const first = await listed("v1");
  assert.deepEqual(
    first.map((item) => [nameOf(item), item.apiVersion, item.hostPort]),
    [
      ["first", `${custom.group}/v1`, "localhost:8080"],
      ["second", `${custom.group}/v1`, "localhost:9090"],
    ],
  );
  const second = await listed("v2");
  assert.deepEqual(
    second.map((item) => [nameOf(item), item.apiVersion, item.host, item.port]),
    [
      ["first", `${custom.group}/v2`, "localhost", "8080"],
      ["second", `${custom.group}/v2`, "localhost", "9090"],
    ],
  );
}

const prefix = "CustomResourceConversionWebhook [Privileged:ClusterAdmin]";

export const conversion: Readonly<Record<string, Conformance>> = {
  [`${prefix} should be able to convert a non homogeneous list of CRs`]: mixedList,
  [`${prefix} should be able to convert from CR v1 to CR v2`]: oneObject,
};
