import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { playCanary } from "../demo/canary.ts";
import { say, steer, type Stage } from "../demo/stage.ts";
import { playWeb } from "../demo/web.ts";
import { numberOption, parseOptions, type Flags } from "../options.ts";
import { UserError } from "../user-error.ts";

const flags: Flags = {
  port: { type: "string", meaning: "port of the API of the demo's cluster, default 6443" },
  "http-port": { type: "string", meaning: "port of its ingress, default 80" },
  "https-port": { type: "string", meaning: "TLS port of its ingress, default 443" },
};

const plays: Readonly<Record<string, (stage: Stage) => Promise<void>>> = { web: playWeb, canary: playCanary };

/** Plays a whole story on a cluster of its own, which it removes at the end. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("demo", args, flags, "web|canary");
  const name = options.positionals[0] ?? "";
  const play = Object.hasOwn(plays, name) ? plays[name] : undefined;
  if (play === undefined) throw new UserError("There is no such demo.", "Say ./steer demo web or ./steer demo canary.");
  const upFlags = ["port", "http-port", "https-port"].flatMap((name) => {
    const value = numberOption(options, name, 1, 65535);
    return value === undefined ? [] : [`--${name}`, String(value)];
  });
  const dataDir = mkdtempSync(join(tmpdir(), "steer-demo-"));
  const stage: Stage = { dataDir, upFlags, httpPort: numberOption(options, "http-port", 1, 65535) ?? 80 };
  try {
    await play(stage);
    say("That was the demo. The cluster goes now.");
  } finally {
    steer(stage, "reset", "--yes");
    rmSync(dataDir, { recursive: true, force: true });
  }
  return 0;
}
