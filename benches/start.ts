import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as running from "./cluster/running-cluster.ts";
import { report } from "./report.ts";
import { freePort } from "../tests/free-port.ts";

/**
 * How long the programs need to start, without containers and without root: a cluster with one simulated node that is stopped and
 * started again, and commands that do nothing. On a busy machine the processor time says more than the time on the clock.
 */
const { values: flags } = parseArgs({
  options: { folder: { type: "string", default: "/var/tmp" }, runs: { type: "string", default: "7" } },
});
const runs = Number(flags.runs);

/** Milliseconds that a command took, from its start to its end. */
function timed(command: string, ...args: string[]): number {
  const start = performance.now();
  spawnSync(command, args);
  return performance.now() - start;
}

function say(figure: string, values: readonly number[], more: { floor?: number; target?: number } = {}): void {
  const all = { bench: "start", unit: "ms" } as const;
  report({ ...all, figure: `${figure}, median`, value: running.medianOf(values), ...more });
  report({ ...all, figure: `${figure}, fastest`, value: Math.min(...values) });
}

const node: number[] = [];
const help: number[] = [];
const answered: number[] = [];
const used: number[] = [];
const place = running.newPlace(flags.folder, freePort());
try {
  (await running.up(place, "--simulate", "1")).api.close();
  for (let run = 0; run < runs; run += 1) {
    running.steer(place, "down");
    node.push(timed(process.execPath, "-e", ""));
    help.push(timed(join(running.projectRoot, "steer"), "help"));
    const cluster = await running.up(place);
    used.push(running.processorMs(running.processOf(place.dataDir, "server")));
    answered.push(cluster.answeredAfterMs);
    cluster.api.close();
  }
} finally {
  running.remove(place);
}
const floor = running.medianOf(node);
report({ bench: "start", figure: "load average", value: running.loadAverage(), unit: "1" });
say("`./steer help`", help, { floor });
say("`./steer up` until the API answers", answered, { floor, target: 700 });
say("processor time of the server until the simulated node is Ready", used);
