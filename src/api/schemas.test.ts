import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { decode } from "#codec/decode.ts";
import { parseJson, stringifyJson } from "#codec/json.ts";
import { decodeProtobuf, decodeWatchFrames, encodeProtobuf, encodeWatchFrame } from "#codec/protobuf.ts";
import { typeTable } from "./generated/type-table.ts";
import { hasSchema, schemaOf } from "./schemas.ts";

const facts = join(import.meta.dirname, "../../../shared/k8s-1.36/fixtures");
const skip = existsSync(facts) ? false : "the published facts are not beside the project";

/** `apps.v1.Deployment` → `apps/v1.Deployment`, or the machinery's type of that name. */
function schemaOfFixture(file: string) {
  const [, group = "", version = "", kind = ""] = /^(.*)\.(v[^.]+)\.([A-Za-z]+)\.json$/.exec(file) ?? [];
  const short = group.replace(/\.(?:apiserver\.|authorization\.)?k8s\.io$/, "");
  const name = `${short}/${version}.${kind}`;
  return schemaOf(hasSchema(name) ? name : `meta/${version}.${kind}`);
}

function decodeText(schema: ReturnType<typeof schemaOf>, text: string, defaults = true) {
  const parsed = parseJson(new TextEncoder().encode(text));
  assert.ok(parsed.ok);
  return decode(schema, parsed.value, { defaults });
}

for (const file of skip === false
  ? readdirSync(facts).filter((name) => name.endsWith(".json"))
  : ["fixtures.v1.All.json"]) {
  test(`${file}: JSON and protobuf are the same object, byte for byte`, { skip }, () => {
    const schema = schemaOfFixture(file);
    const text = JSON.stringify(JSON.parse(readFileSync(join(facts, file), "utf8")));
    const body = new Uint8Array(readFileSync(join(facts, file.replace(/json$/, "pb"))));

    const fromJson = decodeText(schema, text, false);
    assert.deepEqual([fromJson.errors, fromJson.unknownFields], [[], []]);
    assert.equal(stringifyJson(fromJson.object), text);
    assert.deepEqual(encodeProtobuf(fromJson.object, schema), body);

    const fromProtobuf = decodeProtobuf(body, () => schema);
    assert.ok(fromProtobuf.ok);
    assert.equal(stringifyJson(decode(schema, fromProtobuf.object, { defaults: false }).object), text);
  });
}

test("decoding again changes nothing, whatever is left out, and protobuf carries it all", { skip }, () => {
  for (const file of readdirSync(facts).filter((name) => name.endsWith(".json"))) {
    const schema = schemaOfFixture(file);
    const whole = JSON.parse(readFileSync(join(facts, file), "utf8")) as unknown;
    for (let seed = 1; seed <= 20; seed += 1) {
      const { object, errors } = decodeText(schema, JSON.stringify(thinned(whole, { state: seed * 7919 })));
      assert.deepEqual(errors, []);
      const text = stringifyJson(object);
      assert.equal(stringifyJson(decodeText(schema, text).object), text, `${file}, seed ${seed}`);
      const body = decodeProtobuf(encodeProtobuf(object, schema), () => schema);
      assert.ok(body.ok);
      const typed = schema.byName.has("kind")
        ? { ...body.object, ...pick(object, ["kind", "apiVersion"]) }
        : body.object;
      assert.equal(stringifyJson(decode(schema, typed, { defaults: true }).object), text, `${file}, seed ${seed}`);
    }
  }
});

/** The value with some of its members left out; the seed decides which. */
function thinned(value: unknown, random: { state: number }): unknown {
  if (Array.isArray(value)) return value.map((item) => thinned(item, random));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(() => {
    random.state = (random.state * 48271) % 2147483647;
    return random.state % 4 !== 0;
  });
  return Object.fromEntries(kept.map(([key, inner]) => [key, thinned(inner, random)]));
}

