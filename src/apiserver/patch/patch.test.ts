import assert from "node:assert/strict";
import { test } from "node:test";
import { schemaOf } from "#api/schemas.ts";
import { parseJsonText, stringifyJson } from "#codec/json.ts";
import { applyJsonPatch } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";
import type { PatchResult } from "./result.ts";
import { applyStrategicMergePatch } from "./strategic-merge.ts";

function plain(value: unknown): Record<string, unknown> {
  const parsed = parseJsonText(JSON.stringify(value));
  assert.ok(parsed.ok);
  return parsed.value as Record<string, unknown>;
}

function shown(result: PatchResult): string {
  if (result.ok) return stringifyJson(result.value);
  return `${result.code} ${result.message}`;
}

function checkJson(document: unknown, operations: unknown, expected: unknown): void {
  const before = plain(document);
  const result = shown(applyJsonPatch(before, plain(operations)));
  assert.equal(result, typeof expected === "string" ? expected : JSON.stringify(expected));
  assert.equal(stringifyJson(before), JSON.stringify(document), "the document itself stays");
}

test("a JSON Patch adds, removes, replaces, moves, copies and tests", () => {
  checkJson({ a: 1 }, [{ op: "add", path: "/b", value: [1] }], { a: 1, b: [1] });
  checkJson({ a: [1, 3] }, [{ op: "add", path: "/a/1", value: 2 }], { a: [1, 2, 3] });
  checkJson({ a: [1] }, [{ op: "add", path: "/a/-", value: 2 }], { a: [1, 2] });
  checkJson(
    { a: { "x/y": 1, "x~y": 2 } },
    [
      { op: "remove", path: "/a/x~1y" },
      { op: "remove", path: "/a/x~0y" },
    ],
    { a: {} },
  );
  checkJson({ a: [1, 2] }, [{ op: "replace", path: "/a/0", value: 9 }], { a: [9, 2] });
  checkJson({ a: { b: 1 } }, [{ op: "move", from: "/a/b", path: "/c" }], { a: {}, c: 1 });
  checkJson(
    { a: [{ x: 1 }] },
    [
      { op: "copy", from: "/a/0", path: "/a/-" },
      { op: "add", path: "/a/1/x", value: 2 },
    ],
    {
      a: [{ x: 1 }, { x: 2 }],
    },
  );
  checkJson({ a: { x: 1, y: 2 } }, [{ op: "test", path: "/a", value: { y: 2, x: 1 } }], { a: { x: 1, y: 2 } });
  checkJson({ a: 1 }, [{ op: "test", path: "/b", value: null }], { a: 1 });
  checkJson({ ["__proto__"]: 1 }, [{ op: "add", path: "/__proto__", value: 2 }], '{"__proto__":2}');
});

