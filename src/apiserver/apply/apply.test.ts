import assert from "node:assert/strict";
import { test } from "node:test";
import { schemaOf } from "#api/schemas.ts";
import { decode } from "#codec/decode.ts";
import { parseJsonText, stringifyJson } from "#codec/json.ts";
import type { FieldSchema, Schema, StructSchema } from "#codec/schema.ts";
import { applyObject } from "./apply.ts";
import { entriesToStartFrom, type ManagedFieldsEntry } from "./entries.ts";
import { updateManagedFields } from "./update.ts";

const deployment = schemaOf("apps/v1.Deployment");
const service = schemaOf("core/v1.Service");
const noon = Date.UTC(2024, 0, 1, 12);

/** Sets values by dotted path; undefined removes. */
function setAt(object: Record<string, unknown>, values: Readonly<Record<string, unknown>>): void {
  for (const [path, value] of Object.entries(values)) {
    const names = path.split(".");
    const last = names.pop() ?? "";
    let parent = object;
    for (const name of names) parent = (parent[name] ??= {}) as Record<string, unknown>;
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  }
}

function plain(value: unknown): unknown {
  const parsed = parseJsonText(JSON.stringify(value));
  assert.ok(parsed.ok);
  return parsed.value;
}

/** One object and those who write it, as the server would let them. */
class Story {
  object: Record<string, unknown> | undefined;
  private readonly schema: StructSchema;
  private readonly apiVersion: string;
  private minutes = 0;

  constructor(schema: StructSchema, apiVersion: string) {
    this.schema = schema;
    this.apiVersion = apiVersion;
  }

  private get time(): number {
    this.minutes += 1;
    return noon + this.minutes * 60_000;
  }

  get entries(): ManagedFieldsEntry[] {
    const metadata = this.object?.["metadata"] as { managedFields?: ManagedFieldsEntry[] } | undefined;
    return metadata?.managedFields ?? [];
  }

  apply(manager: string, configuration: object, force = false): string {
    const applied = decode(this.schema, plain(configuration), { defaults: false, sparse: true }).object;
    const { schema, apiVersion, time } = this;
    const result = applyObject({
      schema,
      live: this.object,
      applied,
      manager,
      force,
      subresource: "",
      apiVersion,
      time,
    });
    if (!result.ok) return result.message;
    this.object = decode(schema, result.object, { defaults: true }).object;
    return result.changed ? "changed" : "unchanged";
  }

  update(manager: string, values: Readonly<Record<string, unknown>>, subresource = ""): void {
    const { schema, apiVersion } = this;
    const next = plain(this.object ?? {}) as Record<string, unknown>;
    setAt(next, values);
    const after = decode(schema, next, { defaults: true }).object;
    const managed = this.object === undefined ? undefined : this.entries;
    const { time } = this;
    const entries = updateManagedFields({
      schema,
      before: this.object,
      after,
      managed,
      manager,
      operation: "Update",
      apiVersion,
      subresource,
      time,
    });
    (after["metadata"] as Record<string, unknown>)["managedFields"] = entries;
    this.object = after;
  }

  owned(manager: string, operation = "Apply"): string | undefined {
    const entry = this.entries.find((one) => one.manager === manager && one.operation === operation);
    return entry === undefined ? undefined : stringifyJson(entry.fieldsV1);
  }
}

const web = (spec: object, metadata: object = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", ...metadata },
  spec,
});
const container = (fields: object) => ({ template: { spec: { containers: [{ name: "app", ...fields }] } } });

test("an applier owns what it gives, by list keys, and nothing else", () => {
  const story = new Story(service, "v1");
  story.apply("ci", {
    metadata: { name: "web", labels: { app: "web" }, creationTimestamp: null },
    spec: { ports: [{ port: 80, targetPort: 8080 }], selector: { app: "web" } },
  });
  assert.equal(
    story.owned("ci"),
    '{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:ports":{"k:{\\"port\\":80,\\"protocol\\":\\"TCP\\"}":' +
      '{".":{},"f:port":{},"f:targetPort":{}}},"f:selector":{}}}',
  );
  assert.deepEqual(Object.keys(story.entries[0] ?? {}), [
    "manager",
    "operation",
    "apiVersion",
    "time",
    "fieldsType",
    "fieldsV1",
  ]);
});

test("a creation by update owns everything that was set, in the form that clients know", () => {
  const story = new Story(deployment, "apps/v1");
  story.update(
    "kubectl-create",
    web(
      {
        replicas: 1,
        selector: { matchLabels: { app: "web" } },
        ...container({ image: "a", ports: [{ containerPort: 80 }] }),
      },
      { labels: { app: "web" } },
    ),
  );
  assert.equal(
    story.owned("kubectl-create", "Update"),
    '{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:spec":{"f:containers":' +
      '{"k:{\\"name\\":\\"app\\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{".":{},' +
      '"k:{\\"containerPort\\":80,\\"protocol\\":\\"TCP\\"}":' +
      '{".":{},"f:containerPort":{},"f:protocol":{}}},"f:resources":{}}}}}}}',
  );
});

