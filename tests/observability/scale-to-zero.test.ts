/** A workload that sleeps while nobody asks for it, with real containers, two nodes and kubectl: as a newcomer sees it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeImages } from "#tools/make-images.ts";
import { isRoot, projectRoot, startRealCluster, type TestCluster } from "../cluster/harness.ts";
import type { Asked } from "./ask-ingress.ts";
import { eventually } from "../eventually.ts";

const skip = isRoot ? false : "real containers need root";
const script = join(import.meta.dirname, "ask-ingress.ts");
let cluster: TestCluster;
let addresses: string[] = [];

before(async () => {
  if (!isRoot) return;
  const archives = await makeImages();
  cluster = startRealCluster("--nodes", "2", "--metrics=off");
  assert.equal(cluster.steer("image", "load", ...archives).code, 0);
  const example = readFileSync(join(projectRoot, "examples/scale-to-zero/web.yaml"), "utf8");
  // The shortest window that there is.
  const manifest = example.replace("stabilizationWindowSeconds: 60", "stabilizationWindowSeconds: 10");
  assert.notEqual(manifest, example);
  const applied = cluster.tryKubectl(["apply", "-f", "-"], { input: manifest });
  assert.equal(applied.code, 0, applied.stderr);
  addresses = cluster
    .kubectl("get", "nodes", "-o", 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}')
    .split(" ");
});

after(() => cluster?.remove());

function ask(address: string, count: number, host = "sleeper.example"): Asked[] {
  const { stdout, stderr } = cluster.run(process.execPath, [script, address, host, String(count)]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as Asked[];
}

const phase = (): string => cluster.kubectl("get", "trafficholds", "sleeper", "-o", "jsonpath={.spec.phase}");
const pods = (): string => cluster.kubectl("get", "pods", "-l", "app=sleeper", "-o", "name").trim();

const canaryPhase = (): string => cluster.kubectl("get", "canaries", "sleeper", "-o", "jsonpath={.status.phase}");
const canary = `
apiVersion: delivery.steersman.dev/v1
kind: Canary
metadata: {name: sleeper}
spec:
  deployment: sleeper
  ingress: sleeper
  users: {header: X-User}
  steps:
  - {share: 50%, for: 8s, minUsers: 10}
  - {share: 100%, minUsers: 1}
  rollback: {usersInErrors: 10%, confidence: 95%}
`;

async function asleep(): Promise<void> {
  await eventually("it sleeps, without a pod", () => phase() === "Asleep" && pods() === "", 180_000);
}

test("without requests it goes to zero, and tells why", { skip }, async () => {
  cluster.kubectl("rollout", "status", "deployment/sleeper", "--timeout=150s");
  await eventually("the ingress serves it", () => ask(addresses[0]!, 1)[0]?.status === 200);
  await asleep();
  const described = cluster.kubectl("describe", "hpa", "sleeper");
  assert.match(described, /ScalingActive +True +WaitingForRequests +the target sleeps/);
  assert.match(
    described,
    /SuccessfulRescale .*New size: 0; reason: no request came through any node's ingress for \d+ s/,
  );
  assert.match(cluster.kubectl("get", "hpa", "sleeper"), /cpu: <unknown>\/70% +0 +5 +0/);
});

test("the first requests wait for the pod that they wake, at every node, and none is lost", { skip }, async () => {
  for (const address of addresses) {
    await asleep();
    const answers = ask(address, 50);
    assert.deepEqual(
      answers.filter(({ status }) => status !== 200),
      [],
    );
    assert.match(answers[0]?.text ?? "", /^web version 1/);
  }
  const described = cluster.kubectl("describe", "hpa", "sleeper");
  assert.match(described, /New size: 1; reason: a request for Service sleeper waits at the ingress of node \S+/);
  const why = cluster.steer("why", "deployment/sleeper").stdout;
  const woken = why.slice(why.indexOf("from 0 to 1 replicas: a request for Service sleeper waits"));
  assert.match(woken, /because of delivery\.steersman\.dev\/trafficdemands\/default\/sleeper\.\S+@\d+/);
});

test(
  "a release that begins while it sleeps waits for users; the first of them wakes the stable pods too",
  { skip },
  async () => {
    await asleep();
    const applied = cluster.tryKubectl(["apply", "-f", "-"], { input: canary });
    assert.equal(applied.code, 0, applied.stderr);
    await eventually("the canary knows what is stable", () => canaryPhase() === "Stable");
    cluster.kubectl("set", "image", "deployment/sleeper", "web=localhost/steersman-web:2");
    await eventually("the new version is ready for users", () => canaryPhase() === "Step");
    const images = cluster.kubectl(
      "get",
      "pods",
      "-l",
      "app=sleeper",
      "-o",
      "jsonpath={.items[*].spec.containers[0].image}",
    );
    assert.equal(images, "localhost/steersman-web:2", "nobody asked: the stable version sleeps on");
    assert.equal(phase(), "Asleep");
    const answers = ask(addresses[1]!, 150);
    assert.deepEqual(
      answers.filter(({ status }) => status !== 200),
      [],
    );
    const versions = new Set(answers.map(({ text }) => /^web version \d/.exec(text)?.[0]));
    assert.deepEqual([...versions].toSorted(), ["web version 1", "web version 2"]);
    await eventually("it stays awake for the release", () =>
      /ScalingLimited +True +ReleaseUnderWay .*while Canary\/sleeper has a release under way/.test(
        cluster.kubectl("describe", "hpa", "sleeper"),
      ),
    );
    // To be sure that less than 10% are in errors takes 69 chosen users: of 150 the half may be fewer, of 300 it is not.
    await eventually(
      "the release comes to its end",
      () => ask(addresses[1]!, 300).every(({ status }) => status === 200) && canaryPhase() === "Stable",
    );
    await asleep();
    assert.match(ask(addresses[0]!, 1)[0]?.text ?? "", /^web version 2/);
  },
);

test("unknown hosts wake nobody, and what is at zero without asking for it answers 503 at once", { skip }, async () => {
  await asleep();
  assert.equal(ask(addresses[0]!, 1, "nobody.example")[0]?.status, 404);
  cluster.kubectl("patch", "hpa", "sleeper", "--type=merge", "-p", '{"spec":{"minReplicas":1}}');
  // Whoever no longer asks to sleep gets its pods back.
  await eventually("it is back", () => pods() !== "");
  cluster.kubectl("delete", "hpa", "sleeper");
  cluster.kubectl("scale", "deployment/sleeper", "--replicas=0");
  await eventually("its pods are gone", () => pods() === "");
  const refused = await eventually("it is refused", () => {
    const [answer] = ask(addresses[0]!, 1);
    return answer?.status === 503 && answer;
  });
  assert.ok(refused.answeredMs - refused.sentMs < 10_000, "it was not held");
  assert.equal(pods(), "");
});
