import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

let made = 0;

/** A network namespace of this test; removed with all that is in it. */
export class Namespace implements Disposable {
  readonly name: string;
  readonly #children: ChildProcess[] = [];

  constructor(purpose: string) {
    made += 1;
    this.name = `st-${purpose}-${process.pid}-${made}`;
    execFileSync("ip", ["netns", "add", this.name]);
    this.ip("link set lo up");
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  ip(command: string): void {
    this.run("ip", command.split(" "));
  }

  run(command: string, args: readonly string[], input?: string): string {
    return execFileSync("nsenter", [`--net=${this.path}`, command, ...args], {
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
      ...(input === undefined ? {} : { input }),
    });
  }

  /** Starts a program inside and resolves with its first line of output. */
  async start(command: string, args: readonly string[], input = ""): Promise<{ child: ChildProcess; line: string }> {
    const child = spawn("nsenter", [`--net=${this.path}`, command, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    this.#children.push(child);
    if (input !== "") child.stdin.write(input);
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    // On a loaded machine a chunk holds what was printed meanwhile too.
    return { child, line: first.toString().split("\n")[0]?.trim() ?? "" };
  }

  /** Runs a script of Node's inside to its end; answers its output. */
  async script(source: string): Promise<string> {
    const child = spawn("nsenter", [`--net=${this.path}`, process.execPath, "--input-type=module", "-e", source], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.push(child);
    let output = "";
    let complaints = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`The script in ${this.name} failed: ${complaints}`);
    return output.trim();
  }

  /** Serves a fixed text over HTTP (with the client's address behind it) on all addresses. */
  async serve(port: number, text: string): Promise<ChildProcess> {
    const source = `
      import { createServer } from "node:http";
      createServer((request, response) => response.end(${JSON.stringify(text)} + " " + request.socket.remoteAddress.replace("::ffff:", "")))
        .listen(${port}, () => console.log("up"));`;
    const { child } = await this.start(process.execPath, ["--input-type=module", "-e", source]);
    return child;
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL");
    execFileSync("ip", ["netns", "del", this.name]);
  }
}

/** A cable between two namespaces; answers nothing, each end is up. */
export function cable(
  a: { in: Namespace; name: string; address?: string },
  b: { in: Namespace; name: string; address?: string },
): void {
  execFileSync("ip", [
    "link",
    "add",
    a.name,
    "netns",
    a.in.name,
    "type",
    "veth",
    "peer",
    "name",
    b.name,
    "netns",
    b.in.name,
  ]);
  for (const end of [a, b]) {
    if (end.address !== undefined) end.in.ip(`addr add ${end.address} dev ${end.name}`);
    end.in.ip(`link set ${end.name} up`);
  }
}
