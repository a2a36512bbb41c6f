import assert from "node:assert/strict";
import { arrayAt, nameOf, pick, unique, type Conformance, type Json, type Scene } from "./cluster.ts";
import { definition, type DefinitionOptions } from "./workloads.ts";
import { eventually } from "../eventually.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

interface Defined {
  readonly group: string;
  readonly plural: string;
  readonly name: string;
  readonly kind: string;
  /** Path of the collection in the scene's namespace. */
  collection(version?: string): string;
  object(name: string, content?: Json, version?: string): Json;
}

/** A definition that is established, and goes with the test. */
export async function define(scene: Scene, options: DefinitionOptions = {}, plural = "widgets"): Promise<Defined> {
  const { api, cleanUp } = scene;
  const group = `test-${unique()}.example.com`;
  const name = `${plural}.${group}`;
  await api.create(definitions, definition(plural, group, options));
  cleanUp(() => api.request("DELETE", `${definitions}/${name}`));
  await established(scene, name);
  const kind = plural.charAt(0).toUpperCase() + plural.slice(1, -1);
  const collection = (version = "v1"): string => scene.at(`${group}/${version}`, plural);
  await eventually(
    "the new resource to be served",
    async () => (await api.request("GET", collection())).status === 200,
  );
  return {
    group,
    plural,
    name,
    kind,
    collection,
    object: (objectName, content = {}, version = "v1") => ({
      apiVersion: `${group}/${version}`,
      kind,
      metadata: { name: objectName },
      ...content,
    }),
  };
}

async function established({ api }: Scene, name: string): Promise<void> {
  await eventually(`${name} to be established`, async () => {
    const conditions = arrayAt(await api.get(`${definitions}/${name}`), "status.conditions");
    return conditions.some(({ type, status }) => type === "Established" && status === "True");
  });
}

function objectSchema(properties: Json, extra: Json = {}): Json {
  return { type: "object", properties, ...extra };
}

function version(
  name: string,
  extra: Json = {},
  schema: Json = objectSchema({}, { "x-kubernetes-preserve-unknown-fields": true }),
): Json {
  return { name, served: true, storage: false, schema: { openAPIV3Schema: schema }, ...extra };
}

async function createAndDelete(scene: Scene): Promise<void> {
  const { api } = scene;
  const { name } = await define(scene);
  await api.expect("DELETE", `${definitions}/${name}`);
  await eventually(
    "the definition to go",
    async () => (await api.request("GET", `${definitions}/${name}`)).status === 404,
  );
}

async function definitionStatus(scene: Scene): Promise<void> {
  const { api } = scene;
  const { name } = await define(scene);
  const path = `${definitions}/${name}/status`;
  const condition = (message: string): Json => ({ type: "StatusUpdate", status: "True", reason: "E2E", message });
  const current = await api.get(path);
  const conditions = [...arrayAt(current, "status.conditions"), condition("set")];
  await api.expect("PUT", path, { ...current, status: { ...(current.status as Json), conditions } });
  const patched = await api.patch(path, {
    metadata: { labels: { ours: "yes" } },
    status: { conditions: [condition("patched")] },
  });
  assert.deepEqual(
    arrayAt(patched, "status.conditions").map(({ message }) => message),
    ["patched"],
  );
  const seen = arrayAt(await api.get(`${definitions}/${name}`), "status.conditions");
  assert.ok(seen.some(({ type, message }) => type === "StatusUpdate" && message === "patched"));
}

