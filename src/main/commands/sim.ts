import { fork, type ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { hashText } from "#base/seeded-random.ts";
import { crashesOf, playNamed } from "#sim/crash-sweep.ts";
import type { SeedResult } from "#sim/run-seed.ts";
import { numberOption, parseOptions, type Flags } from "../options.ts";
import { projectRoot } from "../places.ts";
import { simulationMachine } from "../sim-machine.ts";

const flags: Flags = {
  seeds: { type: "string", meaning: "number of seeds to run, default 100; each tenth is a crash after one write" },
  seed: { type: "string", meaning: "run this one seed alone; 7@35 is scenario 7 with a crash after write 35" },
  from: { type: "string", meaning: "first seed of many, default 1" },
  "crash-each-write": {
    type: "boolean",
    meaning: "play calm scenarios with one crash of the server, after each of their writes in turn",
  },
  jobs: { type: "string", meaning: "processes at a time, default one a processor" },
  trace: { type: "boolean", meaning: "print every request, write and delivered event (with --seed)" },
  verbose: { type: "boolean", short: "v", meaning: "print what happens in each seed" },
};

const seedsMax = 1_000_000;
const jobsMax = 64;
/** Beyond the last write of a scenario its runs count from the first again: any number names one. */
const writesMax = 10_000;

type TimedResult = SeedResult & { readonly tookMs: number };

/** Runs seeds of the simulator; answers 1 when an invariant was broken. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("sim", args, flags);
  const { seed } = options.values;
  const isVerbose = options.values["verbose"] === true;
  if (typeof seed === "string") return await runOne(seed, isVerbose, options.values["trace"] === true);
  const count = numberOption(options, "seeds", 1, seedsMax) ?? 100;
  const from = numberOption(options, "from", 0, seedsMax) ?? 1;
  const jobs = numberOption(options, "jobs", 1, jobsMax) ?? availableParallelism();
  const names =
    options.values["crash-each-write"] === true
      ? await crashNames(from, count)
      : Array.from({ length: count }, (_, index) => nameOf(from + index));
  return await runMany(names, Math.min(jobs, count), isVerbose);
}

/** One run in so many is a calm scenario with one crash, after one of its writes. */
const crashRunEvery = 10;

/** What the n-th of many runs plays. */
function nameOf(number: number): string {
  if (number % crashRunEvery !== 0) return String(number);
  return `${number}@${1 + (hashText(`write ${number}`) % writesMax)}`;
}

/** `count` runs: a crash after the first write of the first scenario, after its second, and so on, then the next scenario. */
async function crashNames(from: number, count: number): Promise<string[]> {
  const names: string[] = [];
  for (let scenario = from; names.length < count; scenario += 1) {
    const writes = Math.max(1, await crashesOf(String(scenario), simulationMachine()));
    for (let write = 1; write <= writes && names.length < count; write += 1) names.push(`${scenario}@${write}`);
  }
  return names;
}

async function runOne(seed: string, isVerbose: boolean, isTraced: boolean): Promise<number> {
  const write = (line: string): void => void process.stdout.write(`${line}\n`);
  const result = await playNamed(seed, {
    machine: simulationMachine(),
    ...(isVerbose || isTraced ? { tell: write } : {}),
    ...(isTraced ? { traced: write } : {}),
  });
  if (result.violation !== undefined) write(failure(result));
  else write(summary(result));
  return result.violation === undefined ? 0 : 1;
}

async function runMany(seeds: string[], jobs: number, isVerbose: boolean): Promise<number> {
  const startedMs = performance.now();
  const failed: TimedResult[] = [];
  let done = 0;
  let virtualMs = 0;
  let writes = 0;
  const total = seeds.length;
  const show = (result: TimedResult): void => {
    done += 1;
    virtualMs += result.virtualMs;
    writes += result.writes;
    if (isVerbose) process.stdout.write(`${result.story.join("\n")}\n${summary(result)}\n\n`);
    else if (process.stdout.isTTY) process.stdout.write(`\r${done} of ${total} seeds`);
    if (result.violation === undefined) return;
    failed.push(result);
    process.stdout.write(`${process.stdout.isTTY ? "\r" : ""}${failure(result)}\n`);
  };
  const waiting = [...seeds];
  await Promise.all(Array.from({ length: jobs }, () => playOn(waiting, show)));
  const seconds = (performance.now() - startedMs) / 1000;
  const hours = virtualMs / 3_600_000;
  const clear = process.stdout.isTTY ? "\r" : "";
  const work = `${hours.toFixed(1)} virtual hours, ${writes} writes`;
  process.stdout.write(`${clear}${total - failed.length} of ${total} seeds passed: ${work}\n`);
  for (const { seed, violation } of failed)
    process.stdout.write(`failed ${seed} (${violation?.invariant}), again: ./steer sim --seed ${seed} -v\n`);
  const names = failed.length === 0 ? "" : `: ${failed.map(({ seed }) => seed).join(" ")}`;
  process.stdout.write(`${total} seeds, ${failed.length} failed${names}, ${seconds.toFixed(1)} s\n`);
  return failed.length === 0 ? 0 : 1;
}

/** One process that plays seeds until none waits. */
async function playOn(waiting: string[], show: (result: TimedResult) => void): Promise<void> {
  const child: ChildProcess = fork(join(projectRoot, "src/main/sim-worker.ts"), { execArgv: [] });
  try {
    await new Promise<void>((resolve, reject) => {
      let current: string | undefined;
      const next = (): void => {
        current = waiting.shift();
        if (current === undefined) resolve();
        else child.send(current);
      };
      child.on("message", (result) => {
        show(result as TimedResult);
        next();
      });
      child.on("error", reject);
      child.on("exit", (code) =>
        reject(new Error(`The process that played seed ${current ?? "(none)"} ended with ${code}`)),
      );
      next();
    });
  } finally {
    child.removeAllListeners("exit");
    child.disconnect();
  }
}

function summary(result: SeedResult): string {
  const { seed, traceHash, traceEntries, virtualMs, writes } = result;
  return `seed ${seed}: ${(virtualMs / 1000).toFixed(0)} virtual seconds, ${writes} writes, trace ${traceHash} of ${traceEntries} entries`;
}

function failure(result: SeedResult): string {
  const { seed, violation, story, recent, problems } = result;
  const indent = (lines: readonly string[]): string => lines.map((line) => `    ${line}`).join("\n");
  return [
    `seed ${seed} FAILED at ${((violation?.atMs ?? 0) / 1000).toFixed(3)} virtual s: ${violation?.invariant}: ${violation?.what}`,
    `  what happened`,
    indent(story),
    `  problems that the parts reported`,
    indent(problems),
    `  last events`,
    indent(recent),
    `  again: ./steer sim --seed ${seed} -v`,
  ].join("\n");
}
