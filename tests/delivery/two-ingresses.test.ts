/** One canary through the ingresses of two nodes, each a real HAProxy: their counts are one number, and both must let go. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { after, test } from "node:test";
import type { TrafficCount, TrafficSplitSpec } from "#api/delivery/traffic-split.ts";
import { createClient } from "#client/http-client.ts";
import { IngressDataPlane } from "#network/ingress/data-plane.ts";
import { Haproxy } from "#network/ingress/haproxy.ts";
import { Runtime } from "#network/ingress/runtime.ts";
import { splitOf } from "#network/ingress/split.ts";
import { SplitCounts } from "#network/ingress/split-counts.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { realDisk } from "#world/node/disk.ts";
import { realProcesses } from "#world/node/processes.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { createWorld, type World } from "./model.ts";
import { eventually } from "../eventually.ts";
import { freePort } from "../free-port.ts";

const skip = spawnSync("haproxy", ["-v"]).status === 0 ? false : "needs haproxy";
const timers = realTimers({ keepAlive: true });
const cleanUps: (() => unknown)[] = [];
const certificate = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x -keyout -";

after(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
});

/** A version whose pods fail the users with these numbers. */
async function startPod(isBad: (user: number) => boolean): Promise<number> {
  const server: Server = createServer(({ headers }, response) => {
    const user = Number(/sid=(\d+)/.exec(headers.cookie ?? "")?.[1]);
    response.writeHead(isBad(user) ? 500 : 200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUps.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as { port: number }).port;
}

/** The ingress of one node, and what it tells the API. */
class NodeIngress {
  readonly #port: number;
  readonly #plane: IngressDataPlane;
  readonly #counts: SplitCounts;
  readonly #world: World;
  readonly #pods: { readonly old: number; readonly new: number };

  constructor(name: string, world: World, pods: { old: number; new: number }, httpPort: number, httpsPort: number) {
    const folder = mkdtempSync(`${tmpdir()}/steer-two-`);
    const runtime = new Runtime({ sockets: nodeSockets, timers, path: `${folder}/haproxy.sock` });
    const shared = { disk: realDisk, runtime, folder, listen: { addresses: ["127.0.0.1"], httpPort, httpsPort } };
    const defaultCertificate = (): Promise<string> =>
      Promise.resolve(spawnSync("openssl", certificate.split(" "), { encoding: "utf8" }).stdout);
    const haproxy = new Haproxy({ ...shared, processes: realProcesses, clock: realClock, timers, defaultCertificate });
    this.#port = httpPort;
    this.#world = world;
    this.#pods = pods;
    this.#plane = new IngressDataPlane({ ...shared, haproxy, onGone: () => undefined });
    this.#counts = new SplitCounts({
      runtime,
      client: createClient(world.api.transport, { userAgent: name }),
      clock: world.time.clock,
      timers,
      nodeName: name,
      onProblem: (problem, error) => assert.fail(`${problem}: ${String(error)}`),
    });
    cleanUps.push(async () => {
      await this.#counts.stop();
      this.#plane.close();
      await haproxy.stop();
      rmSync(folder, { recursive: true, force: true });
    });
  }

  /** Serves the split as it is in the API now. */
  async serve(): Promise<void> {
    const object = this.#world.api.get("trafficsplits", "default/web")!;
    const spec = object.spec as object as TrafficSplitSpec;
    const { namespace = "", name, uid } = object.metadata;
    const split = splitOf({
      apiVersion: "delivery.steersman.dev/v1",
      kind: "TrafficSplit",
      metadata: { namespace, name },
      spec,
    });
    assert.ok(typeof split !== "string", String(split));
    const backend = (id: string, port: number) =>
      [id, { id, servers: [{ address: "127.0.0.1", port, weight: 100 }] }] as const;
    await this.#plane.apply({
      sites: [],
      exact: [],
      prefix: [{ site: "_", path: "", backend: "d/web:80" }],
      backends: new Map([backend("d/web:80", this.#pods.old), backend("d/new:80", this.#pods.new)]),
      certificates: [],
      splits: [{ ...split, backends: [{ from: "d/web:80", to: "d/new:80" }] }],
    });
    this.#counts.hold([{ namespace, name, uid, threshold: spec.threshold, run: spec.run ?? "" }]);
  }

  visit(user: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const headers = { host: "web.example", cookie: `sid=${user}` };
    const call = request({ host: "127.0.0.1", port: this.#port, headers, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    call.on("error", reject);
    call.end();
    return promise;
  }
}

function told(world: World): TrafficCount["spec"][] {
  return world.api.list("trafficcounts").map(({ spec }) => spec as object as TrafficCount["spec"]);
}

async function until(world: World, what: string, reached: () => boolean): Promise<void> {
  await eventually(
    () => `${what}: ${JSON.stringify([world.status(), told(world)])}`,
    async () => {
      if (reached()) return true;
      // The nodes look by real timers, and tell what is not urgent by the model's clock.
      await world.time.advance(10);
      return false;
    },
  );
}

test("what two ingresses count is judged as one, and a rollback waits for both", { skip }, async () => {
  const world = await createWorld({ steps: [{ share: "30%", for: "1h" }, { share: "100%" }] });
  cleanUps.push(() => world.stop());
  Object.assign(world.traffic, { usersPerRound: 0, reports: false });
  world.api.put("nodes", { metadata: { name: "n2" }, status: { conditions: [{ type: "Ready", status: "True" }] } });
  const pods = { old: await startPod(() => false), new: await startPod((user) => user >= 1_000) };
  const nodes = [
    new NodeIngress("n1", world, pods, freePort(), freePort()),
    new NodeIngress("n2", world, pods, freePort(), freePort()),
  ] as const;
  world.setImage("web:2");
  await world.live(20, () => world.status().phase === "Step");
  for (const node of nodes) await node.serve();

  // Good users first: each comes through one of the nodes.
  for (let user = 0; user < 120; user++) assert.equal(await nodes[user % 2]!.visit(user), 200);
  const users = (side: "chosen" | "others"): number => told(world).reduce((sum, count) => sum + count[side].users, 0);
  await until(world, "all users told", () => users("chosen") + users("others") === 120);
  assert.equal(told(world).length, 2);
  for (const { chosen, others } of told(world)) assert.equal(chosen.users + others.users, 60);
  await until(world, "the sum", () => world.status().users?.users === users("chosen"));
  assert.equal(world.status().control?.users, users("others"));
  assert.equal(world.status().verdict, "NotEnoughData", "no step passes before its time");

  // Users whom the new version fails: too few on either node to tell, enough on both.
  let failed = 0;
  for (let user = 1_000; world.status().phase === "Step" && user < 1_400; user++) {
    if ((await nodes[user % 2]!.visit(user)) !== 500) continue;
    failed += 1;
    await until(
      world,
      "the error told",
      () => told(world).reduce((sum, { chosen }) => sum + chosen.inErrors, 0) === failed,
    );
    await world.time.advance(200);
  }
  assert.equal(world.status().phase, "RollingBack");
  assert.equal(world.status().lastRollback?.users.inErrors, failed);
  for (const { chosen } of told(world)) assert.ok(chosen.inErrors < failed, "each node saw a part");

  await nodes[0].serve();
  await until(world, "n1 lets go", () => told(world).some(({ node, threshold }) => node === "n1" && threshold === 0));
  await world.time.advance(1_000);
  assert.equal(world.status().phase, "RollingBack", "the other node still sends users there");
  await nodes[1].serve();
  await until(world, "n2 lets go", () => world.status().phase === "RolledBack");
});
