import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseOptions } from "../options.ts";
import { projectRoot } from "../places.ts";

/** Every test there is; a pattern picks test files by their path. */
export async function run(args: readonly string[]): Promise<number> {
  const pattern = parseOptions("test", args, {}, "[PATTERN]").positionals.slice(0, 1);
  const runner = join(projectRoot, "tools/test.ts");
  const result = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", runner, ...pattern], {
    stdio: "inherit",
  });
  return result.status ?? 1;
}
