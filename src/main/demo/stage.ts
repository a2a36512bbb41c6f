import { spawnSync } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clientBinary } from "../client-binaries.ts";
import { projectRoot } from "../places.ts";
import { UserError } from "../user-error.ts";

const waitLimitMs = 60_000;

/** A cluster of the demo's own. */
export interface Stage {
  readonly dataDir: string;
  readonly httpPort: number;
  readonly upFlags: readonly string[];
}

/** Paths of the example's images; made once. */
export function makeImages(): string[] {
  const tool = join(projectRoot, "tools/make-images.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", tool], {
    encoding: "utf8",
  });
  if (status !== 0)
    throw new UserError(
      `The example's images could not be made: ${stderr.trim().split("\n").at(-1)}.`,
      "Does apt-get download work?",
    );
  return stdout.trim().split("\n");
}

/** A sentence of the story. */
export function say(text: string): void {
  process.stdout.write(`\n# ${text}\n`);
}

/** A command, as one would type it. */
export function show(command: string): void {
  process.stdout.write(`$ ${command}\n`);
}

/** Runs a command of ours and shows it; what fails ends the demo. */
export function steer(stage: Stage, ...args: string[]): void {
  const status = trySteer(stage, ...args);
  if (status !== 0) throw new UserError(`The demo stopped at ./steer ${args.join(" ")}.`, "Its message is above.");
}

/** The same; answers the exit code. */
export function trySteer(stage: Stage, ...args: string[]): number {
  show(`./steer ${args.map((arg) => arg.replace(`${projectRoot}/`, "")).join(" ")}`);
  const result = spawnSync(join(projectRoot, "steer"), args, {
    stdio: "inherit",
    env: { ...process.env, STEERSMAN_DATA_DIR: stage.dataDir },
  });
  return result.status ?? 1;
}

/** Runs kubectl and shows it; what fails ends the demo. */
export function kubectl(stage: Stage, ...args: string[]): string {
  show(`kubectl ${args.map((arg) => arg.replace(`${projectRoot}/`, "")).join(" ")}`);
  const env = { ...process.env, KUBECONFIG: join(stage.dataDir, "kubeconfig") };
  const result = spawnSync(clientBinary("kubectl"), args, { encoding: "utf8", env });
  process.stdout.write(result.stdout + result.stderr);
  if (result.status !== 0)
    throw new UserError(`The demo stopped at kubectl ${args.join(" ")}.`, "Its message is above.");
  return result.stdout;
}

/** Waits until it is so; fails with what it waited for. */
export async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + waitLimitMs;
  while (!(await probe())) {
    if (performance.now() > deadlineMs) throw new Error(`Waited ${waitLimitMs} ms in vain: ${what}`);
    await sleep(50);
  }
}

/** One request to the application; a failure has the status 0. */
export function get(stage: Stage): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const call = request(
      {
        host: "127.0.0.1",
        port: stage.httpPort,
        path: "/",
        agent: false,
        timeout: 5000,
        headers: { host: "web.example" },
      },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", () => resolve({ status: 0, body: "" }));
      },
    );
    call.on("timeout", () => call.destroy());
    call.on("error", () => resolve({ status: 0, body: "" }));
    call.end();
  });
}
