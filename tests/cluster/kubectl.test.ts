/**
 * Everyday work with the unmodified kubectl, the newest and the four versions before it, against a cluster with simulated nodes:
 * every step prints what its users know.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { ClientVersion } from "#main/client-binaries.ts";
import { everyday, type Step } from "./everyday.ts";
import { startSimulatedCluster, type Output, type TestCluster } from "./harness.ts";
import { eventually } from "../eventually.ts";

const cluster = startSimulatedCluster(3);
after(() => cluster.remove());

for (const version of ["1.36", "1.35", "1.34", "1.33", "1.32"] as const) {
  test(`everyday work with kubectl ${version}`, async (context) => {
    const namespace = `everyday-${version.replace(".", "-")}`;
    for (const step of everyday) {
      const shown = `kubectl ${step.run.replaceAll("{n}", namespace)}`;
      await context.test(shown, () => play(cluster, step, namespace, version));
    }
  });
}

async function play(on: TestCluster, step: Step, namespace: string, version: ClientVersion): Promise<void> {
  // An underscore stands for a space inside an argument.
  const args = step.run
    .replaceAll("{n}", namespace)
    .split(" ")
    .map((word) => (word.includes("schedule") ? word.replaceAll("_", " ") : word));
  const once = (): Output =>
    on.tryKubectl(args, { version, ...(step.input === undefined ? {} : { input: step.input }) });
  const isRight = (output: Output): boolean => {
    const text = step.fails === true ? output.stdout + output.stderr : output.stdout;
    return (output.code !== 0) === (step.fails === true) && (step.prints === undefined || step.prints.test(text));
  };
  if (step.until === true) {
    await eventually(args.join(" "), () => isRight(once()));
    return;
  }
  const output = once();
  assert.ok(
    isRight(output),
    `code ${output.code}, printed:\n${output.stdout}${output.stderr}\nexpected: ${step.prints}`,
  );
}
