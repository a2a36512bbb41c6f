// How long the first request waits that wakes a workload from zero, on a real node, and what that is made of; and whether any of 50
// requests at once is lost. Prints one JSON line per figure. The floor is the same pod started by hand: from `scale` until it is Ready,
// by the API's own times. Needs root.
//   node benches/scale-to-zero.ts [runs]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeImages } from "#tools/make-images.ts";
import { projectRoot, startRealCluster } from "../tests/cluster/harness.ts";
import type { Asked } from "../tests/observability/ask-ingress.ts";
import { loadAverage, medianOf } from "./cluster/running-cluster.ts";
import { report } from "./report.ts";
import { eventually } from "../tests/eventually.ts";

const runs = Number(process.argv[2] ?? 7);
const script = join(projectRoot, "tests/observability/ask-ingress.ts");

function print(figure: string, value: number, unit: string, more: { floor?: number; target?: number } = {}): void {
  report({ bench: "scale-to-zero", figure, value, unit, ...more });
}

const archives = await makeImages();
const cluster = startRealCluster("--metrics=off");

function ask(count: number): Asked[] {
  const { stdout } = cluster.run(process.execPath, [script, "127.0.0.1:80", "sleeper.example", String(count)]);
  return JSON.parse(stdout) as Asked[];
}

const gone = (): boolean => cluster.kubectl("get", "pods", "-l", "app=sleeper", "-o", "name").trim() === "";

/** To zero by hand: with the annotation that is a sleep as any other. */
async function sleep(): Promise<void> {
  cluster.kubectl("scale", "deployment/sleeper", "--replicas=0");
  await eventually(
    "it sleeps",
    () => {
      const phase = cluster.kubectl("get", "trafficholds", "sleeper", "-o", "jsonpath={.spec.phase}");
      return phase === "Asleep" && gone();
    },
    60_000,
  );
}

/** The time of day (milliseconds) of the last record of an object that matches; `steer why` tells it to the millisecond. */
function recordedMs(object: string, pattern: RegExp, dayOf: number): number {
  const lines = cluster.steer("why", object).stdout.split("\n");
  const line = lines.findLast((text) => pattern.test(text)) ?? "";
  const [, hours, minutes, seconds, milliseconds] = /^(\d\d):(\d\d):(\d\d)\.(\d{3})/.exec(line) ?? [];
  const at = new Date(dayOf);
  at.setHours(Number(hours), Number(minutes), Number(seconds), Number(milliseconds));
  return at.getTime();
}

interface Wake {
  readonly total: number;
  readonly untilDemand: number;
  readonly untilScale: number;
  readonly untilBound: number;
  readonly untilRunning: number;
}

try {
  cluster.steer("image", "load", ...archives);
  cluster.tryKubectl(["apply", "-f", "-"], {
    input: readFileSync(join(projectRoot, "examples/scale-to-zero/web.yaml"), "utf8"),
  });
  cluster.kubectl("rollout", "status", "deployment/sleeper", "--timeout=120s");
  await eventually("the ingress serves it", () => ask(1)[0]?.status === 200);
  const wakes: Wake[] = [];
  const byHand: number[] = [];
  for (let run = 0; run < runs; run++) {
    await sleep();
    const [answer] = ask(1);
    if (answer?.status !== 200) throw new Error(`Answered ${answer?.status}: ${answer?.text}`);
    const { sentMs, answeredMs } = answer;
    const demandedMs = Date.parse(cluster.kubectl("get", "trafficdemands", "-o", "jsonpath={.items[0].spec.at}"));
    const pod = cluster.kubectl("get", "pods", "-l", "app=sleeper", "-o", "jsonpath={.items[0].metadata.name}");
    wakes.push({
      total: answeredMs - sentMs,
      untilDemand: demandedMs - sentMs,
      untilScale: recordedMs("deployment/sleeper", /horizontal-pod-autoscaler changed .*\(scale\)/, sentMs) - sentMs,
      untilBound: recordedMs(`pod/${pod}`, /scheduler bound/, sentMs) - sentMs,
      untilRunning: recordedMs(`pod/${pod}`, /node\/\S+ changed .*\(status\)/, sentMs) - sentMs,
    });
    await sleep();
    cluster.kubectl("scale", "deployment/sleeper", "--replicas=1");
    cluster.kubectl("rollout", "status", "deployment/sleeper", "--timeout=120s");
    const own = cluster.kubectl("get", "pods", "-l", "app=sleeper", "-o", "jsonpath={.items[0].metadata.name}");
    const scaledMs = recordedMs("deployment/sleeper", /kubernetes-admin.*changed .*\(scale\)/, sentMs);
    byHand.push(recordedMs(`pod/${own}`, /node\/\S+ changed .*\(status\)/, sentMs) - scaledMs);
  }
  const median = (of: (wake: Wake) => number): number => medianOf(wakes.map(of));
  const floor = medianOf(byHand);
  print(
    "the first request from zero until it is answered",
    median(({ total }) => total),
    "ms",
    { floor },
  );
  print(
    "of it until the agent asks for pods",
    median(({ untilDemand }) => untilDemand),
    "ms",
  );
  print(
    "of it until the Deployment has a replica",
    median(({ untilScale }) => untilScale),
    "ms",
  );
  print(
    "of it until the pod is bound",
    median(({ untilBound }) => untilBound),
    "ms",
  );
  print(
    "of it until the pod is Ready",
    median(({ untilRunning }) => untilRunning),
    "ms",
  );
  print("the longest of all runs", Math.max(...wakes.map(({ total }) => total)), "ms");
  await sleep();
  const many = ask(50);
  print("of 50 requests at once from zero, lost", many.filter(({ status }) => status !== 200).length, "requests", {
    target: 0,
  });
  print("until the last of them was answered", Math.max(...many.map((one) => one.answeredMs - one.sentMs)), "ms");
  print("load of the machine", loadAverage(), "processes");
} finally {
  cluster.remove();
}
