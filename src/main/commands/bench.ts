import { spawnSync } from "node:child_process";
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
  const result = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(folder, `${name}.ts`), ...rest],
    {
      stdio: "inherit",
    },
  );
  return result.status ?? 1;
}
