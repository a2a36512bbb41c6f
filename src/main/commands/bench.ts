import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../places.ts";
import { UserError } from "../user-error.ts";

const folder = join(projectRoot, "benches");

/** Runs benches/NAME.ts, which prints one JSON line a figure. */
export async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && file !== "report.ts");
  const names = files.map((file) => file.slice(0, -".ts".length));
  if (name === "--help") {
    process.stdout.write(`usage: ./steer bench NAME [flags]\n\nThe benches are: ${names.join(", ")}.\n`);
    return 0;
  }
  if (name === undefined || !names.includes(name)) {
    throw new UserError(`There is no bench "${name ?? ""}".`, `The benches are: ${names.join(", ")}.`);
  }
  const program = ["--disable-warning=ExperimentalWarning", join(folder, `${name}.ts`), ...rest];
  const bench = spawn(process.execPath, program, { stdio: "inherit" });
  // Who is told to end waits until the bench has put away what it had set up.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => bench.kill(signal));
  return new Promise((resolve, reject) => {
    bench.once("exit", (code) => resolve(code ?? 1));
    bench.once("error", reject);
  });
}
