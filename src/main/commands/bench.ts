import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../places.ts";
import { UserError } from "../user-error.ts";

const folder = join(projectRoot, "benches");

/** Runs benches/NAME.ts, which prints one JSON line a figure. */
export async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const names = readdirSync(folder).flatMap((file) => (file.endsWith(".ts") ? [file.slice(0, -3)] : []));
  if (name === undefined || !existsSync(join(folder, `${name}.ts`)) || !names.includes(name)) {
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
