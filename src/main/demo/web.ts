import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { clientBinary } from "../client-binaries.ts";
import { get, kubectl, makeImages, say, show, steer, until, type Stage } from "./stage.ts";
import { projectRoot } from "../places.ts";

/** The whole story of a web application: replicas, address, hostname; a replica dies; a new version; back; down and up. */
export async function playWeb(stage: Stage): Promise<void> {
  say("A cluster: one command.");
  steer(stage, "up", ...stage.upFlags);
  say("Two versions of an application as images, made from Debian's packages.");
  steer(stage, "image", "load", ...makeImages());
  say("What we want: two healthy replicas, one address, one hostname.");
  kubectl(stage, "apply", "-f", join(projectRoot, "examples/web"));
  kubectl(stage, "rollout", "status", "deployment/web");
  kubectl(stage, "get", "pods,service,ingress");
  say("Every request for web.example goes to one of the replicas.");
  await untilBothAnswer(stage);
  say("A replica's process is killed.");
  await killReplica(stage);
  say("A new version rolls out while requests keep coming.");
  const load = startLoad(stage);
  kubectl(stage, "set", "image", "deployment/web", "web=localhost/steersman-web:2");
  kubectl(stage, "rollout", "status", "deployment/web");
  const { sent, failed } = await load.stop();
  say(`${sent} requests during the rollout, ${failed} failed.`);
  if (failed > 0) throw new Error(`The rollout failed ${failed} of ${sent} requests`);
  await until("the new version answers", async () => (await get(stage)).body.includes("version 2"));
  process.stdout.write((await get(stage)).body);
  say("Back to the version before.");
  kubectl(stage, "rollout", "undo", "deployment/web");
  kubectl(stage, "rollout", "status", "deployment/web");
  say("Why is it as it is?");
  steer(stage, "why", "deployment/web");
  say("Down, and up again: everything comes back.");
  steer(stage, "down");
  steer(stage, "up");
  kubectl(stage, "wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=2", "--timeout=60s");
  await untilBothAnswer(stage);
}

async function untilBothAnswer(stage: Stage): Promise<void> {
  show(`curl -H 'Host: web.example' http://127.0.0.1:${stage.httpPort}/`);
  const seen = new Set<string>();
  await until("both replicas answer", async () => {
    const { status, body } = await get(stage);
    if (status !== 200 || seen.has(body)) return seen.size >= 2;
    seen.add(body);
    process.stdout.write(body);
    return seen.size >= 2;
  });
}

async function killReplica(stage: Stage): Promise<void> {
  const line = spawnSync("sh", ["-c", "grep -l 'nginx: master' /proc/[0-9]*/cmdline 2>/dev/null | head -1"], {
    encoding: "utf8",
  }).stdout;
  const pid = Number(line.split("/")[2]);
  if (!(pid > 0)) throw new Error("The demo finds no process of a replica");
  show(`kill -9 ${pid}`);
  process.kill(pid, "SIGKILL");
  const restarts = "jsonpath={.items[*].status.containerStatuses[*].restartCount}";
  await until("the restart is counted", () => {
    const args = ["get", "pods", "-l", "app=web", "-o", restarts];
    const env = { ...process.env, KUBECONFIG: join(stage.dataDir, "kubeconfig") };
    return Promise.resolve(/[1-9]/.test(spawnSync(clientBinary("kubectl"), args, { encoding: "utf8", env }).stdout));
  });
  kubectl(stage, "wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=2", "--timeout=60s");
  kubectl(stage, "get", "pods");
}

/** Requests from a process of its own: ours blocks while it runs commands. */
function startLoad(stage: Stage): { stop(): Promise<{ sent: number; failed: number }> } {
  const child = spawn(process.execPath, [join(projectRoot, "tools/load.ts"), String(stage.httpPort)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return {
    stop: async () => {
      child.stdin.end("stop");
      await ended;
      const { sent, failed } = JSON.parse(output) as { sent: number; failed: string[] };
      return { sent, failed: failed.length };
    },
  };
}
