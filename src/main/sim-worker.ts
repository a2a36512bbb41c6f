/** Plays seeds that its parent sends, one after another, and answers each with its result. */
import { playNamed } from "#sim/crash-sweep.ts";
import { simulationMachine } from "./sim-machine.ts";

const machine = simulationMachine();

process.on("message", (seed: string) => {
  const started = performance.now();
  void playNamed(seed, { machine }).then((result) =>
    process.send?.({ ...result, tookMs: performance.now() - started }),
  );
});
process.on("disconnect", () => process.exit(0));