test("another's field is a conflict, unless forced or of the same value", () => {
  const story = new Story(deployment, "apps/v1");
  story.apply("a", web({ replicas: 3 }));
  assert.equal(story.apply("b", web({ replicas: 3, paused: true })), "changed");
  assert.equal(
    story.apply("b", web({ replicas: 4, paused: true })),
    'Apply failed with 1 conflict: conflict with "a": .spec.replicas',
  );
  story.update("kubectl", { "spec.minReadySeconds": 5 });
  assert.equal(
    story.apply("b", web({ replicas: 4, minReadySeconds: 6, paused: true })),
    'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.replicas\n' +
      'conflicts with "kubectl" using apps/v1 at 2024-01-01T12:04:00Z:\n- .spec.minReadySeconds',
  );
  assert.equal(story.apply("b", web({ replicas: 4, minReadySeconds: 6, paused: true }), true), "changed");
  assert.equal(story.owned("a"), undefined);
  assert.equal(story.owned("kubectl", "Update"), undefined);
});

test("conflicts inside lists name the item", () => {
  const story = new Story(deployment, "apps/v1");
  story.apply("a", web(container({ image: "one" })));
  assert.equal(
    story.apply("b", web(container({ image: "two" }))),
    'Apply failed with 1 conflict: conflict with "a": .spec.template.spec.containers[name="app"].image',
  );
});

test("what is applied no more is removed, unless somebody else owns it", () => {
  const story = new Story(deployment, "apps/v1");
  story.apply("a", web({ replicas: 3, paused: true }, { labels: { x: "1", y: "2" }, finalizers: ["f/a", "f/b"] }));
  story.apply("b", web({ paused: true }, { labels: { y: "2" } }));
  story.apply("a", web({ replicas: 3 }, { labels: {}, finalizers: ["f/b"] }));
  assert.equal(
    stringifyJson({
      ...story.object,
      metadata: { ...(story.object?.["metadata"] as object), managedFields: undefined },
    }),
    JSON.stringify({
      kind: "Deployment",
      apiVersion: "apps/v1",
      metadata: { name: "web", labels: { y: "2" }, finalizers: ["f/b"] },
      spec: { replicas: 3, template: { metadata: {}, spec: { containers: [] } }, strategy: {}, paused: true },
      status: {},
    }),
  );
});

test("a list item goes with what defaults put into it; items of others stay in their place", () => {
  const story = new Story(deployment, "apps/v1");
  const containers = (...names: string[]) =>
    web({ template: { spec: { containers: names.map((name) => ({ name, image: name })) } } });
  story.apply("a", containers("one", "two", "three"));
  story.apply("mesh", containers("sidecar"));
  story.apply("a", containers("three", "one"));
  const spec = story.object?.["spec"] as { template: { spec: { containers: { name: string }[] } } };
  assert.deepEqual(
    spec.template.spec.containers.map((one) => one.name),
    ["three", "one", "sidecar"],
  );
});

test("applying the same again changes nothing, not even the time", () => {
  const story = new Story(deployment, "apps/v1");
  story.apply("a", web({ replicas: 3, ...container({ image: "a", resources: { limits: { cpu: "0.5" } } }) }));
  const before = stringifyJson(story.object);
  assert.equal(
    story.apply("a", web({ replicas: 3, ...container({ image: "a", resources: { limits: { cpu: "0.5" } } }) })),
    "unchanged",
  );
  assert.equal(stringifyJson(story.object), before);
});

test("an update takes fields over and gives removed ones up; without a change nothing is touched", () => {
  const story = new Story(deployment, "apps/v1");
  story.apply("a", web({ replicas: 3 }, { labels: { x: "1" } }));
  story.update("hpa", { "spec.replicas": 5 }, "scale");
  assert.equal(story.owned("a"), '{"f:metadata":{"f:labels":{"f:x":{}}}}');
  assert.equal(story.owned("hpa", "Update"), '{"f:spec":{"f:replicas":{}}}');
  story.update("hpa", { "metadata.labels.x": undefined }, "scale");
  assert.equal(story.owned("a"), undefined);
  const { entries } = story;
  story.update("nobody", {});
  assert.equal(story.entries, entries);
});

test("status belongs to whoever writes /status, spec does not", () => {
  const story = new Story(deployment, "apps/v1");
  story.update("c", web({ replicas: 1 }));
  story.update(
    "controller",
    {
      status: { replicas: 1, conditions: [{ type: "Available", status: "True" }] },
      "spec.replicas": 9,
    },
    "status",
  );
  assert.equal(
    story.owned("controller", "Update"),
    '{"f:status":{"f:conditions":{".":{},"k:{\\"type\\":\\"Available\\"}":{".":{},' +
      '"f:lastTransitionTime":{},"f:lastUpdateTime":{},"f:status":{},"f:type":{}}},"f:replicas":{}}}',
  );
  assert.equal(story.entries.find((entry) => entry.manager === "controller")?.subresource, "status");
});

