/**
 * The scene that everything else serves: a fresh cluster, a web application with two replicas, an address and a hostname; a
 * replica dies and is replaced; a new version rolls out under load; back again; down and up; and at the end no trace.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeImages } from "#tools/make-images.ts";
import { buildGoProgram } from "./go-client.ts";
import { isRoot, projectRoot, startRealCluster, type TestCluster } from "./harness.ts";
import { noTraces, standing, tracesOf } from "./traces.ts";
import { eventually } from "../eventually.ts";

const skip = isRoot ? false : "real containers need root";
let cluster: TestCluster;

before(async () => {
  if (!isRoot) return;
  const archives = await makeImages();
  cluster = startRealCluster();
  const loaded = cluster.steer("image", "load", ...archives);
  assert.equal(loaded.code, 0, loaded.stderr);
});
after(() => cluster?.remove());

interface Answer {
  readonly status: string;
  readonly body: string;
}

function get(host = "web.example"): Answer {
  const { stdout } = cluster.run("curl", [
    "-s",
    "-m",
    "5",
    "-w",
    "\n%{http_code}",
    "-H",
    `Host: ${host}`,
    "http://127.0.0.1/",
  ]);
  const lines = stdout.split("\n");
  return { status: lines.at(-1) ?? "", body: lines.slice(0, -1).join("\n") };
}

/** Requests one after the other while `during` runs; answers what was not 200. */
async function underLoad(during: () => Promise<void> | void): Promise<{ sent: number; failed: string[] }> {
  const load = cluster.start(process.execPath, [join(projectRoot, "tools/load.ts"), "80"]);
  let output = "";
  load.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<void>((resolve) => load.on("exit", () => resolve()));
  await during();
  load.stdin?.end("stop");
  await ended;
  return JSON.parse(output) as { sent: number; failed: string[] };
}

test("apply: two replicas, a Service, an Ingress; both replicas answer", { skip }, async () => {
  cluster.kubectl("apply", "-f", join(projectRoot, "examples/web"));
  cluster.kubectl("rollout", "status", "deployment/web", "--timeout=150s");
  const seen = new Set<string>();
  await eventually("both replicas answer through the Ingress", () => {
    const { status, body } = get();
    if (status === "200") seen.add(body);
    return seen.size === 2;
  });
  assert.equal(get("unknown.example").status, "404");
});

