import { homedir } from "node:os";
import { resolve } from "node:path";
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { UserError } from "./user-error.ts";

/** Flags of a command: what is allowed, with its meaning for `--help`. */
export interface Flags {
  readonly [name: string]: { readonly type: "string" | "boolean"; readonly meaning: string; readonly short?: string };
}

export interface ParsedOptions {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

const commonFlags: Flags = {
  "data-dir": { type: "string", meaning: "where the cluster's data lies" },
  help: { type: "boolean", meaning: "this text" },
};

/** Parses a command's arguments. Throws `UserError` for unknown flags; prints the usage and exits for --help. */
export function parseOptions(command: string, args: readonly string[], flags: Flags, positionals = ""): ParsedOptions {
  const all = { ...commonFlags, ...flags };
  const config: ParseArgsOptionsConfig = Object.fromEntries(
    Object.entries(all).map(([name, { type, short }]) => [name, short === undefined ? { type } : { type, short }]),
  );
  let parsed: { values: Record<string, string | boolean | undefined>; positionals: string[] };
  try {
    parsed = parseArgs({
      args: [...args],
      options: config,
      allowPositionals: positionals !== "",
      strict: true,
    }) as typeof parsed;
  } catch (error) {
    throw new UserError(firstSentence((error as Error).message), `./steer ${command} --help lists the flags.`);
  }
  if (parsed.values["help"] === true) {
    const lines = Object.entries(all).map(([name, { type, meaning, short }]) => {
      const names = `${short === undefined ? "" : `-${short}, `}--${name}`;
      return `  ${type === "string" ? `${names} VALUE` : names}`.padEnd(28) + `${meaning}\n`;
    });
    const usage = ["usage: ./steer", command, positionals, "[flags]"].filter((word) => word !== "").join(" ");
    process.stdout.write(`${usage}\n\n${lines.join("")}`);
    process.exit(0);
  }
  return parsed;
}

function firstSentence(text: string): string {
  const end = text.indexOf(". ");
  return end < 0 ? (text.endsWith(".") ? text : `${text}.`) : text.slice(0, end + 1);
}

/** The cluster's data dir: the flag, STEERSMAN_DATA_DIR, or the place that fits the user. */
export function dataDirOf(options: ParsedOptions): string {
  const given = options.values["data-dir"] ?? process.env["STEERSMAN_DATA_DIR"];
  if (typeof given === "string") return resolve(given);
  return process.getuid?.() === 0 ? "/var/lib/steersman/default" : `${homedir()}/.local/share/steersman/default`;
}

/** A whole number within bounds; throws `UserError` that names the flag. */
export function numberOption(options: ParsedOptions, name: string, least: number, most: number): number | undefined {
  const text = options.values[name];
  if (typeof text !== "string") return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new UserError(`--${name} is "${text}".`, `It takes a whole number from ${least} to ${most}.`);
  }
  return value;
}
