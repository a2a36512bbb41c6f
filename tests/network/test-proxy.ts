import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { TrafficSplitSpec } from "#api/delivery/traffic-split.ts";
import { IngressDataPlane } from "#network/ingress/data-plane.ts";
import { Haproxy } from "#network/ingress/haproxy.ts";
import type { Split } from "#network/ingress/route-table.ts";
import { Runtime } from "#network/ingress/runtime.ts";
import { splitOf } from "#network/ingress/split.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { realDisk } from "#world/node/disk.ts";
import { realProcesses } from "#world/node/processes.ts";
import { nodeSockets } from "#world/node/sockets.ts";

/** Why tests that need HAProxy cannot run here. */
export const skipWithoutHaproxy = spawnSync("haproxy", ["-v"]).status === 0 ? false : "needs haproxy";

/** Timers that keep the test alive while something waits for them. */
export const timers = realTimers({ keepAlive: true });

/** A real HAProxy on loopback, configured as on a node. */
export class TestProxy {
  readonly folder = mkdtempSync(`${tmpdir()}/steer-proxy-`);
  readonly runtime = new Runtime({ sockets: nodeSockets, timers, path: `${this.folder}/haproxy.sock` });
  readonly httpPort: number;
  readonly haproxy: Haproxy;
  plane: IngressDataPlane;
  readonly #shared;

  /** With `servicesPort` it also serves, on loopback, what pods ask of Services. */
  constructor(httpPort: number, httpsPort: number, servicesPort?: number) {
    this.httpPort = httpPort;
    const services = servicesPort === undefined ? {} : { services: { address: "127.0.0.1", port: servicesPort } };
    const listen = { addresses: ["127.0.0.1"], httpPort, httpsPort, ...services };
    this.#shared = { disk: realDisk, runtime: this.runtime, folder: this.folder, listen, clock: realClock };
    const certificate =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x -keyout -";
    this.haproxy = new Haproxy({
      ...this.#shared,
      processes: realProcesses,
      timers,
      defaultCertificate: () =>
        Promise.resolve(spawnSync("openssl", certificate.split(" "), { encoding: "utf8" }).stdout),
    });
    this.plane = this.#makePlane();
  }

  /** As after a restart of the agent: HAProxy goes on, all that we knew of it is gone. */
  forget(): void {
    this.plane.close();
    this.plane = this.#makePlane();
  }

  async stop(): Promise<void> {
    this.plane.close();
    await this.haproxy.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #makePlane(): IngressDataPlane {
    return new IngressDataPlane({ ...this.#shared, haproxy: this.haproxy, onGone: () => undefined });
  }
}

/** A split of the users of d/web. */
export function splitOfWeb(spec: Partial<TrafficSplitSpec>): Omit<Split, "backends"> {
  const split = splitOf({
    apiVersion: "delivery.steersman.dev/v1",
    kind: "TrafficSplit",
    metadata: { name: "web", namespace: "d" },
    spec: {
      service: "web",
      to: { service: "web-canary" },
      users: { cookie: "sid" },
      hashKey: "0123456789abcdef",
      threshold: 0,
      ...spec,
    },
  });
  assert.ok(typeof split !== "string", String(split));
  return split;
}