test("a killed replica's process is replaced", { skip }, async () => {
  const [pod = ""] = cluster.kubectl("get", "pods", "-l", "app=web", "-o", "name").split("\n");
  cluster.tryKubectl(["exec", pod.replace("pod/", ""), "--", "/bin/busybox", "kill", "-9", "1"]);
  const uid = cluster.kubectl("get", pod, "-o", "jsonpath={.metadata.uid}");
  // Of this pod: other clusters on the machine run the same program.
  const own = `grep -l pod${uid} /proc/[0-9]*/cgroup | cut -d/ -f3`;
  const pid = cluster
    .run("sh", ["-c", `for pid in $(${own}); do grep -q 'nginx: master' /proc/$pid/cmdline && echo $pid && exit; done`])
    .stdout.trim();
  assert.notEqual(pid, "");
  cluster.run("kill", ["-9", pid]);
  await eventually("a restart is counted", () => / [1-9]\d* \(/.test(cluster.kubectl("get", "pods", "-l", "app=web")));
  cluster.kubectl("wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=2", "--timeout=150s");
});

test("a new version rolls out under load without a failed request, and undo goes back", { skip }, async () => {
  const { sent, failed } = await underLoad(() => {
    cluster.kubectl("set", "image", "deployment/web", "web=localhost/steersman-web:2");
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=150s");
  });
  assert.deepEqual(failed, [], `of ${sent} requests`);
  // The rollout takes some two seconds: a few tens of requests, on a loaded machine less.
  assert.ok(sent > 10, `only ${sent} requests were sent`);
  await eventually("the new version answers", () => get().body.includes("version 2"));
  cluster.kubectl("rollout", "undo", "deployment/web");
  cluster.kubectl("rollout", "status", "deployment/web", "--timeout=150s");
  await eventually("the old version answers", () => get().body.includes("version 1"));
});

test("inside the cluster: names, the Service's address, logs, exec, cp, port-forward", { skip }, async () => {
  cluster.kubectl(
    "run",
    "tool",
    "--image=localhost/steersman-busybox:1",
    "--restart=Never",
    "--",
    "sh",
    "-c",
    "echo started; exec sleep 3600",
  );
  cluster.kubectl("wait", "pod/tool", "--for=condition=Ready", "--timeout=150s");
  assert.equal(cluster.kubectl("logs", "tool"), "started\n");
  assert.match(
    cluster.kubectl("exec", "tool", "--", "wget", "-qO-", "http://web.default.svc.cluster.local/"),
    /web version 1/,
  );
  assert.match(cluster.kubectl("exec", "tool", "--", "nslookup", "kubernetes.default.svc.cluster.local"), /Address/);
  assert.equal(
    cluster.tryKubectl(["exec", "-i", "tool", "--", "cat"], { input: "through stdin" }).stdout,
    "through stdin",
  );
  assert.equal(
    cluster.tryKubectl(["exec", "-i", "tool", "--", "cat"], { input: "an older client", version: "1.32" }).stdout,
    "an older client",
  );
  assert.equal(cluster.tryKubectl(["exec", "tool", "--", "sh", "-c", "exit 7"]).code, 7);
  cluster.kubectl("cp", join(projectRoot, "examples/web/web.yaml"), "tool:/tmp/web.yaml");
  assert.equal(
    cluster.kubectl("exec", "tool", "--", "cat", "/tmp/web.yaml"),
    readFileSync(join(projectRoot, "examples/web/web.yaml"), "utf8"),
  );
  const token = cluster.kubectl("exec", "tool", "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token");
  assert.match(token, /^ey[\w-]+\.[\w-]+\.[\w-]+$/);
  const forward = cluster.start("sh", [
    "-c",
    `exec "$0" port-forward deployment/web 18080:80`,
    join(projectRoot, "node_modules/.cache/clients/1.36/kubectl"),
  ]);
  try {
    await eventually("the forwarded port answers", () =>
      cluster.run("curl", ["-s", "-m", "2", "http://127.0.0.1:18080/"]).stdout.includes("web version 1"),
    );
  } finally {
    forward.kill();
  }
});

test("a terminal, attach, and exec by libraries over SPDY and WebSocket", { skip }, async (context) => {
  const script =
    "mkdir /www && echo forwarded > /www/index.html && httpd -p 8080 -h /www; while read line; do echo heard $line; done; exec sleep 3600";
  cluster.kubectl(
    "run",
    "talk",
    "--image=localhost/steersman-busybox:1",
    "--restart=Never",
    "--stdin",
    "--attach=false",
    "--",
    "sh",
    "-c",
    script,
  );
  cluster.kubectl("wait", "pod/talk", "--for=condition=Ready", "--timeout=150s");
  const kubectl = join(projectRoot, "node_modules/.cache/clients/1.36/kubectl");
  const attached = cluster.run("sh", ["-c", `(sleep 1; echo one; sleep 1) | timeout 4 "${kubectl}" attach -i talk`]);
  assert.match(attached.stdout, /heard one/, attached.stderr);
  // `script` gives kubectl a terminal, as a person has one; in the background kubectl would be stopped for touching it.
  const terminal = cluster.run("script", [
    "-qec",
    `timeout --foreground 15 "${kubectl}" exec -it talk -- sh -c 'tty; stty size; echo done'`,
    "/dev/null",
  ]);
  assert.match(terminal.stdout, /\/dev\/pts\/\d+[^]*done/);
  await context.test("client-go", (inner) => {
    const built = buildGoProgram("go");
    if ("missing" in built) return inner.skip(built.missing);
    const { code, stdout, stderr } = cluster.run(built.program, [cluster.kubeconfig, "exec", "talk"]);
    assert.equal(code, 0, stdout + stderr);
  });
  await context.test("@kubernetes/client-node", () => {
    const script = join(projectRoot, "tests/clients/node-client.ts");
    const { code, stdout, stderr } = cluster.run(process.execPath, [script, cluster.kubeconfig, "talk"]);
    assert.equal(code, 0, stdout + stderr);
  });
  cluster.kubectl("delete", "pod", "talk", "--grace-period=1");
});

test("containers that cannot start say why", { skip }, async () => {
  cluster.kubectl("run", "no-image", "--image=localhost/nothing:1", "--image-pull-policy=Never", "--restart=Never");
  cluster.kubectl(
    "run",
    "bad-command",
    "--image=localhost/steersman-busybox:1",
    "--restart=Never",
    "--command",
    "--",
    "/no/such/program",
  );
  cluster.kubectl("run", "crashing", "--image=localhost/steersman-busybox:1", "--", "sh", "-c", "exit 3");
  const image = "localhost/steersman-busybox:1";
  const hungry = {
    name: "hungry",
    image,
    command: ["sh", "-c", "tail /dev/zero"],
    resources: { limits: { memory: "16Mi" } },
  };
  const limits = JSON.stringify({ spec: { containers: [hungry], restartPolicy: "Never" } });
  cluster.kubectl("run", "hungry", "--image=localhost/steersman-busybox:1", "--restart=Never", `--overrides=${limits}`);
  const status = (): string => cluster.kubectl("get", "pods");
  await eventually("ErrImageNeverPull", () => /no-image\s+0\/1\s+ErrImageNeverPull/.test(status()));
  await eventually("StartError", () =>
    /bad-command\s+0\/1\s+(StartError|ContainerCannotRun|RunContainerError)/.test(status()),
  );
  await eventually("CrashLoopBackOff", () => /crashing\s+0\/1\s+CrashLoopBackOff/.test(status()));
  await eventually("OOMKilled", () => /hungry\s+0\/1\s+OOMKilled/.test(status()));
  assert.match(cluster.kubectl("describe", "pod", "crashing"), /Back-off restarting failed container|BackOff/);
  cluster.kubectl("delete", "pod", "no-image", "bad-command", "crashing", "hungry", "tool", "--grace-period=1");
});

test("a killed server comes back while the Ingress goes on", { skip }, async () => {
  const { sent, failed } = await underLoad(async () => {
    const pid = readFileSync(join(cluster.dataDir, "run/server.pid"), "utf8").split(" ")[0] ?? "";
    process.kill(Number(pid), "SIGKILL");
    await eventually("the API answers again", () => cluster.tryKubectl(["get", "--raw", "/readyz"]).code === 0);
  });
  assert.deepEqual(failed, [], `of ${sent} requests`);
  assert.match(cluster.kubectl("get", "deployment", "web"), /2\/2/);
});

test("a killed agent leaves every container alone", { skip }, async () => {
  const before = cluster.kubectl(
    "get",
    "pods",
    "-l",
    "app=web",
    "-o",
    "jsonpath={.items[*].status.containerStatuses[*].containerID}",
  );
  const file = readdirSync(join(cluster.dataDir, "run")).find((name) => name.startsWith("agent-")) ?? "";
  const pid = readFileSync(join(cluster.dataDir, "run", file), "utf8").split(" ")[0] ?? "";
  process.kill(Number(pid), "SIGKILL");
  await eventually("the agent is back", () => cluster.tryKubectl(["logs", "deployment/web"]).code === 0);
  assert.equal(
    cluster.kubectl(
      "get",
      "pods",
      "-l",
      "app=web",
      "-o",
      "jsonpath={.items[*].status.containerStatuses[*].containerID}",
    ),
    before,
  );
  assert.equal(get().status, "200");
});

test("why tells the chain from the change to the last action", { skip }, () => {
  const { stdout } = cluster.steer("why", "deployment/web");
  assert.match(stdout, /kubernetes-admin with kubectl created deployment\/web/);
  assert.match(stdout, /controllers\/deployment created replicaset\/web-/);
  assert.match(stdout, /controllers\/replicaset created pod\/web-/);
  assert.match(stdout, /scheduler .*pod\/web-/);
});

test("down keeps the data, up brings everything back", { skip }, async () => {
  assert.equal(cluster.steer("down").code, 0);
  assert.equal(cluster.run("curl", ["-s", "-m", "2", "http://127.0.0.1/"]).code, 7, "nothing listens any more");
  assert.equal(cluster.steer("up").code, 0);
  cluster.kubectl("wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=2", "--timeout=150s");
  await eventually("the application answers again", () => get().status === "200");
});

test("reset leaves no process, mount, interface, table, cgroup or file", { skip }, () => {
  const left = standing(cluster.dataDir);
  assert.equal(cluster.steer("reset", "--yes").code, 0);
  assert.deepEqual(tracesOf(cluster, left, ["lo"]), noTraces);
});
