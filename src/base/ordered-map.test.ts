import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OrderedMap } from "./ordered-map.ts";

type Step = { readonly do: "set" | "delete" | "snapshot"; readonly key: number };

const steps = fc.array(
  fc.record({
    do: fc.constantFrom("set", "set", "set", "delete", "delete", "snapshot"),
    key: fc.nat(400),
  }) as fc.Arbitrary<Step>,
  { maxLength: 3_000, minLength: 0, size: "max" },
);

function nameOf(key: number): string {
  return key === 0 ? "" : `k${(key * 7919) % 401}`;
}

function contentOf(model: ReadonlyMap<string, number>): [string, number][] {
  return [...model].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

test("an ordered map behaves like a sorted table, and its snapshots never change", () => {
  fc.assert(
    fc.property(steps, fc.nat(401), fc.nat(401), (script, from, to) => {
      const editor = OrderedMap.empty<[string, number]>().edit();
      const model = new Map<string, number>();
      const snapshots: { map: OrderedMap<[string, number]>; expected: [string, number][] }[] = [];
      for (const [index, step] of script.entries()) {
        const key = nameOf(step.key);
        if (step.do === "set") {
          assert.equal(editor.set(key, [key, index])?.[1], model.get(key));
          model.set(key, index);
        } else if (step.do === "delete") {
          assert.equal(editor.delete(key)?.[1], model.get(key));
          model.delete(key);
        } else if (snapshots.length < 5) {
          snapshots.push({ map: editor.snapshot(), expected: contentOf(model) });
        }
      }
      snapshots.push({ map: editor.snapshot(), expected: contentOf(model) });
      const [start, end] = [nameOf(from), nameOf(to)];
      for (const { map, expected } of snapshots) {
        assert.equal(map.size, expected.length);
        assert.deepEqual([...map.range("", "\uffff")], expected);
        const part = expected.filter(([key]) => key >= start && key < end);
        assert.deepEqual([...map.range(start, end)], part);
        assert.equal(map.count(start, end), part.length);
        for (const [key, value] of expected) assert.equal(map.get(key)?.[1], value);
        assert.equal(map.get("absent"), undefined);
      }
    }),
    { numRuns: 150 },
  );
});

test("a hundred thousand keys in order, then all deleted", () => {
  const editor = OrderedMap.empty<number>().edit();
  const key = (i: number): string => `/registry/pods/default/${String(i).padStart(6, "0")}`;
  for (let i = 0; i < 100_000; i += 1) editor.set(key(i), i);
  const full = editor.snapshot();
  assert.equal(full.count(key(10), key(60_010)), 60_000);
  for (let i = 0; i < 100_000; i += 1) assert.equal(editor.delete(key((i * 77_773) % 100_000)), (i * 77_773) % 100_000);
  assert.equal(editor.size, 0);
  assert.equal(full.size, 100_000);
  assert.equal(full.get(key(99_999)), 99_999);
});
