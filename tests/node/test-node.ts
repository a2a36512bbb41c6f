import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "#api/generated/core-v1.ts";
import { pods } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import { createAgent, type Agent } from "#node/agent.ts";
import { startContainerd, type Containerd } from "#node/containerd/start.ts";
import { writeImageArchive } from "#node/images/oci-archive.ts";
import { buildPauseImage, pauseImageName } from "#node/images/pause.ts";
import type { Clock } from "#world/clock.ts";
import type { ContainerRuntime } from "#world/container-runtime.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { connectContainerRuntime } from "#world/node/container-runtime.ts";
import { createCrypto } from "#world/node/crypto.ts";
import { realDisk } from "#world/node/disk.ts";
import { nodeHttp } from "#world/node/http.ts";
import { linuxMachine } from "#world/node/machine.ts";
import { unixSocketPlugins } from "#world/node/node-plugins.ts";
import { linuxProbeWire } from "#world/node/probe-wire.ts";
import { realProcesses } from "#world/node/processes.ts";
import { realRandom } from "#world/node/random.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { MemoryApi } from "./memory-api.ts";

export const busybox = "localhost/busybox:1";

/** Milliseconds that a loaded machine may take for what takes a moment. */
const leftMsMax = 60_000;

/** Why real containers cannot run here; false when they can. */
export const cannotRun: string | false = process.getuid?.() === 0 ? false : "real containers need root";

/** A node with a containerd of its own in a temporary folder. */
export class TestNode {
  readonly api = new MemoryApi();
  readonly dir = mkdtempSync("/tmp/steersman-node-");
  readonly cgroupRoot = `/steersman-test-${process.pid}`;
  /** What plugins and pods know as /var/lib/kubelet. */
  readonly pluginFolder = `${this.dir}/kubelet`;
  readonly problems: string[] = [];
  runtime!: ContainerRuntime & { close(): void };
  agent!: Agent;
  #containerd!: Containerd;

  #client: Client = this.api;

  /** Without a client of its own the node follows `api`. */
  static async start(client?: Client): Promise<TestNode> {
    const node = new TestNode();
    if (client !== undefined) node.#client = client;
    await node.#startRuntime();
    await node.startAgent();
    return node;
  }

  async startAgent(clock: Clock = realClock): Promise<void> {
    this.agent = await createAgent({
      nodeName: "n1",
      client: this.#client,
      runtime: this.runtime,
      machine: linuxMachine(realProcesses),
      disk: realDisk,
      crypto: createCrypto(),
      clock,
      timers: realTimers({ keepAlive: true }),
      random: realRandom,
      probeWire: linuxProbeWire(),
      http: nodeHttp,
      certificates: { read: () => undefined },
      sha1: (data) => createHash("sha1").update(data).digest(),
      settings: {
        dataDir: `${this.dir}/node`,
        memoryDir: `${this.dir}/memory`,
        logsDir: `${this.dir}/logs`,
        cgroupRoot: this.cgroupRoot,
        clusterDns: ["10.96.0.10"],
        clusterDomain: "cluster.local",
        addresses: () => ["192.0.2.1"],
        version: "v1.36.0+steersman.0",
        apiPort: () => 10250,
        labels: {},
        podsMax: 110,
        reserved: { cpuMilli: 100, memoryBytes: 256 << 20 },
        resolvConfPath: "/etc/resolv.conf",
        pluginFolder: this.pluginFolder,
      },
      plugins: unixSocketPlugins(),
      restartRuntime: () => this.restartRuntime(),
      onProblem: (problem, error) => this.problems.push(`${problem}: ${String(error)}`),
    });
    await this.agent.start();
  }

  /** Ends containerd, which ends no container, and starts it again; `meanwhile` happens while it is away. */
  async restartRuntime(meanwhile?: () => Promise<void>): Promise<void> {
    this.runtime.close();
    await this.#containerd.stop();
    await meanwhile?.();
    await this.#connectRuntime();
  }

