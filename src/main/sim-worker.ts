/** Plays seeds that its parent sends, one after another, and answers each with its result. */
import { runSeed } from "#sim/run-seed.ts";
import { simulationMachine } from "./sim-machine.ts";

const machine = simulationMachine();

process.on("message", (seed: string) => {
  const started = performance.now();
  void runSeed({ seed, machine }).then((result) => process.send?.({ ...result, tookMs: performance.now() - started }));
});
process.on("disconnect", () => process.exit(0));
