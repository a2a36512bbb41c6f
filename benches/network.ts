// Loads Services into a real kernel (in a network namespace of its own), changes one endpoint, and answers DNS questions.
// Prints one JSON line per figure, with the floor of the machine in the same run: an nft process that changes nothing, a UDP echo.
// Needs root.
//   node benches/network.ts [services]
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import type { Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { createForwarder } from "#network/dns/forward.ts";
import { startDnsServer } from "#network/dns/server.ts";
import { types, writeQuery, writeQuestion } from "#network/dns/wire.ts";
import { createZone } from "#network/dns/zone-from-objects.ts";
import { dnsService } from "#network/dns/zone.ts";
import { RuleApplier } from "#network/service-proxy/apply.ts";
import { compileService, serviceKey } from "#network/service-proxy/compile.ts";
import type { NodeFacts } from "#network/service-proxy/facts.ts";
import { RuleState } from "#network/service-proxy/rule-state.ts";
import { emptyTable } from "#network/service-proxy/table.ts";
import { realTimers } from "#world/node/clock.ts";
import { nftablesRules } from "#world/node/kernel-rules.ts";
import { realProcesses } from "#world/node/processes.ts";
import { realRandom } from "#world/node/random.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { whenCutOff } from "../tests/cluster/cut-off.ts";
import { report } from "./report.ts";

const count = Number(process.argv[2] ?? 10_000);
const facts: NodeFacts = {
  table: "steer_bench",
  nodeName: "n1",
  clusterPods: "10.128.0.0/9",
  nodePods: "10.128.0.0/24",
  serviceRanges: ["10.96.0.0/12"],
  dnsAddress: "10.96.0.10",
};

function serviceAt(index: number): Service {
  const clusterIP = `10.96.${1 + Math.floor(index / 250)}.${(index % 250) + 1}`;
  return {
    metadata: { namespace: "default", name: `s${index}`, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ name: "", port: 80, protocol: "TCP" }] },
    status: {},
  } as Service;
}

function sliceAt(index: number, shift: number): EndpointSlice {
  const address = (which: number): string =>
    `10.${128 + which}.${Math.floor(index / 250)}.${((index + shift) % 250) + 1}`;
  const endpoints = [0, 1].map((which) => ({
    addresses: [address(which)],
    conditions: { ready: true },
    nodeName: "n2",
  }));
  return { metadata: {}, addressType: "IPv4", endpoints, ports: [{ name: "", port: 8080, protocol: "TCP" }] };
}

function print(figure: string, value: number, unit: string, floor: number): void {
  report({ bench: "network", figure, value, unit, floor });
}

async function median(runs: number, task: (run: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await task(run);
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(runs / 2)] ?? 0;
}

async function benchServices(networkNamespace: string): Promise<void> {
  const rules = nftablesRules({ processes: realProcesses, networkNamespace });
  const nothing = await median(11, () =>
    realProcesses.run("nsenter", [`--net=${networkNamespace}`, "nft", "-f", "-"], { input: "\n" }),
  );
  const applier = new RuleApplier(rules, facts.table, new RuleState(emptyTable(facts)));
  const wanted = (index: number, shift: number) => {
    const service = serviceAt(index);
    return {
      owner: serviceKey(service),
      rank: serviceKey(service),
      elements: compileService(service, [sliceAt(index, shift)], facts),
    };
  };
  const start = performance.now();
  const all = Array.from({ length: count }, (_, index) => wanted(index, 0));
  const compiled = performance.now();
  await applier.apply(all);
  const loaded = performance.now();
  print(`compile ${count} Services`, compiled - start, "ms", nothing);
  print(`load ${count} Services with 2 endpoints each`, loaded - compiled, "ms", nothing);
  const change = await median(21, (run) => applier.apply([wanted(77, run + 1)]));
  print(`change one endpoint among ${count} Services`, change, "ms", nothing);
}

/** Questions a second that one client gets answered with 50 under way. */
async function askRate(port: number, message: Uint8Array, questions: number): Promise<number> {
  const socket = createSocket("udp4");
  let sent = 0;
  let answered = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const ask = (): void => {
    if (questions <= sent) return;
    sent += 1;
    socket.send(message, port, "127.0.0.1");
  };
  socket.on("message", () => {
    answered += 1;
    if (answered === questions) resolve();
    else ask();
  });
  const start = performance.now();
  for (let index = 0; index < 50; index++) ask();
  await promise;
  socket.close();
  return (questions * 1000) / (performance.now() - start);
}

async function benchDns(): Promise<void> {
  const services = new Map(
    Array.from({ length: count }, (_, index) => dnsService(serviceAt(index))).map((one) => [
      `default/${one.name}`,
      one,
    ]),
  );
  const zone = createZone("cluster.local", () => facts.serviceRanges, {
    service: (key) => services.get(key),
    servicesAt: () => [],
    endpointsOf: () => [],
    endpointsAt: () => [],
    hasNamespace: () => true,
  });
  const timers = realTimers({ keepAlive: true });
  const forwarder = createForwarder({ sockets: nodeSockets, timers, random: realRandom, upstreams: () => [] });
  const onProblem = (problem: string, error: unknown): void => console.error(problem, error);
  const listen = { sockets: nodeSockets, timers, address: "127.0.0.1", port: 0 };
  const server = await startDnsServer({ ...listen, zone, forwarder, onProblem });
  const echo = createSocket("udp4");
  echo.on("message", (message, from) => echo.send(message, from.port, from.address));
  await new Promise<void>((resolve) => echo.bind(0, "127.0.0.1", resolve));
  const message = writeQuery(1, writeQuestion("s77.default.svc.cluster.local", types.A));
  const floor = await askRate(echo.address().port, message, 20_000);
  const rate = await askRate(server.port, message, 20_000);
  print("DNS answers, client in the same process", rate, "per second", floor);
  echo.close();
  await server.close();
}

const name = `steer-bench-${process.pid}`;
execFileSync("ip", ["netns", "add", name]);
const leave = (): unknown => execFileSync("ip", ["netns", "del", name]);
const takeBack = whenCutOff(leave);
try {
  await benchServices(`/run/netns/${name}`);
} finally {
  takeBack();
  leave();
}
await benchDns();
