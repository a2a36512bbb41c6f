import assert from "node:assert/strict";
import { execFileSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { Namespace } from "./namespaces.ts";

const nodeProcess = `${import.meta.dirname}/node-process.ts`;

/** A node whose network runs as its own process inside a namespace. */
export class TestNode implements AsyncDisposable {
  readonly namespace = new Namespace("node");
  readonly folder = mkdtempSync(`${tmpdir()}/steer-network-`);
  readonly #pods: Namespace[] = [];
  #process: ChildProcess | undefined;
  /** What is known, for the next life. */
  readonly #fed = new Map<string, [string, object]>();

  async start(objects: [string, object][]): Promise<void> {
    mkdirSync(`${this.folder}/cni`, { recursive: true });
    writeFileSync(`${this.folder}/resolv.conf`, "nameserver 192.0.2.1\n");
    const lines = [...objects, ...this.#fed.values()].map(([resource, object]) => JSON.stringify({ resource, object }));
    const args = [nodeProcess, "n1", "test", this.folder, "80,443"];
    const starting = this.namespace.start(process.execPath, args, `${lines.join("\n")}\n{"start":true}\n`);
    const { child, line } = await starting;
    assert.equal(line, "ready");
    this.#process = child;
  }

  /** The process dies without a word. */
  async kill(): Promise<void> {
    const dying = this.#process;
    this.#process = undefined;
    dying?.kill("SIGKILL");
    if (dying !== undefined && dying.exitCode === null && dying.signalCode === null) await once(dying, "exit");
  }

  feed(resource: string, object: object, gone = false): void {
    const { namespace, name } = (object as { metadata: { namespace?: string; name?: string } }).metadata;
    const key = `${resource} ${namespace}/${name}`;
    if (gone) this.#fed.delete(key);
    else this.#fed.set(key, [resource, object]);
    this.#process?.stdin?.write(`${JSON.stringify({ resource, object, gone })}\n`);
  }

  async cleanUp(): Promise<void> {
    this.#process?.stdin?.write('{"stop":true}\n{"cleanup":true}\n');
    if (this.#process !== undefined) await once(this.#process, "exit");
  }

  /** Makes a pod's namespace and lets the CNI plugin connect it, as a runtime does. Answers its address. */
  pod(): { namespace: Namespace; address: string } {
    const namespace = new Namespace("pod");
    this.#pods.push(namespace);
    const list = JSON.parse(readFileSync(`${this.folder}/cni/10-steer-test.conflist`, "utf8")) as {
      name: string;
      cniVersion: string;
      plugins: { type: string }[];
    };
    const [plugin] = list.plugins;
    const output = execFileSync("nsenter", [`--net=${this.namespace.path}`, `/usr/lib/cni/${plugin?.type}`], {
      input: JSON.stringify({ ...plugin, name: list.name, cniVersion: list.cniVersion }),
      encoding: "utf8",
      env: {
        ...process.env,
        CNI_COMMAND: "ADD",
        CNI_CONTAINERID: namespace.name,
        CNI_NETNS: namespace.path,
        CNI_IFNAME: "eth0",
        CNI_PATH: "/usr/lib/cni",
      },
    });
    const result = JSON.parse(output) as { ips: { address: string }[] };
    return { namespace, address: result.ips[0]?.address.split("/")[0] ?? "" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of [this.namespace, ...this.#pods]) namespace[Symbol.dispose]();
    rmSync(this.folder, { recursive: true });
  }
}

/** As the API has it. */
export const node = {
  metadata: { name: "n1", uid: "u1" },
  spec: { podCIDR: "10.244.1.0/24" },
  status: { addresses: [{ type: "InternalIP", address: "192.168.9.1" }] },
};