async function defaulting(scene: Scene): Promise<void> {
  const { api } = scene;
  const schema = objectSchema({ a: { type: "string", default: "A" }, b: { type: "string" } });
  const custom = await define(scene, { schema });
  const made = await api.create(custom.collection(), custom.object("defaulted"));
  assert.deepEqual([made.a, made.b], ["A", undefined]);
  const changed = objectSchema({ a: { type: "string" }, b: { type: "string", default: "B" } });
  await api.patch(
    `${definitions}/${custom.name}`,
    [{ op: "replace", path: "/spec/versions/0/schema/openAPIV3Schema", value: changed }],
    "json",
  );
  const read = await eventually("the new default on reading", async () => {
    const found = await api.get(`${custom.collection()}/defaulted`);
    return found.b === "B" && found;
  });
  assert.equal(read.a, "A", "what was stored stays");
  const [listed] = arrayAt(await api.get(custom.collection()));
  assert.equal(listed?.b, "B");
  const watch = await api.watch(custom.collection());
  const event = await watch.next("the synthetic event", ({ type }) => type === "ADDED");
  watch.close();
  assert.equal(event.object.b, "B");
  const second = await api.create(custom.collection(), custom.object("second"));
  assert.deepEqual([second.a, second.b], [undefined, "B"]);
}

async function fieldSelectors(scene: Scene): Promise<void> {
  const { api } = scene;
  const schema = objectSchema({ host: { type: "string" }, port: { type: "string" } });
  const versions = [
    version("v1", { storage: true, selectableFields: [{ jsonPath: ".host" }] }, schema),
    version("v2", { selectableFields: [{ jsonPath: ".host" }, { jsonPath: ".port" }] }, schema),
  ];
  const custom = await define(scene, { versions });
  const watch = await api.watch(`${custom.collection("v2")}?fieldSelector=host%3Dhost1%2Cport%3D80`);
  for (const [name, host, port] of [
    ["one", "host1", "80"],
    ["two", "host1", "8080"],
    ["three", "host2", "80"],
  ] as const)
    await api.create(custom.collection("v1"), custom.object(name, { host, port }));
  const names = async (versionName: string, selector: string): Promise<string[]> =>
    arrayAt(await api.get(`${custom.collection(versionName)}?fieldSelector=${encodeURIComponent(selector)}`)).map(
      nameOf,
    );
  assert.deepEqual(await names("v1", "host=host1"), ["one", "two"]);
  assert.deepEqual(await names("v2", "host=host1,port=80"), ["one"]);
  assert.deepEqual(await names("v2", "host!=host1"), ["three"]);
  assert.equal((await api.request("GET", `${custom.collection("v1")}?fieldSelector=port%3D80`)).status, 400);
  assert.equal(nameOf((await watch.next("the object that matches", ({ type }) => type === "ADDED")).object), "one");
  await api.patch(`${custom.collection("v2")}/one`, { host: "host2" });
  assert.equal(nameOf((await watch.next("its leaving", ({ type }) => type === "DELETED")).object), "one");
  watch.close();
}

async function discovered(scene: Scene): Promise<void> {
  const { api } = scene;
  const custom = await define(scene);
  for (const form of ["v2", "v2beta1"]) {
    const accept = `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`;
    const answer = await api.request("GET", "/apis", undefined, { headers: { accept } });
    const group = arrayAt(answer.body).find((item) => nameOf(item) === custom.group);
    assert.equal(pick(group, "versions.0.resources.0.resource"), custom.plural);
  }
}

/** The names of the definitions in OpenAPI v2 that belong to the group. */
async function published({ api }: Scene, group: string): Promise<string[]> {
  const document = await api.get("/openapi/v2");
  const prefix = `${group.split(".").reverse().join(".")}.`;
  return Object.keys(document.definitions as Json).filter((name) => name.startsWith(prefix));
}

async function publishedOf(
  scene: Scene,
  custom: Defined,
  wanted: (names: string[]) => boolean,
  what: string,
): Promise<void> {
  await eventually(what, async () =>
    wanted((await published(scene, custom.group)).map((name) => name.split(".").slice(-2).join("."))),
  );
}

const twoVersions = (): Json[] => [
  version("v1", { storage: true }, objectSchema({ spec: { type: "string" } })),
  version("v2", {}, objectSchema({ spec: { type: "string" } })),
];