test("a JSON Patch that does not apply says so", () => {
  checkJson({ a: 1 }, [{ op: "test", path: "/a", value: 2 }], "422 testing value /a failed: test failed");
  checkJson(
    {},
    [{ op: "remove", path: "/a" }],
    "422 error in remove for path: '/a': unable to remove nonexistent key: a: missing value",
  );
  checkJson(
    {},
    [{ op: "replace", path: "/a", value: 1 }],
    "422 replace operation does not apply: doc is missing key: /a: missing value",
  );
  checkJson(
    {},
    [{ op: "add", path: "/a/b", value: 1 }],
    '422 add operation does not apply: doc is missing path: "/a/b": missing value',
  );
  checkJson(
    { a: [] },
    [{ op: "add", path: "/a/1", value: 1 }],
    ["422 error in add for path: '/a/1': Unable to access invalid index: 1: invalid index referenced"][0],
  );
  checkJson({}, { op: "add" }, "400 json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  checkJson({}, [{ op: "grow", path: "/a" }], "422 Unexpected kind: grow");
});

test("hostile JSON Patches are refused at once", () => {
  const doubling = Array.from({ length: 60 }, () => ({ op: "copy", from: "/a", path: "/a/-" }));
  // Processor time of this thread: how busy the machine is does not matter.
  const before = process.threadCpuUsage();
  const result = applyJsonPatch(plain({ a: ["x".repeat(100)] }), doubling);
  assert.match(shown(result), /^413 Unable to complete the copy, the accumulated size increase/);
  assert.ok(process.threadCpuUsage(before).user < 1_000_000);
  const many = Array.from({ length: 10_001 }, () => ({ op: "test", path: "/a", value: 1 }));
  checkJson({ a: 1 }, many, "413 The allowed maximum operations in a JSON patch is 10000, got 10001");
});

test("a merge patch merges objects, replaces the rest, and null removes", () => {
  const check = (document: unknown, patch: unknown, expected: unknown) => {
    assert.equal(shown(applyMergePatch(plain(document), plain(patch))), JSON.stringify(expected));
  };
  check(
    { a: 1, b: { c: 2, d: 3 } },
    { b: { c: null, e: { f: null, g: 1 } }, h: [null] },
    { a: 1, b: { d: 3, e: { g: 1 } }, h: [null] },
  );
  check({ a: [1, 2] }, { a: [3] }, { a: [3] });
  check({ a: 1 }, { a: { b: null } }, { a: {} });
  let deep: unknown = 1;
  for (let i = 0; i < 5_000; i += 1) deep = { a: deep };
  assert.equal(shown(applyMergePatch({}, deep)), "400 exceeded max depth");
  assert.equal(
    shown(applyMergePatch({}, [])),
    "400 json: cannot unmarshal array into Go value of type map[string]interface {}",
  );
});

const pod = schemaOf("core/v1.Pod");
function checkStrategic(document: unknown, patch: unknown, expected: unknown): void {
  const before = plain(document);
  const result = shown(applyStrategicMergePatch(pod, before, plain(patch)));
  assert.equal(result, typeof expected === "string" ? expected : JSON.stringify(expected));
  assert.equal(stringifyJson(before), JSON.stringify(document), "the document itself stays");
}
const spec = (containers: unknown, more: object = {}) => ({ spec: { containers, ...more } });

test("a strategic merge patch merges lists by key", () => {
  checkStrategic(
    spec([
      { name: "a", image: "1" },
      { name: "b", image: "2" },
    ]),
    spec([
      { name: "b", image: "3" },
      { name: "c", image: "4" },
    ]),
    spec([
      { name: "a", image: "1" },
      { name: "b", image: "3" },
      { name: "c", image: "4" },
    ]),
  );
  checkStrategic(
    spec([{ name: "a", args: ["1", "2"] }]),
    spec([{ name: "a", args: ["3"] }]),
    spec([{ name: "a", args: ["3"] }]),
  );
  checkStrategic(
    { spec: { tolerations: [{ key: "a" }] } },
    { spec: { tolerations: [{ key: "b" }] } },
    { spec: { tolerations: [{ key: "b" }] } },
  );
  checkStrategic(
    { metadata: { finalizers: ["a", "b"] } },
    { metadata: { finalizers: ["b", "c"] } },
    { metadata: { finalizers: ["a", "b", "c"] } },
  );
  checkStrategic(
    { metadata: { labels: { a: "1", b: "2" } } },
    { metadata: { labels: { a: null, c: "3" } } },
    { metadata: { labels: { b: "2", c: "3" } } },
  );
});

test("directives delete, replace, order and retain", () => {
  checkStrategic(spec([{ name: "a" }, { name: "b" }]), spec([{ name: "a", $patch: "delete" }]), spec([{ name: "b" }]));
  checkStrategic(
    spec([{ name: "a" }, { name: "b" }]),
    spec([{ $patch: "replace" }, { name: "c" }]),
    spec([{ name: "c" }]),
  );
  checkStrategic(
    { metadata: { labels: { a: "1" } } },
    { metadata: { labels: { $patch: "replace", b: "2" } } },
    { metadata: { labels: { b: "2" } } },
  );
  checkStrategic(
    { metadata: { finalizers: ["a", "b", "c"] } },
    { metadata: { "$deleteFromPrimitiveList/finalizers": ["b"], "$setElementOrder/finalizers": ["c", "a"] } },
    { metadata: { finalizers: ["c", "a"] } },
  );
  checkStrategic(
    spec([{ name: "a" }, { name: "server" }, { name: "b" }]),
    {
      spec: {
        "$setElementOrder/containers": [{ name: "b" }, { name: "new" }, { name: "a" }],
        containers: [{ name: "new" }],
      },
    },
    spec([{ name: "server" }, { name: "b" }, { name: "new" }, { name: "a" }]),
  );
  checkStrategic(
    { spec: { volumes: [{ name: "v", emptyDir: {} }] } },
    { spec: { volumes: [{ name: "v", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] } },
    { spec: { volumes: [{ name: "v", hostPath: { path: "/x" } }] } },
  );
});

test("strategic merge patches that make no sense are refused", () => {
  checkStrategic(
    spec([{ name: "a" }]),
    spec([{ image: "x" }]),
    '400 map: {"image":"x"} does not contain declared merge key: name',
  );
  checkStrategic({}, { metadata: { $patch: "explode" } }, '400 Unknown value: "explode" for $patch');
  checkStrategic({}, { spec: { $retainKeys: ["a"], hostname: "x" } }, "400 invalid patch format of retainKeys");
});