  /** The process that holds a pod's namespaces. */
  async sandboxProcess(pod: Pod): Promise<number> {
    const [sandbox] = await this.runtime.listSandboxes({ "io.kubernetes.pod.uid": pod.metadata.uid ?? "" });
    const qos = pod.status.qosClass?.toLowerCase() ?? "";
    const group = `${this.cgroupRoot}/kubepods/${qos}/pod${pod.metadata.uid}/${sandbox?.id}`;
    return Number((await readFile(`/sys/fs/cgroup/pids${group}/cgroup.procs`, "utf8")).split("\n")[0]);
  }

  rotateLogs(): Promise<void> {
    return this.agent.rotateLogs();
  }

  files(folder: string): Promise<string[]> {
    return realDisk.list(folder);
  }

  async stop(): Promise<void> {
    this.agent.stop();
    for (const { id } of await this.runtime.listSandboxes()) {
      await this.runtime.stopSandbox(id);
      await this.runtime.removeSandbox(id);
    }
    this.runtime.close();
    await this.#containerd.stop();
    for (const point of await linuxMachine(realProcesses).mountsBelow(this.dir)) execFileSync("umount", ["-l", point]);
    await linuxMachine(realProcesses).removeCgroup(this.cgroupRoot);
    await rm(this.dir, { recursive: true, force: true });
  }