async function unserved(scene: Scene): Promise<void> {
  const { api } = scene;
  const custom = await define(scene, { versions: twoVersions() });
  await publishedOf(
    scene,
    custom,
    (names) => names.includes("v1.Widget") && names.includes("v2.Widget"),
    "both versions to be published",
  );
  await api.patch(
    `${definitions}/${custom.name}`,
    [{ op: "replace", path: "/spec/versions/1/served", value: false }],
    "json",
  );
  await publishedOf(scene, custom, (names) => names.includes("v1.Widget") && !names.includes("v2.Widget"), "v2 to go");
}

async function renamed(scene: Scene): Promise<void> {
  const { api } = scene;
  const custom = await define(scene, { versions: twoVersions() });
  await publishedOf(scene, custom, (names) => names.includes("v2.Widget"), "v2 to be published");
  await api.patch(
    `${definitions}/${custom.name}`,
    [{ op: "replace", path: "/spec/versions/1/name", value: "v4" }],
    "json",
  );
  await publishedOf(
    scene,
    custom,
    (names) => names.includes("v4.Widget") && !names.includes("v2.Widget") && names.includes("v1.Widget"),
    "v4 in its place",
  );
}

async function embedded(scene: Scene): Promise<void> {
  const { cluster } = scene;
  const spec = {
    type: "object",
    description: "Specification of a widget",
    "x-kubernetes-embedded-resource": true,
    "x-kubernetes-preserve-unknown-fields": true,
    properties: { kind: { type: "string" }, apiVersion: { type: "string" }, metadata: { type: "object" } },
  };
  const custom = await define(scene, { schema: objectSchema({ spec }) });
  await publishedOf(scene, custom, (names) => names.includes("v1.Widget"), "it to be published");
  const object = custom.object("unknown", { spec: { kind: "Other", apiVersion: "example.com/v1", b: [{ c: "d" }] } });
  const created = cluster.tryKubectl(["create", "-n", scene.namespace, "-f", "-"], { input: JSON.stringify(object) });
  assert.equal(created.code, 0, created.stderr);
  const explained = await eventually("explain to know the field", async () => {
    const { code, stdout } = cluster.tryKubectl(["explain", `${custom.plural}.${custom.group}.spec`]);
    return code === 0 && stdout;
  });
  assert.match(explained, /Specification of a widget/);
}

async function severalGroups(scene: Scene): Promise<void> {
  const [first, second] = [await define(scene), await define(scene, {}, "gadgets")];
  await publishedOf(scene, first, (names) => names.includes("v1.Widget"), "the first");
  await publishedOf(scene, second, (names) => names.includes("v1.Gadget"), "the second");
}

const typed = (): Json =>
  objectSchema({
    spec: objectSchema({
      cronSpec: { type: "string", pattern: "^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$" },
      ports: {
        type: "array",
        "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
        "x-kubernetes-list-type": "map",
        items: objectSchema(
          { containerPort: { type: "integer" }, protocol: { type: "string" } },
          { required: ["containerPort", "protocol"] },
        ),
      },
    }),
  });

const ports = [{ containerPort: 8080, protocol: "TCP" }];

async function validCustom(scene: Scene): Promise<void> {
  const { api } = scene;
  const custom = await define(scene, { schema: typed() });
  const object = (name: string): Json => custom.object(name, { spec: { cronSpec: "* * * * */5", ports } });
  await api.create(`${custom.collection()}?fieldValidation=Strict`, object("created"));
  const path = `${custom.collection()}/applied?fieldManager=test&fieldValidation=Strict`;
  const headers = { "content-type": "application/apply-patch+yaml" };
  await api.expect("PATCH", path, object("applied"), { headers });
  const wrong = await api.request("PATCH", path, custom.object("applied", { spec: { cronSpec: "wrong", ports } }), {
    headers,
  });
  assert.equal(wrong.status, 422);
}

