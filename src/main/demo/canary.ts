import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { kubectl, makeImages, say, steer, trySteer, until, type Stage } from "./stage.ts";
import { projectRoot } from "../places.ts";

const userCount = 2_000;
const requestsPerSecond = 200;

interface Report {
  readonly sent: number;
  readonly lost: Readonly<Record<string, number>>;
  readonly byVersion: Readonly<Record<string, { readonly answers: number; readonly errors: number }>>;
  /** Milliseconds since 1970. */
  readonly times: Readonly<Record<string, { readonly last: number; readonly firstError?: number }>>;
  readonly histories: Readonly<Record<string, number>>;
}

/** A good version reaches everybody step by step, a bad one goes back by itself; users are counted by version all the while. */
export async function playCanary(stage: Stage): Promise<void> {
  say("A cluster: one command.");
  steer(stage, "up", ...stage.upFlags);
  say("Three versions of an application. The third has a defect that four of ten users meet.");
  steer(stage, "image", "load", ...makeImages());
  kubectl(stage, "apply", "-f", join(projectRoot, "examples/web"));
  kubectl(stage, "rollout", "status", "deployment/web");
  say("From now on every change goes to 5 % of the users first, and back if more than 10 % of these see errors.");
  kubectl(stage, "apply", "-f", join(projectRoot, "examples/canary/quick.yaml"));
  kubectl(stage, "wait", "canary/web", "--for=jsonpath={.status.phase}=Stable", "--timeout=30s");
  const users = new Users(stage);
  try {
    await playReleases(stage, users);
  } finally {
    users.stop();
  }
}

async function playReleases(stage: Stage, users: Users): Promise<void> {
  say(`${userCount} users come and go, ${requestsPerSecond} requests a second. A good version is released.`);
  kubectl(stage, "set", "image", "deployment/web", "web=localhost/steersman-web:2");
  if (trySteer(stage, "canary", "web", "--wait") !== 0) throw new Error("The good version was taken back");
  kubectl(stage, "rollout", "status", "deployment/web");
  await until(
    "the old version is gone",
    async () => Date.now() - ((await users.report()).times["1"]?.last ?? 0) > 1_000,
  );
  const good = await users.report();
  tell(good);
  if (countOf(good, "2 then 1") > 0) throw new Error("Somebody fell back while the share grew");
  say("Nobody fell back, no request was lost. Now the bad version.");
  kubectl(stage, "set", "image", "deployment/web", "web=localhost/steersman-web:3");
  if (trySteer(stage, "canary", "web", "--wait") === 0) throw new Error("The bad version passed");
  await until(
    "nobody has the bad version",
    async () => Date.now() - ((await users.report()).times["3"]?.last ?? 0) > 1_000,
  );
  const bad = await users.report();
  tell(bad);
  const { last = 0, firstError = 0 } = bad.times["3"] ?? {};
  const affected = countOf(bad, "3");
  say(
    `${affected} of ${userCount} users saw it, for ${((last - firstError) / 1000).toFixed(1)} s from the first error to the last.`,
  );
  if (Object.keys(bad.lost).length > 0) throw new Error(`Requests were lost: ${JSON.stringify(bad.lost)}`);
  kubectl(stage, "get", "canary,deployment,replicasets");
  say("The Deployment's template is still the one that was asked for; undo makes it the one that runs.");
  kubectl(stage, "rollout", "undo", "deployment/web");
  kubectl(stage, "rollout", "status", "deployment/web");
}

/** Users in whose history of versions this occurs. */
function countOf({ histories }: Report, part: string): number {
  return Object.entries(histories).reduce((sum, [history, count]) => sum + (history.includes(part) ? count : 0), 0);
}

function tell({ sent, lost, byVersion, histories }: Report): void {
  const answers = Object.entries(byVersion).map(
    ([version, { answers: of, errors }]) => `version ${version}: ${of} answers, ${errors} errors`,
  );
  const users = Object.entries(histories).map(
    ([history, count]) => `  ${String(count).padStart(6)} users saw ${history}\n`,
  );
  process.stdout.write(`${sent} requests, lost: ${JSON.stringify(lost)}; ${answers.join("; ")}\n${users.join("")}`);
}

/** The simulated users, in a process of their own: ours blocks while it runs commands. */
class Users {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  constructor({ httpPort }: Stage) {
    const args = [
      join(projectRoot, "tools/users.ts"),
      String(httpPort),
      "web.example",
      String(userCount),
      String(requestsPerSecond),
    ];
    this.#child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout! });
  }

  report(): Promise<Report> {
    const answer = new Promise<Report>((resolve) =>
      this.#lines.once("line", (line) => resolve(JSON.parse(line) as Report)),
    );
    this.#child.stdin?.write("\n");
    return answer;
  }

  stop(): void {
    this.#child.stdin?.end();
    this.#child.kill();
  }
}
