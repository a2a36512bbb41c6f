// An evaluation that gives others their turn comes to the same as one that does not, at the same cost.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson } from "./json.ts";
import { kubernetesEnvironment } from "./kubernetes.ts";
import { evaluationCostMax, weighedPartsMax } from "./limits.ts";
import { compileExpression, type Program, type Result } from "./program.ts";
import { dyn } from "./types.ts";

const environment = kubernetesEnvironment.with([{ name: "x", type: dyn }]);
const data = {
  list: Array.from({ length: 250 }, (_, i) => i),
  map: Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`k${i}`, i])),
};

function compiled(text: string): Program {
  const made = compileExpression(environment, text);
  assert.ok(made.ok, made.ok ? "" : `${text}: ${made.message}`);
  return made.program;
}

/** The result, and how often others had their turn. */
function inTurns(program: Program, costMax: number, isOver: () => boolean, given: unknown = data): [Result, number] {
  const steps = program.inTurns([fromJson(given, dyn)], costMax, isOver);
  for (let turns = 0; ; turns += 1) {
    const step = steps.next();
    if (step.done === true) return [step.value, turns];
  }
}

const texts = [
  "x.list.all(a, x.list.all(b, a + b >= 0))",
  "x.list.exists(a, x.list.exists(b, a * b == 249 * 249))",
  "x.list.exists_one(a, x.list.all(b, a >= b))",
  "x.list.map(a, x.list.map(b, a * b).sum()).sum()",
  "x.list.map(a, a % 2 == 0, x.list.filter(b, b < a).size())",
  "x.map.all(k, x.map.exists(l, k == l))",
  "x.map.transformList(k, v, x.list.all(a, a >= 0) && v > 3, v).size()",
  "x.map.transformMap(k, v, x.list.map(a, a + v).sum()).size()",
  "x.map.transformMapEntry(k, v, {v: x.list.exists(a, a == v)}).size()",
  "x.list.all(i, a, x.list.exists(j, b, i == j && a == b))",
  "cel.bind(s, x.list.map(a, x.list.filter(b, b > a).size()), s.map(n, x.list.all(c, c < n + 250)).size())",
  "optional.of(x.list).optMap(l, l.all(a, l.all(b, a + b >= 0))).orValue(false)",
  // Loops beside one another, before and behind the one that is interrupted.
  "x.list.all(a, x.list.exists(b, b == a) && x.list.exists(c, c == 249 - a) && x.list.filter(d, d < a).size() == a)",
  // Failures that are caught, thrown on, and those of the last element.
  "x.list.all(a, x.list.exists(b, 1 / (b - a) == 5) || true)",
  "x.list.all(a, x.list.all(b, 1 / (a + b - 498) <= 1))",
  "x.list.map(a, x.list.map(b, 1 / (a + b - 333)))",
  "(x.list.map(a, x.list.map(b, 1 / (a + b - 333))).size() > 0) || x.list.all(a, x.list.all(b, a + b >= 0))",
];

for (const text of texts) {
  test(`in turns: ${text}`, () => {
    const program = compiled(text);
    const whole = program.evaluate([fromJson(data, dyn)], 10_000_000);
    const [result, turns] = inTurns(program, 10_000_000, () => true);
    assert.deepEqual(result, whole);
    assert.ok(turns > 0, `${turns} turns for a cost of ${whole.cost}`);
    // Now and then, and never.
    let looks = 0;
    assert.deepEqual(inTurns(program, 10_000_000, () => (looks += 1) % 3 === 0)[0], whole);
    assert.deepEqual(
      inTurns(program, 10_000_000, () => false),
      [whole, 0],
    );
  });
}

/** Made anew each time: its weight is remembered. Each map has four times as many parts as are weighed at once. */
const large = (): unknown => {
  const entries = Array.from({ length: 2 * weighedPartsMax }, (_, i) => [`k${i}`, [i]] as const);
  const map = (): unknown => Object.fromEntries(entries);
  return { one: map(), other: map(), changed: Object.fromEntries([...entries.slice(1), ["k0", []]]), list: [1, 2] };
};

for (const text of [
  "x.one == x.other",
  "[x.one, 1] != [x.changed, 1.0]",
  "x.list.all(a, x.list.exists(b, a == b) && x.one == x.other)",
  "x.one in [x.changed, x.other]",
  "sets.contains([x.changed, x.other], [x.one])",
]) {
  test(`to weigh much takes turns: ${text}`, () => {
    const program = compiled(text);
    const whole = program.evaluate([fromJson(large(), dyn)], 10_000_000);
    assert.ok(whole.ok && whole.value === true, whole.ok ? "false" : whole.message);
    const [result, turns] = inTurns(program, 10_000_000, () => true, large());
    assert.deepEqual(result, whole);
    // Three within each of two maps at least.
    assert.ok(turns >= 6, `${turns} turns`);
    assert.deepEqual(
      inTurns(program, 10_000_000, () => false, large()),
      [whole, 0],
    );
  });
}

test("what a comparison would cost beyond the budget ends it before it begins, in turns too", () => {
  const program = compiled("x.one == x.other");
  const whole = program.evaluate([fromJson(large(), dyn)]);
  assert.ok(!whole.ok && whole.isOverBudget);
  assert.deepEqual(inTurns(program, evaluationCostMax, () => true, large())[0], whole);
});

test("turns do not lengthen a budget", () => {
  const program = compiled("x.list.all(a, x.list.all(b, x.list.all(c, a + b + c >= 0)))");
  const whole = program.evaluate([fromJson(data, dyn)]);
  const [result, turns] = inTurns(program, 1_000_000, () => true);
  assert.deepEqual(result, whole);
  assert.ok(!result.ok && result.isOverBudget);
  assert.ok(turns > 20, `${turns} turns`);
});
