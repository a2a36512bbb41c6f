import { runSeed } from "#sim/run-seed.ts";
import { simulationMachine } from "../sim-machine.ts";

export async function run(args: readonly string[]): Promise<number> {
  const seed = args[0] ?? "1";
  const started = performance.now();
  const result = await runSeed({ seed, machine: simulationMachine(), tell: (line) => process.stdout.write(`${line}\n`) });
  process.stdout.write(`${JSON.stringify({ ...result, story: undefined, recent: undefined }, undefined, 1)} ${performance.now() - started} ms\n`);
  return 0;
}