test("the oldest of more than ten updaters become one", () => {
  const story = new Story(deployment, "apps/v1");
  story.update("first", web({ replicas: 1 }));
  for (let i = 0; i < 14; i += 1) story.update(`writer-${i}`, { [`metadata.annotations.a${i}`]: "x" });
  assert.equal(story.entries.length, 10);
  assert.match(story.owned("ancient-changes", "Update") ?? "", /f:replicas.*/);
  assert.equal(story.owned("first", "Update"), undefined);
});

test("an object without entries was set before the first apply", () => {
  const story = new Story(deployment, "apps/v1");
  story.object = decode(deployment, plain(web({ replicas: 1 })), { defaults: true }).object;
  story.update("kubectl", { "spec.replicas": 2 });
  assert.deepEqual(story.entries, []);
  assert.match(
    story.apply("a", web({ replicas: 3 })),
    /conflict with "before-first-apply" using apps\/v1.*: .spec.replicas/,
  );
});

test("kubectl takes over from its own client-side apply", () => {
  const story = new Story(deployment, "apps/v1");
  const last = JSON.stringify(web({ replicas: 1 }));
  story.update(
    "kubectl-client-side-apply",
    web({ replicas: 1 }, { annotations: { "kubectl.kubernetes.io/last-applied-configuration": last } }),
  );
  assert.equal(story.apply("kubectl", web({ replicas: 2 })), "changed");
  assert.match(stringifyJson(story.object), /last-applied-configuration":"\S*replicas\\":2/);
});

test("configurations that cannot be applied are refused", () => {
  const story = new Story(deployment, "apps/v1");
  assert.match(
    story.apply("a", web({ template: { spec: { containers: [{ image: "x" }] } } })),
    /omits key field "name"/,
  );
  const twice = { template: { spec: { containers: [{ name: "x" }, { name: "x" }] } } };
  assert.match(
    story.apply("a", web(twice)),
    /\.spec\.template\.spec\.containers: duplicate entries for key \[name="x"\]/,
  );
  assert.equal(story.apply("a", web({}, { managedFields: [] })), "metadata.managedFields must be nil");
});

test("a client's own entries count, a single empty one forgets all owners, none leave the stored ones", () => {
  const stored = [{ manager: "a", operation: "Update" }];
  const own = [{ manager: "b", operation: "Apply" }];
  assert.equal(entriesToStartFrom(own, stored), own);
  assert.equal(entriesToStartFrom([{}], stored), undefined);
  assert.equal(entriesToStartFrom(undefined, stored), stored);
  assert.equal(entriesToStartFrom([], stored), stored);
});

test("custom resources: typed, listed by key, and unknown parts all have owners", () => {
  const string = { node: "scalar", type: "string" } as const;
  const field = (name: string, schema: Schema) => ({
    name,
    schema,
    pointer: true,
    omitEmpty: true,
    omitZero: false,
    required: false,
    number: 0,
  });
  const struct = (fields: FieldSchema[], preserveUnknown = false): StructSchema => ({
    node: "struct",
    name: "",
    fields,
    byName: new Map(fields.map((one) => [one.name, one])),
    preserveUnknown,
  });
  const spec = struct(
    [
      field("items", {
        node: "list",
        listType: "map",
        listMapKeys: ["id"],
        element: struct([field("id", string), field("size", string)]),
      }),
      field("tags", { node: "list", listType: "set", element: string }),
    ],
    true,
  );
  const schema = struct([
    field("metadata", schemaOf("meta/v1.ObjectMeta")),
    field("spec", spec),
    field("status", struct([], true)),
  ]);
  const story = new Story(schema, "example.com/v1");
  story.apply("a", {
    spec: { items: [{ id: "1", size: "s" }], tags: ["x"], free: { deep: [1] } },
    metadata: { name: "n" },
  });
  assert.equal(
    story.owned("a"),
    '{"f:spec":{"f:free":{".":{},"f:deep":{}},"f:items":' +
      '{"k:{\\"id\\":\\"1\\"}":{".":{},"f:id":{},"f:size":{}}},"f:tags":{"v:\\"x\\"":{}}}}',
  );
  assert.match(story.apply("b", { spec: { free: { deep: [2] } } }), /conflict with "a": .spec.free.deep$/);
  story.apply("b", { spec: { items: [{ id: "2" }], tags: ["y"] } });
  story.apply("a", { spec: { tags: ["z"] } });
  assert.equal(stringifyJson(story.object?.["spec"]), '{"items":[{"id":"2"}],"tags":["y","z"]}');
});
