import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { Agent, createServer, request, type Server as HttpServer } from "node:http";
import { connect as connectH2 } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { IngressTraffic } from "#api/observability/traffic.ts";
import { readTraffic } from "#network/ingress/counters.ts";
import { IngressDataPlane } from "#network/ingress/data-plane.ts";
import { Haproxy } from "#network/ingress/haproxy.ts";
import type { Backend, Certificate, Route, RouteTable } from "#network/ingress/route-table.ts";
import { Runtime } from "#network/ingress/runtime.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { realDisk } from "#world/node/disk.ts";
import { realProcesses } from "#world/node/processes.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { freePort } from "../free-port.ts";

function available(command: string): boolean {
  try {
    execFileSync(command, ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const timers = realTimers({ keepAlive: true });

/** A pod: answers its name; ends like a good one, the open requests first. */
class Pod {
  readonly name: string;
  readonly server: HttpServer;
  readonly port: number;

  private constructor(name: string, server: HttpServer, port: number) {
    this.name = name;
    this.server = server;
    this.port = port;
  }

  static async start(name: string): Promise<Pod> {
    const server = createServer((incoming, response) =>
      response.end(JSON.stringify({ name, url: incoming.url, headers: incoming.headers })),
    );
    server.on("upgrade", (_incoming, socket) => {
      socket.on("error", () => undefined);
      const accept = "Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${accept}\r\n\r\n`);
      socket.on("data", (chunk: Buffer) => socket.write(`${name}:${chunk.toString()}`));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Pod(name, server, (server.address() as { port: number }).port);
  }

  /** Connections are refused from now on, open ones break. */
  kill(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

function table(routes: Route[], backends: Record<string, Pod[]>, certificates: Certificate[] = []): RouteTable {
  const all = Object.entries(backends).map(([id, pods]): Backend => ({
    id,
    servers: pods.map(({ port }) => ({ address: "127.0.0.1", port, weight: 100 })),
  }));
  return {
    sites: [...new Set(routes.map(({ site }) => site))],
    exact: [],
    prefix: routes,
    backends: new Map(all.map((backend) => [backend.id, backend])),
    certificates,
    splits: [],
  };
}

function selfSigned(name: string): string {
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  return execFileSync(
    "openssl",
    [...args, "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`, "-keyout", "-"],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
}

class Stage implements AsyncDisposable {
  readonly folder = mkdtempSync(`${tmpdir()}/steer-ingress-`);
  readonly haproxy: Haproxy;
  readonly listen: { addresses: string[]; httpPort: number; httpsPort: number };
  readonly #pods: Pod[] = [];
  readonly runtime: Runtime;
  gone = 0;
  plane: IngressDataPlane;

  private constructor(httpPort: number, httpsPort: number) {
    this.listen = { addresses: ["127.0.0.1"], httpPort, httpsPort };
    this.runtime = new Runtime({ sockets: nodeSockets, timers, path: `${this.folder}/haproxy.sock` });
    this.haproxy = new Haproxy({
      processes: realProcesses,
      disk: realDisk,
      clock: realClock,
      timers,
      runtime: this.runtime,
      folder: this.folder,
      listen: this.listen,
      defaultCertificate: () => Promise.resolve(selfSigned("default.invalid")),
    });
    this.plane = this.newPlane();
  }

  static async open(): Promise<Stage> {
    return new Stage(freePort(), freePort());
  }

  /** What a restart of the agent makes. */
  newPlane(): IngressDataPlane {
    const onGone = (): void => void (this.gone += 1);
    const { haproxy, runtime, folder, listen } = this;
    return new IngressDataPlane({ haproxy, runtime, folder, listen, disk: realDisk, onGone });
  }

  /** The kernel's number of what HAProxy's runtime API listens on. */
  listeningSocket(): string {
    const path = `${readlinkSync(`${this.folder}/haproxy.sock`)}.`;
    const line = readFileSync("/proc/net/unix", "utf8")
      .split("\n")
      .find((text) => text.includes(path));
    return line?.split(" ").at(-2) ?? assert.fail(`nobody listens on ${path}`);
  }

  async pod(name: string): Promise<Pod> {
    const pod = await Pod.start(name);
    this.#pods.push(pod);
    return pod;
  }

  /** Status and body; a failure of the connection as status 0. */
  get(host: string, path = "/", agent?: Agent): Promise<{ status: number; body: string }> {
    return new Promise((resolve) => {
      const options = { host: "127.0.0.1", port: this.listen.httpPort, path, headers: { host }, agent: agent ?? false };
      const outgoing = request(options, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", (error) => resolve({ status: 0, body: String(error) }));
      });
      outgoing.on("error", (error) => resolve({ status: 0, body: String(error) }));
      outgoing.end();
    });
  }

  async name(host: string, path = "/"): Promise<string> {
    const { status, body } = await this.get(host, path);
    return status === 200 ? (JSON.parse(body) as { name: string }).name : String(status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.plane.close();
    await this.haproxy.stop();
    for (const pod of this.#pods) pod.kill();
    rmSync(this.folder, { recursive: true });
  }
}

const route = (site: string, path: string, backend: string): Route => ({ site, path, backend });

test(
  "Ingress through a real HAProxy",
  { skip: !available("haproxy") && "needs haproxy", timeout: 900_000 },
  async (t) => {
    await using stage = await Stage.open();
    const [one, two, three] = [await stage.pod("one"), await stage.pod("two"), await stage.pod("three")];
    const routes = [
      route("a.com", "", "d/web:80"),
      route("a.com", "/api", "d/api:80"),
      route("*.b.com", "", "d/api:80"),
      route("c.com", "", "d/none:80"),
    ];
    const backends = { "d/web:80": [one, two], "d/api:80": [three], "d/none:80": [] };
    await stage.plane.apply(table(routes, backends));

    await t.test("hosts and paths lead to their backends", async () => {
      const seen = new Set<string>();
      for (let index = 0; index < 10; index++) seen.add(await stage.name("a.com"));
      assert.deepEqual([...seen].toSorted(), ["one", "two"]);
      assert.equal(await stage.name("A.com:80", "/api"), "three");
      assert.equal(await stage.name("a.com", "/api/x?y=1"), "three");
      assert.notEqual(await stage.name("a.com", "/apis"), "three");
      assert.equal(await stage.name("x.b.com"), "three");
      assert.equal(await stage.name("x.y.b.com"), "404");
      assert.equal(await stage.name("unknown.com"), "404");
      assert.equal(await stage.name("c.com"), "503");
    });

    await t.test("requests are counted by backend", async () => {
      const read = async () => readTraffic(stage.runtime, stage.plane);
      const ownErrors = ({ backends }: IngressTraffic): number | undefined =>
        backends.find(({ backend }) => backend === "d/none:80")?.ownAnswers[4];
      let counted = await read();
      // A request is counted when it has ended in HAProxy: a moment after its answer is here.
      for (let look = 0; look < 200 && ownErrors(counted) !== 1; look++) {
        await timers.sleep(25);
        counted = await read();
      }
      const answers = new Map(counted.routes.map((one) => [one.backend, one.answers]));
      assert.equal(answers.get("d/web:80")?.[1], 11);
      assert.equal(answers.get("d/api:80")?.[1], 3, "answers of the class 2xx");
      assert.equal(ownErrors(counted), 1, "a Service without pods is answered by HAProxy");
    });

    await t.test("the pod learns of the client, and cannot be lied to about it", async () => {
      const options = {
        host: "127.0.0.1",
        port: stage.listen.httpPort,
        headers: { host: "a.com", "x-forwarded-for": "6.6.6.6" },
      };
      const body = await new Promise<string>((resolve) => {
        request(options, (response) => response.on("data", (chunk: Buffer) => resolve(chunk.toString()))).end();
      });
      const { headers } = JSON.parse(body) as { headers: Record<string, string> };
      assert.deepEqual(
        [headers["x-forwarded-for"], headers["x-forwarded-proto"], headers["host"]],
        ["127.0.0.1", "http", "a.com"],
      );
    });

    await t.test("routes and endpoints change under load without a failed request or a reload", async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 8 });
      const failures: string[] = [];
      let finished = false;
      let count = 0;
      const client = async (): Promise<void> => {
        while (!finished) {
          const { status, body } = await stage.get("a.com", "/", agent);
          count += 1;
          if (status !== 200) failures.push(`${status} ${body}`);
        }
      };
      const clients = Array.from({ length: 8 }, client);
      let pods = [one, two];
      for (let round = 0; round < 15; round++) {
        const fresh = await stage.pod(`round${round}`);
        const [leaving, ...staying] = pods;
        await stage.plane.apply(
          table([...routes, route(`r${round}.com`, "", "d/web:80")], { ...backends, "d/web:80": [...pods, fresh] }),
        );
        pods = [...staying, fresh];
        await stage.plane.apply(table(routes, { ...backends, "d/web:80": pods }));
        leaving?.kill();
      }
      finished = true;
      await Promise.all(clients);
      agent.destroy();
      assert.deepEqual(failures, []);
      assert.ok(100 < count, `${count} requests`);
      assert.equal(stage.plane.reloads, 1, "only the first start");
      await stage.plane.apply(table(routes, { ...backends, "d/web:80": [three] }));
      assert.equal(await stage.name("a.com"), "three");
    });

    await t.test("a pod that died a moment ago costs no request", async () => {
      const dying = await stage.pod("dying");
      await stage.plane.apply(table(routes, { ...backends, "d/web:80": [dying, three] }));
      dying.kill();
      for (let index = 0; index < 10; index++) assert.equal(await stage.name("a.com"), "three");
    });

    await t.test("TLS by host, HTTP/2, and a certificate that HAProxy refuses hurts nobody", async () => {
      const good: Certificate = { id: "d/tls", hosts: ["a.com"], pem: selfSigned("a.com") };
      const [chain = ""] = selfSigned("x.b.com").split("-----BEGIN PRIVATE KEY-----").toReversed();
      const certificateOnly = `-----BEGIN CERTIFICATE-----${chain.split("-----BEGIN CERTIFICATE-----")[1] ?? ""}`;
      const broken: Certificate = {
        id: "d/broken",
        hosts: ["x.b.com"],
        pem: `${certificateOnly}${keyOf(selfSigned("other"))}`,
      };
      const faults = await stage.plane.apply(table(routes, { ...backends, "d/web:80": [three] }, [broken, good]));
      assert.deepEqual([...faults.keys()], ["d/broken"]);
      assert.equal(await certificateName(stage, "a.com"), "a.com");
      assert.equal(await certificateName(stage, "x.b.com"), "default.invalid");
      assert.match(await getByH2(stage, "a.com"), /"name":"three".*"x-forwarded-proto":"https"/);
      const renewed: Certificate = { ...good, hosts: ["a.com", "x.b.com"], pem: selfSigned("renewed") };
      await stage.plane.apply(table(routes, { ...backends, "d/web:80": [three] }, [renewed]));
      assert.equal(await certificateName(stage, "x.b.com"), "renewed");
      await stage.plane.apply(table(routes, { ...backends, "d/web:80": [three] }));
      assert.equal(await certificateName(stage, "a.com"), "default.invalid");
    });

    await t.test("a WebSocket stays open while everything changes", async () => {
      const socket = connect(stage.listen.httpPort, "127.0.0.1");
      socket.write(
        "GET / HTTP/1.1\r\nHost: a.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      assert.match(await next(socket), /101 Switching/);
      await stage.plane.apply(table([route("other.com", "", "d/web:80")], { "d/web:80": [two] }));
      socket.write("still");
      assert.equal(await next(socket), "three:still");
      socket.destroy();
    });

    await t.test("a restart of ours finds HAProxy again and brings it up to date without a reload", async () => {
      await stage.plane.apply(table(routes, { ...backends, "d/web:80": [three] }));
      stage.plane.close();
      stage.plane = stage.newPlane();
      const other = await stage.pod("other");
      await stage.plane.apply(table([route("a.com", "", "d/web:80")], { "d/web:80": [other] }));
      assert.equal(stage.plane.reloads, 0);
      assert.equal(await stage.name("a.com"), "other");
      assert.equal(await stage.name("x.b.com"), "404");
    });

    await t.test("when places run out, a reload makes more without a failed request", async () => {
      const pod = await stage.pod("many");
      const many = Array.from({ length: 100 }, (_, index) => route(`h${index}.com`, "", `d/s${index}:80`));
      let finished = false;
      const failures: string[] = [];
      const load = (async () => {
        while (!finished) {
          const { status, body } = await stage.get("a.com");
          if (status !== 200) failures.push(`${status} ${body}`);
        }
      })();
      const all = Object.fromEntries(many.map(({ backend }) => [backend, [pod]]));
      const inherited = stage.listeningSocket();
      await stage.plane.apply(table([route("a.com", "", "d/web:80"), ...many], { "d/web:80": [pod], ...all }));
      finished = true;
      await load;
      assert.deepEqual(failures, []);
      assert.equal(stage.plane.reloads, 1);
      assert.notEqual(stage.listeningSocket(), inherited, "the old process could answer what the new one is asked");
      assert.equal(await stage.name("h99.com"), "many");
    });

    await t.test(
      "when we end before the link leads to a new process, the next one gets a socket of its own",
      async () => {
        const link = `${stage.folder}/haproxy.sock`;
        const life = Number(/\d+/.exec(readlinkSync(link))?.[0]);
        stage.plane.close();
        rmSync(link);
        symlinkSync(`haproxy-${life - 1}.sock`, link);
        stage.plane = stage.newPlane();
        const pod = await stage.pod("finished");
        await stage.plane.apply(table([route("a.com", "", "d/web:80")], { "d/web:80": [pod] }));
        assert.equal(readlinkSync(link), `haproxy-${life + 1}.sock`);
        assert.equal(await stage.name("a.com"), "finished");
      },
    );

    await t.test("when HAProxy is killed, we are told, and the next round starts it with everything", async () => {
      const pid = Number(readFileSync(`${stage.folder}/haproxy.pid`, "utf8"));
      const before = stage.gone;
      process.kill(pid, "SIGKILL");
      while (stage.gone === before) await timers.sleep(10);
      const [pod] = [await stage.pod("again")];
      await stage.plane.apply(table([route("a.com", "", "d/web:80")], { "d/web:80": [pod] }));
      assert.equal(await stage.name("a.com"), "again");
    });
  },
);

function keyOf(pem: string): string {
  return /-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----\n/.exec(pem)?.[0] ?? "";
}

function certificateName(stage: Stage, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls(
      { host: "127.0.0.1", port: stage.listen.httpsPort, servername: host, rejectUnauthorized: false },
      () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      },
    );
    socket.on("error", reject);
  });
}

function getByH2(stage: Stage, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connectH2(`https://127.0.0.1:${stage.listen.httpsPort}`, {
      servername: host,
      rejectUnauthorized: false,
    });
    session.on("error", reject);
    const stream = session.request({ ":path": "/", ":authority": host });
    let body = "";
    stream.on("data", (chunk: Buffer) => (body += chunk.toString()));
    stream.on("end", () => {
      session.close();
      resolve(body);
    });
  });
}

function next(socket: ReturnType<typeof connect>): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    socket.once("error", reject);
  });
}
