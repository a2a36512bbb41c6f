import { test } from "node:test";
import assert from "node:assert/strict";
import type { Result } from "#cel/program.ts";
import { bool } from "#cel/types.ts";
import { PolicyEvaluation, PolicyExpressions } from "./compile.ts";
import { policyVariables } from "./environment.ts";
import { policyCostMax } from "./limits.ts";
import { Turn, type Steps } from "../../turns.ts";

/** A clock on which each look at it takes `msPerLook`. */
function slowClock(msPerLook: number): { monotonic(): number } {
  let now = 0;
  return { monotonic: () => (now += msPerLook) };
}

/** Evaluates in a policy with these variables: what came of it, and how often others had their turn. */
function evaluate(variables: readonly string[], expression: string, msPerLook: number): [Result, number] {
  const named = variables.map((text, index) => ({ name: `v${index}`, expression: text }));
  const expressions = new PolicyExpressions(named, { isMutating: false });
  const clock = slowClock(msPerLook);
  const budget = { left: policyCostMax, clock };
  const evaluation = new PolicyEvaluation(expressions, inputs, budget, new Turn(clock));
  const steps: Steps<Result> = evaluation.run(expressions.compile(expression, [bool]));
  for (let turns = 0; ; turns += 1) {
    const step = steps.next();
    if (step.done === true) return [step.value, turns];
  }
}

const inputs = policyVariables().map(() => null);

const hundred = Array.from({ length: 100 }, (_, index) => index);
const all = hundred.map((index) => `variables.v${index}`).join(" && ");

test("an expression whose time its variables have used up goes on in further turns", () => {
  const trues = hundred.map(() => "[1, 2, 3].exists(n, n == 2)");
  const [result, turns] = evaluate(trues, all, 10);
  assert.deepEqual([result.ok, result.ok && result.value], [true, true]);
  assert.ok(10 <= turns, `${turns} turns`);
});

test("variables that read one another are prepared one at a time", () => {
  const chain = hundred.map((index) => (index === 0 ? "1" : `variables.v${index - 1} + 1`));
  const [result, turns] = evaluate(chain, "variables.v99 == 100", 10);
  assert.deepEqual([result.ok, result.ok && result.value], [true, true]);
  assert.ok(10 <= turns, `${turns} turns`);
});

test("a variable that fails is told by the expression that reads it, whenever it was prepared", () => {
  const broken = hundred.map((index) => (index === 99 ? "1 / 0 == 1" : "true"));
  const [result] = evaluate(broken, all, 10);
  assert.match(result.ok ? "" : result.message, /composited variable "v99" fails to evaluate: division by zero/);
  const [unread] = evaluate(broken, `${all.replace(/ && variables.v99$/, "")} || variables.v99`, 10);
  assert.equal(unread.ok && unread.value, true);
});

test("a variable that costs too much by itself fails, in turns, and does not run again and again", () => {
  const numbers = `[${hundred.join(", ")}]`;
  const long = `${numbers}.all(a, ${numbers}.all(b, ${numbers}.all(c, a + b + c >= 0)))`;
  const [result, turns] = evaluate([long], "variables.v0", 10);
  assert.match(result.ok ? "" : result.message, /running out of cost budget/);
  // A budget of a million has a look at the time each 20,000 units.
  assert.ok(10 <= turns && turns <= 60, `${turns} turns`);
});

test("what is quick takes no turns", () => {
  const [result, turns] = evaluate(["1 + 1"], "variables.v0 == 2", 0);
  assert.deepEqual([result.ok, turns], [true, 0]);
});
