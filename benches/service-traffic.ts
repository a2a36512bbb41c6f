// What it costs a pod to reach a Service through its node's proxy instead of by packet rules: time of a request on a connection that
// stays, requests a second, and the same with a connection for each request. A whole node's network in network namespaces of the
// bench's own; the pod that answers is a HAProxy that does nothing else. Both ways in turns, medians. Needs root, haproxy and wrk.
//   node benches/service-traffic.ts [seconds of each round] [rounds]
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { service, slice, splitByHeader } from "../tests/network/objects.ts";
import { node, TestNode } from "../tests/network/test-node.ts";
import { whenCutOff } from "../tests/cluster/cut-off.ts";
import { report } from "./report.ts";

const seconds = Number(process.argv[2] ?? 2);
const rounds = Number(process.argv[3] ?? 5);
const url = "http://10.96.0.20/";
const ticksPerSecond = 100;
const loads = {
  "one client": ["-t1", "-c1"],
  "16 clients": ["-t1", "-c16"],
  "16 clients, a connection each request": ["-t1", "-c16", "-H", "Connection: close"],
} as const;
type Load = keyof typeof loads;
const ways = { "packet rules": "false", proxy: "true" } as const;
type Way = keyof typeof ways;

interface Round {
  readonly perSecond: number;
  readonly medianUs: number;
  readonly slowUs: number;
  readonly proxyUs: number;
}

const web = service("web", { clusterIP: "10.96.0.20" });

function microseconds(text: string): number {
  const [, value = "0", unit = "us"] = /([\d.]+)(us|ms|s)/.exec(text) ?? [];
  return Number(value) * { us: 1, ms: 1e3, s: 1e6 }[unit as "us" | "ms" | "s"];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

for (const program of ["haproxy", "wrk"])
  if (spawnSync(program, ["-v"]).error !== undefined) throw new Error(`Cannot measure: ${program} is not installed`);

const stage = new TestNode();
const leave = async (): Promise<void> => {
  await stage.cleanUp();
  await stage[Symbol.asyncDispose]();
};
const takeBack = whenCutOff(leave);
try {
  stage.namespace.ip("addr add 192.168.9.1/32 dev lo");
  await stage.start([
    ["nodes", node],
    ["namespaces", { metadata: { name: "default" } }],
  ]);
  const [pod, caller] = [stage.pod(), stage.pod()];
  const file = `${stage.folder}/pod.cfg`;
  writeFileSync(
    file,
    "defaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\nfrontend pod\n  bind :8080\n" +
      "  http-request return status 200 content-type text/plain string ok\n",
  );
  void pod.namespace.start("haproxy", ["-db", "-f", file]).catch(() => undefined); // It says nothing, and ends with the bench.
  stage.feed("services", service("web-canary", { clusterIP: "None" }));
  stage.feed("endpointslices", slice("web", 8080, [pod.address]));
  stage.feed("endpointslices", slice("web-canary", 8080, [pod.address]));
  stage.feed("trafficsplits", splitByHeader);
  const isProxied = (): boolean =>
    stage.namespace.run("nft", ["list", "map", "ip", "steer_test", "proxied"]).includes("10.96.0.20");
  const goThrough = async (way: Way): Promise<void> => {
    const metadata = { ...web.metadata, annotations: { "steersman.dev/through-proxy": ways[way] } };
    stage.feed("services", { ...web, metadata });
    while (isProxied() !== (way === "proxy")) await sleep(20);
    const retries = ["--retry", "50", "--retry-delay", "0", "--retry-all-errors"];
    caller.namespace.run("curl", ["-sSf", ...retries, url]);
  };
  const master = (): string => readFileSync(`${stage.folder}/network/haproxy/haproxy.pid`, "utf8").trim();
  const proxyTicks = (): number => {
    const worker = stage.namespace.run("pgrep", ["-P", master()]).trim().split("\n").at(-1) ?? "";
    const fields = readFileSync(`/proc/${worker}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  const measure = (load: Load): Round => {
    const before = proxyTicks();
    const args = [...loads[load], `-d${seconds}s`, "--latency", "-H", "X-User: u-7", url];
    const output = caller.namespace.run("wrk", args);
    const total = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
    return {
      perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? 0),
      medianUs: microseconds(/50%\s+(\S+)/.exec(output)?.[1] ?? ""),
      slowUs: microseconds(/99%\s+(\S+)/.exec(output)?.[1] ?? ""),
      proxyUs: total === 0 ? 0 : ((proxyTicks() - before) * 1e6) / ticksPerSecond / total,
    };
  };
  const found = new Map<string, Round[]>();
  for (let round = 0; round < rounds; round++) {
    for (const way of Object.keys(ways) as Way[]) {
      await goThrough(way);
      for (const load of Object.keys(loads) as Load[]) {
        const key = `${load}, ${way}`;
        found.set(key, [...(found.get(key) ?? []), measure(load)]);
      }
    }
  }
  // The floor of the proxy is what packet rules do in the same run.
  for (const load of Object.keys(loads) as Load[]) {
    for (const way of Object.keys(ways) as Way[]) {
      const of = (field: keyof Round, by: Way = way): number =>
        median((found.get(`${load}, ${by}`) ?? []).map((result) => result[field]));
      const tell = (what: string, field: keyof Round, unit: string): void => {
        const figure = { bench: "service-traffic", figure: `${load}, ${way}: ${what}`, value: of(field), unit };
        report(way === "proxy" ? { ...figure, floor: of(field, "packet rules") } : figure);
      };
      tell("median time of a request", "medianUs", "µs");
      tell("99 % of requests are faster than", "slowUs", "µs");
      tell("requests", "perSecond", "1/s");
      if (way === "proxy") tell("processor time of the proxy for a request", "proxyUs", "µs");
    }
  }
} finally {
  takeBack();
  await leave();
}