function pick(object: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

test("every type of the facts can be read", () => {
  for (const name of Object.keys(typeTable)) {
    if (!name.startsWith("runtime.") && !name.startsWith("apiextensions/v1.JSONSchemaPropsOr")) {
      assert.equal(schemaOf(name).byName.size, schemaOf(name).fields.length);
    }
  }
  assert.throws(() => schemaOf("core/v1.Nothing"), /Cannot find type core\/v1.Nothing/);
});

function check(type: string, input: unknown, expected: unknown): void {
  const { object, unknownFields, errors } = decodeText(schemaOf(type), JSON.stringify(input));
  assert.deepEqual([unknownFields, errors], [[], []]);
  assert.equal(stringifyJson(object), JSON.stringify(expected));
}

test("objects take Go's canonical form", () => {
  check(
    "core/v1.Service",
    {
      spec: { ports: [{ port: 80, nodePort: 0, name: "", appProtocol: "" }], selector: {} },
      metadata: { creationTimestamp: null },
    },
    {
      metadata: {},
      spec: { ports: [{ protocol: "TCP", appProtocol: "", port: 80, targetPort: 0 }] },
      status: { loadBalancer: {} },
    },
  );
  check(
    "core/v1.ResourceRequirements",
    { limits: { memory: "1024Mi", cpu: 0.5 }, requests: null },
    { limits: { cpu: "500m", memory: "1Gi" } },
  );
  check(
    "core/v1.PodCondition",
    { type: "Ready", status: "True", lastTransitionTime: "2024-01-01T01:00:00.5+01:00" },
    { type: "Ready", status: "True", lastProbeTime: null, lastTransitionTime: "2024-01-01T00:00:00Z" },
  );
});

test("defaults apply to zeros of values and to absent pointers, never inside an absent struct", () => {
  check("core/v1.ContainerPort", { containerPort: 80, protocol: "" }, { containerPort: 80, protocol: "TCP" });
  check("core/v1.GRPCAction", { port: 1 }, { port: 1, service: "" });
  check(
    "core/v1.RBDVolumeSource",
    { monitors: ["a"], image: "i", user: "u" },
    {
      monitors: ["a"],
      image: "i",
      pool: "rbd",
      user: "u",
      keyring: "/etc/ceph/keyring",
    },
  );
  check("core/v1.VolumeSource", {}, {});
});

test("schemas of custom resources contain themselves", () => {
  check(
    "apiextensions/v1.JSONSchemaProps",
    { type: "object", properties: { a: { items: { type: "string" } }, b: { additionalProperties: true } } },
    { type: "object", properties: { a: { items: { type: "string" } }, b: { additionalProperties: true } } },
  );
});

test("a CustomResourceDefinition survives protobuf with all its unions, numbers and free JSON", () => {
  const schema = schemaOf("apiextensions/v1.CustomResourceDefinition");
  const properties = {
    size: { type: "integer", minimum: 0.5, maximum: 9.5, default: 3, enum: [1, "a", null, { x: [true] }] },
    names: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
    free: { additionalProperties: true, "x-kubernetes-preserve-unknown-fields": true },
    none: { additionalProperties: false },
    nested: { additionalProperties: { type: "string" }, dependencies: { a: ["b", "c"], d: { type: "object" } } },
    rule: { type: "string", "x-kubernetes-validations": [{ rule: "self != ''", message: "empty" }] },
    pair: { items: [{ type: "string" }, { type: "integer" }] },
  };
  const version = {
    name: "v1",
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: "object", properties } },
  };
  const spec = {
    group: "example.com",
    names: { plural: "things", kind: "Thing" },
    scope: "Namespaced",
    versions: [{ ...version, subresources: { status: {} } }],
  };
  const kind = { kind: "CustomResourceDefinition", apiVersion: "apiextensions.k8s.io/v1" };
  const given = JSON.stringify({ ...kind, metadata: { name: "things.example.com" }, spec });
  const { object, errors, unknownFields } = decodeText(schema, given);
  assert.deepEqual([errors, unknownFields], [[], []]);
  const body = decodeProtobuf(encodeProtobuf(object, schema), () => schema);
  assert.ok(body.ok);
  assert.equal(stringifyJson(decode(schema, body.object, { defaults: true }).object), stringifyJson(object));
});

test("unknown fields are named by path and dropped", () => {
  const text =
    '{"spec":{"containers":[{"name":"a","imag":"x"}],"foo":{}},"bar":1,"metadata":{"labels":{"any":"thing"}}}';
  const { object, unknownFields } = decodeText(schemaOf("core/v1.Pod"), text);
  assert.deepEqual(unknownFields, ["spec.containers[0].imag", "spec.foo", "bar"]);
  assert.equal("bar" in object, false);
});

test("wrong types are worded as Go words them", () => {
  const message = (type: string, text: string) => decodeText(schemaOf(type), text).errors[0]?.message;
  assert.equal(
    message("apps/v1.Deployment", '{"spec":{"replicas":"x"}}'),
    "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
  );
  assert.equal(
    message("core/v1.Pod", '{"spec":{"containers":[{"env":[{"value":5}]}]}}'),
    "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
  );
  assert.equal(
    message("core/v1.Pod", '{"metadata":{"labels":{"a":true}}}'),
    "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
  );
  assert.equal(
    message("core/v1.Pod", '{"spec":{"priority":1.5}}'),
    "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
  );
  assert.equal(
    message("core/v1.Pod", '{"spec":[]}'),
    "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec",
  );
  assert.equal(
    message("core/v1.ResourceQuota", '{"spec":{"hard":{"cpu":"1mm"}}}'),
    "unable to parse quantity's suffix",
  );
});

test("hostile protobuf is refused, not followed", () => {
  const schema = schemaOf("apiextensions/v1.JSONSchemaProps");
  const body = (...bytes: number[]) => decodeProtobuf(Uint8Array.from([0x6b, 0x38, 0x73, 0, ...bytes]), () => schema);
  const refused = (...bytes: number[]) => {
    const result = body(...bytes);
    return result.ok ? "accepted" : result.message;
  };
  assert.equal(refused(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f), "unexpected EOF");
  assert.equal(refused(0x12, 2, 0xfb, 0x07), "proto: illegal wireType 3");
  assert.equal(refused(0x12, 2, 0x08, 1), "proto: wrong wireType = 0 for field 1");
  let nested = new Uint8Array();
  // `not` is field 28; 2,000 levels of it.
  for (let i = 0; i < 2_000; i += 1) nested = Uint8Array.from([0xe2, 0x01, ...varint(nested.length), ...nested]);
  assert.equal(refused(0x12, ...varint(nested.length), ...nested), "proto: exceeded max depth");
  assert.equal(decodeProtobuf(new TextEncoder().encode("{}"), () => schema).ok, false);
});

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}

test("watch frames are told apart wherever the bytes are cut", () => {
  const schema = schemaOf("core/v1.ConfigMap");
  const body = encodeProtobuf({ apiVersion: "v1", kind: "ConfigMap", metadata: {}, data: { a: "b" } }, schema);
  const stream = Uint8Array.from([...encodeWatchFrame("ADDED", body), ...encodeWatchFrame("DELETED", body)]);
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const first = decodeWatchFrames(stream.subarray(0, cut));
    const second = decodeWatchFrames(Uint8Array.from([...first.rest, ...stream.subarray(cut)]));
    const events = [...first.events, ...second.events];
    assert.deepEqual(
      events.map((event) => event.type),
      ["ADDED", "DELETED"],
    );
    assert.deepEqual(events[1]?.body, body);
  }
});