  addPod(name: string, spec: Partial<Pod["spec"]> & Pick<Pod["spec"], "containers">, metadata: object = {}): Pod {
    return this.api.add(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default", ...metadata },
      spec: { nodeName: "n1", restartPolicy: "Always", terminationGracePeriodSeconds: 2, ...spec },
    });
  }

  until(name: string, is: (pod: Pod) => boolean, limitMs?: number): Promise<Pod> {
    return this.api.until(
      pods,
      { namespace: "default", name },
      (pod) => pod !== undefined && is(pod),
      limitMs,
    ) as Promise<Pod>;
  }

  async deleted(name: string, limitMs?: number): Promise<void> {
    await this.api.until(pods, { namespace: "default", name }, (pod) => pod === undefined, limitMs);
  }

  async log(pod: Pod, container: string, attempt = 0): Promise<string> {
    const text = await readFile(
      `${this.dir}/logs/default_${pod.metadata.name}_${pod.metadata.uid}/${container}/${attempt}.log`,
      "utf8",
    );
    return text.replace(/^\S+ (stdout|stderr) [FP] /gm, "");
  }

  /** One of the kernel's files of a pod's container, by its cgroup (version 1). */
  async cgroup(pod: Pod, controller: string, file: string): Promise<string> {
    const id = pod.status.containerStatuses?.[0]?.containerID?.replace("containerd://", "") ?? "";
    const qos = pod.status.qosClass === "Guaranteed" ? "" : `/${pod.status.qosClass?.toLowerCase()}`;
    const path = `/sys/fs/cgroup/${controller}${this.cgroupRoot}/kubepods${qos}/pod${pod.metadata.uid}/${id}/${file}`;
    return (await readFile(path, "utf8")).trim();
  }

  /** No container, mount, cgroup or file of the pod remains; waits for what is still being removed. */
  async nothingLeft(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? "";
    const deadline = performance.now() + leftMsMax;
    for (;;) {
      const labels = { "io.kubernetes.pod.uid": uid };
      const left = [
        ...(await this.runtime.listContainers(labels)).map(({ id }) => `container ${id}`),
        ...(await this.runtime.listSandboxes(labels)).map(({ id }) => `sandbox ${id}`),
        ...(await linuxMachine(realProcesses).mountsBelow(this.dir)).filter((path) => path.includes(uid)),
        ...[`${this.dir}/node/pods/${uid}`, `${this.dir}/memory/${uid}`].filter((path) => existsSync(path)),
        ...globSync(`/sys/fs/cgroup/*${this.cgroupRoot}/kubepods{,/*}/pod${uid}`),
      ];
      if (left.length === 0) return;
      if (performance.now() > deadline) throw new Error(`left of pod ${pod.metadata.name}: ${left.join(", ")}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Waits until the log is as said. */
  async logged(pod: Pod, container: string, is: (text: string) => boolean): Promise<string> {
    const deadline = performance.now() + leftMsMax;
    for (;;) {
      const text = await this.log(pod, container);
      if (is(text)) return text;
      if (performance.now() > deadline) throw new Error(`the log of ${pod.metadata.name} is: ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Ends a container's main process from outside, as an operator's `kill` would. */
  async end(pod: Pod): Promise<void> {
    process.kill(Number((await this.cgroup(pod, "pids", "cgroup.procs")).split("\n")[0]), "SIGTERM");
  }

  async exec(pod: Pod, container: string, ...command: string[]): Promise<string> {
    const id =
      pod.status.containerStatuses?.find(({ name }) => name === container)?.containerID?.replace("containerd://", "") ??
      "";
    const result = await this.runtime.execSync(id, command, 10);
    return new TextDecoder().decode(result.stdout) + new TextDecoder().decode(result.stderr);
  }

  async #startRuntime(): Promise<void> {
    const cni = join(this.dir, "cni");
    await mkdir(cni);
    const subnet = `10.${213 + (process.pid % 40)}.77.0/24`;
    const plugins = [
      {
        type: "ptp",
        ipMasq: false,
        ipam: { type: "host-local", subnet, dataDir: `${this.dir}/ipam`, routes: [{ dst: "0.0.0.0/0" }] },
      },
    ];
    writeFileSync(`${cni}/10-test.conflist`, JSON.stringify({ cniVersion: "0.4.0", name: "test", plugins }));
    await this.#connectRuntime();
    await this.#load("pause", await buildPauseImage({ disk: realDisk, crypto: createCrypto(), architecture: "amd64" }));
    await this.#load("busybox", busyboxImage());
  }

  async #connectRuntime(): Promise<void> {
    this.#containerd = await startContainerd({
      paths: {
        rootDir: `${this.dir}/root`,
        stateDir: `${this.dir}/state`,
        socketPath: `${this.dir}/c.sock`,
        cniConfigDir: `${this.dir}/cni`,
        cniBinDir: "/usr/lib/cni",
        registryConfigDir: `${this.dir}/registries`,
      },
      configDir: this.dir,
      sandboxImage: pauseImageName,
      restrictOomScore: true,
      snapshotter: "overlayfs",
      disk: realDisk,
      processes: realProcesses,
      sockets: nodeSockets,
      clock: realClock,
      timers: realTimers({ keepAlive: true }),
    });
    this.runtime = connectContainerRuntime({ socketPath: `${this.dir}/c.sock`, processes: realProcesses });
  }

  async #load(name: string, archive: Uint8Array): Promise<void> {
    const path = `${this.dir}/${name}.tar`;
    writeFileSync(path, archive);
    await this.runtime.importImages(path);
  }
}

function busyboxImage(): Uint8Array {
  const names = [
    "sh",
    "sleep",
    "cat",
    "echo",
    "ls",
    "id",
    "hostname",
    "env",
    "touch",
    "kill",
    "httpd",
    "mkdir",
    "stat",
    "test",
    "true",
    "false",
    "head",
    "wget",
    "nc",
  ];
  return writeImageArchive(
    {
      name: busybox,
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      files: [
        { path: "bin" },
        { path: "tmp", mode: 0o1777 },
        { path: "bin/busybox", content: readFileSync("/bin/busybox"), mode: 0o755 },
        ...names.map((name) => ({ path: `bin/${name}`, symlink: "busybox" })),
      ],
      command: ["/bin/sh"],
    },
    createCrypto(),
  );
}
