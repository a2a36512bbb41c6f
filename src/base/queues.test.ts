import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap } from "./heap.ts";
import { Ring } from "./ring.ts";

test("a ring gives items back in the order they came", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat()), { maxLength: 200 }), (script) => {
      const ring = new Ring<number>(2);
      const model: number[] = [];
      for (const step of script) {
        if (step === null) assert.equal(ring.shift(), model.shift());
        else {
          ring.push(step);
          model.push(step);
        }
        assert.equal(ring.length, model.length);
        for (let i = -1; i <= model.length; i += 1) assert.equal(ring.at(i), model[i]);
      }
    }),
  );
});

test("a heap gives items back in order", () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (items) => {
      const heap = new Heap<number>((a, b) => a < b);
      for (const item of items) heap.push(item);
      const out: number[] = [];
      while (heap.length > 0) out.push(heap.pop()!);
      assert.deepEqual(
        out,
        items.toSorted((a, b) => a - b),
      );
    }),
  );
});