async function duplicates(scene: Scene): Promise<void> {
  const { api } = scene;
  const custom = await define(scene, {
    schema: objectSchema({ spec: { type: "object", "x-kubernetes-preserve-unknown-fields": true } }),
  });
  const head = `{"apiVersion":"${custom.group}/v1","kind":"Widget","metadata":{"name":"twice"},`;
  const body = `${head}"spec":{"unknown":1,"knownField":1,"knownField":2}}`;
  const refused = await api.request("POST", `${custom.collection()}?fieldValidation=Strict`, body);
  assert.equal(refused.status, 400);
  assert.match(String(refused.body.message), /duplicate field "spec.knownField"/);
  const spec = "spec:\n  unknown: 1\n  knownField: 1\n  knownField: 2\n";
  const yaml = `apiVersion: ${custom.group}/v1\nkind: Widget\nmetadata:\n  name: twice\n${spec}`;
  const applied = await api.request(
    "PATCH",
    `${custom.collection()}/twice?fieldManager=test&fieldValidation=Strict`,
    yaml,
    {
      headers: { "content-type": "application/apply-patch+yaml" },
    },
  );
  assert.equal(applied.status, 400);
  assert.match(String(applied.body.message), /knownField.*already (set|defined)|duplicate field/);
}

async function unknownMetadata(scene: Scene): Promise<void> {
  const { api } = scene;
  const template = {
    type: "object",
    "x-kubernetes-embedded-resource": true,
    "x-kubernetes-preserve-unknown-fields": true,
    properties: { metadata: { type: "object", properties: { name: { type: "string" } } } },
  };
  const custom = await define(scene, { schema: objectSchema({ spec: objectSchema({ template }) }) });
  const inner = { apiVersion: "v1", kind: "Pod", metadata: { name: "inner", unknownSubMeta: "x" } };
  const object = {
    ...custom.object("odd", { spec: { template: inner } }),
    metadata: { name: "odd", unknownMeta: "y" },
  };
  const refused = await api.request("POST", `${custom.collection()}?fieldValidation=Strict`, object);
  assert.equal(refused.status, 400);
  const message = String(refused.body.message);
  assert.match(message, /unknown field "metadata.unknownMeta"/);
  assert.match(message, /unknown field "spec.template.metadata.unknownSubMeta"/);
}

const prefix = "CustomResourceDefinition resources [Privileged:ClusterAdmin]";
const selectorDemand = "CustomResourceFieldSelectors MUST list and watch custom resources matching the field selector";
const openApi = "CustomResourcePublishOpenAPI [Privileged:ClusterAdmin]";

export const customResources: Readonly<Record<string, Conformance>> = {
  "AggregatedDiscovery should support raw aggregated discovery request for CRDs": discovered,
  [`${prefix} Simple CustomResourceDefinition creating/deleting custom resource definition objects works`]:
    createAndDelete,
  [`${prefix} Simple CustomResourceDefinition getting/updating/patching custom resource definition status sub-resource works`]:
    definitionStatus,
  [`${prefix} custom resource defaulting for requests and from storage works`]: defaulting,
  [`CustomResourceFieldSelectors [Privileged:ClusterAdmin] ${selectorDemand}`]: fieldSelectors,
  [`${openApi} removes definition from spec when one version gets changed to not be served`]: unserved,
  [`${openApi} updates the published spec when one version gets renamed`]: renamed,
  [`${openApi} works for CRD preserving unknown fields in an embedded object`]: embedded,
  [`${openApi} works for multiple CRDs of different groups`]: severalGroups,
  "FieldValidation should create/apply a valid CR for CRD with validation schema": validCustom,
  "FieldValidation should detect duplicates in a CR when preserving unknown fields": duplicates,
  "FieldValidation should detect unknown metadata fields in both the root and embedded object of a CR": unknownMetadata,
};
