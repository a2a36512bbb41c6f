import { fork, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { engineFlags, serverFlags } from "#main/engine-flags.ts";
import { loopbackIdentity } from "../../tests/api/loopback-identity.ts";
import { connect, connectTo, type ApiConnection } from "../cluster/connection.ts";
import * as running from "../cluster/running-cluster.ts";
import type { BarePorts } from "./bare-server.ts";
import type { LoneAnswer } from "./lone-server.ts";
import type {
  ChangeSeen,
  FetchAnswer,
  FetchOrder,
  LoadAnswer,
  LoadOrder,
  Order,
  ProbeOrder,
  StreamAnswer,
  WatchOrder,
} from "./orders.ts";
import { targetOf, type Target } from "./target.ts";
import { freePort } from "../../tests/free-port.ts";

/** The client's thread, with an answer for each order. */
export class Client {
  readonly #worker = new Worker(join(import.meta.dirname, "client.ts"));

  #ask<T>(order: Order): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#worker.removeAllListeners("message");
      this.#worker.once("message", (message: T & { error?: string }) => {
        if (message.error === undefined) resolve(message);
        else reject(new Error(message.error));
      });
      this.#worker.postMessage(order);
    });
  }

  load(order: Omit<LoadOrder, "type">): Promise<LoadAnswer> {
    return this.#ask({ type: "load", ...order });
  }

  fetch(order: Omit<FetchOrder, "type">): Promise<FetchAnswer> {
    return this.#ask({ type: "fetch", ...order });
  }

  /** Begins to ask at even distances; `endProbe` says how long the answers took. */
  async probe(order: Omit<ProbeOrder, "type">): Promise<void> {
    await this.#ask({ type: "probe", ...order });
  }

  endProbe(): Promise<LoadAnswer> {
    return this.#ask({ type: "end probe" });
  }

  async watch(order: Omit<WatchOrder, "type">): Promise<void> {
    await this.#ask({ type: "watch", ...order });
  }

  /** Resolves when every watcher has got one change more. */
  change(): Promise<ChangeSeen> {
    return this.#ask({ type: "await change" });
  }

  /** How many events all watchers have got so far; `least`: the one that got the fewest. */
  events(): Promise<StreamAnswer> {
    return this.#ask({ type: "count events" });
  }

  async unwatch(): Promise<void> {
    await this.#ask({ type: "unwatch" });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** The bare server in a process of its own. */
export interface Bare {
  readonly pid: number;
  readonly http1: Target;
  readonly http2: Target;
  /** Sends a change to all that watch. */
  change(frame: string): void;
  close(): void;
}

export async function startBare(folder: string): Promise<Bare> {
  const { certificate, key } = await loopbackIdentity();
  const place = mkdtempSync(join(folder, "bench-bare-"));
  const child: ChildProcess = fork(join(import.meta.dirname, "bare-server.ts"));
  const ports = new Promise<BarePorts>((resolve, reject) => {
    child.once("message", (message) => resolve(message as BarePorts));
    child.once("exit", () => reject(new Error("The bare server ended")));
  });
  child.send({ certificate, key, file: join(place, "log") });
  const { http1, http2 } = await ports;
  const at = { host: "127.0.0.1", serverName: "localhost", ca: certificate };
  return {
    pid: child.pid!,
    http1: { ...at, port: http1 },
    http2: { ...at, port: http2 },
    change: (frame) => void child.send({ change: frame }),
    close: () => {
      child.removeAllListeners("exit");
      child.kill();
      rmSync(place, { recursive: true, force: true });
    },
  };
}

export interface LoneFlags {
  readonly folder: string;
  /** Puts objects into the store of a folder before the server opens it. */
  readonly prepare?: (folder: string) => Promise<unknown>;
}

export interface Lone extends Cluster {
  readonly pid: number;
  /** Collects its garbage: what memory is left is in use. */
  collect(): Promise<void>;
}

/**
 * The API server alone, without loops and admission: what is told of it is its own, and a store of 300,000 objects is served
 * within seconds. It runs with the flags of a real one.
 */
export async function startLone({ folder, prepare }: LoneFlags): Promise<Lone> {
  const place = mkdtempSync(join(folder, "bench-lone-"));
  // A bench whose time is over leaves nothing behind; the server ends with it.
  const cutOff = (): void => {
    rmSync(place, { recursive: true, force: true });
    process.exit(1);
  };
  process.once("SIGTERM", cutOff);
  await prepare?.(place);
  const execArgv = [...engineFlags, ...serverFlags, "--expose-gc"];
  const child: ChildProcess = fork(join(import.meta.dirname, "lone-server.ts"), { execArgv });
  const answer = new Promise<LoneAnswer>((resolve, reject) => {
    child.once("message", (message) => resolve(message as LoneAnswer));
    child.once("exit", () => reject(new Error("The server ended")));
  });
  child.send({ folder: place });
  const { baseUrl, certificate: ca } = await answer;
  const api = connectTo(baseUrl, { ca });
  const target = { host: "127.0.0.1", serverName: "localhost", ca, port: Number(new URL(baseUrl).port) };
  await api.call("POST", "/api/v1/namespaces", { metadata: { name: benchNamespace } });
  const close = (): void => {
    process.off("SIGTERM", cutOff);
    child.removeAllListeners("exit");
    child.kill("SIGKILL");
    api.close();
    rmSync(place, { recursive: true, force: true });
  };
  const collect = (): Promise<void> =>
    new Promise((resolve) => {
      child.once("message", () => resolve());
      child.send("collect");
    });
  return { api, target, pid: child.pid!, dataDir: place, collect, close };
}

/** A whole cluster under load: a given one, or one with a simulated node that is made for it. */
export interface Cluster {
  readonly api: ApiConnection;
  /** A service account that may do everything: its requests pass all stages. */
  readonly target: Target;
  /** Of the server; undefined where the cluster is somebody else's. */
  readonly pid: number | undefined;
  readonly dataDir: string | undefined;
  close(): void;
}

export interface ClusterFlags {
  readonly kubeconfig?: string | undefined;
  readonly folder: string;
  /** Of `./steer up`, for a cluster of the bench's own. */
  readonly upFlags?: readonly string[];
  /** Puts objects into the store before the load: only into a cluster of the bench's own. */
  readonly prepare?: (dataDir: string) => Promise<unknown>;
}

export async function startCluster(flags: ClusterFlags): Promise<Cluster> {
  if (flags.kubeconfig !== undefined) {
    const api = connect(flags.kubeconfig);
    const target = await asAccount(api, targetOf(flags.kubeconfig));
    return { api, target, pid: undefined, dataDir: undefined, close: () => api.close() };
  }
  const place = running.newPlace(flags.folder, freePort());
  // A bench whose time is over leaves no cluster behind.
  const cutOff = (): void => {
    running.remove(place);
    process.exit(1);
  };
  process.once("SIGTERM", cutOff);
  try {
    let { api, kubeconfig } = await running.up(place, "--simulate", "1", ...(flags.upFlags ?? []));
    const target = await asAccount(api, targetOf(kubeconfig));
    if (flags.prepare !== undefined) {
      api.close();
      running.steer(place, "down");
      await flags.prepare(place.dataDir);
      ({ api, kubeconfig } = await running.up(place));
    }
    const close = (): void => {
      process.off("SIGTERM", cutOff);
      api.close();
      running.remove(place);
    };
    return { api, target, pid: running.processOf(place.dataDir, "server"), dataDir: place.dataDir, close };
  } catch (error) {
    running.remove(place);
    throw error;
  }
}

export const benchNamespace = "bench";

/** A service account that may do everything, for requests of somebody: one that is fair to users tells it from others. */
export async function asAccount(api: ApiConnection, admin: Target, name = "load"): Promise<Target> {
  await api.send("POST", "/api/v1/namespaces", { metadata: { name: benchNamespace } });
  const accounts = `/api/v1/namespaces/${benchNamespace}/serviceaccounts`;
  await api.send("POST", accounts, { metadata: { name } });
  await api.send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: `bench-${name}` },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", name, namespace: benchNamespace }],
  });
  const { text } = await api.call("POST", `${accounts}/${name}/token`, { spec: { expirationSeconds: 3_600 } });
  const { token } = (JSON.parse(text) as { status: { token: string } }).status;
  return { ...admin, token };
}

/** Microseconds of processors; undefined where the process is somebody else's. */
export interface ProcessorTime {
  readonly microsecondsEach: number | undefined;
  /** Of it the thread that serves. */
  readonly firstThreadMicrosecondsEach: number | undefined;
}

/** Processor time that a process used for each of what it did meanwhile. */
export async function withProcessorTime<T extends { readonly count: number }>(
  pid: number | undefined,
  work: () => Promise<T>,
): Promise<T & ProcessorTime> {
  if (pid === undefined)
    return { ...(await work()), microsecondsEach: undefined, firstThreadMicrosecondsEach: undefined };
  const before = running.processorMs(pid);
  const firstBefore = running.firstThreadMs(pid);
  const answer = await work();
  const each = (usedMs: number): number => (usedMs * 1_000) / answer.count;
  return {
    ...answer,
    microsecondsEach: each(running.processorMs(pid) - before),
    firstThreadMicrosecondsEach: each(running.firstThreadMs(pid) - firstBefore),
  };
}
