import { runTests } from "#tools/test.ts";
import { parseOptions } from "../options.ts";

/** Every test there is; a pattern picks test files by their path. */
export async function run(args: readonly string[]): Promise<number> {
  return await runTests(parseOptions("test", args, {}, "[PATTERN]").positionals[0]);
}
