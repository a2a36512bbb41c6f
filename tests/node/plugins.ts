/** Plugins as vendors write them: gRPC over Unix sockets, with nothing of ours but what the published protocols say. */
import { connect, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { rmSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { once } from "node:events";

/** A message by field numbers: texts, numbers, bytes, other messages, or lists of them. */
type Value = string | number | Buffer | Message | readonly Value[];
export interface Message {
  readonly [field: number]: Value;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export function encode(message: Message): Buffer {
  const parts: Buffer[] = [];
  const add = (field: number, value: Value): void => {
    if (Array.isArray(value)) {
      for (const one of value as readonly Value[]) add(field, one);
    } else if (typeof value === "number") parts.push(varint(field * 8), varint(value));
    else {
      const text = typeof value === "string" ? Buffer.from(value) : value;
      const bytes = text instanceof Buffer ? text : encode(text as Message);
      parts.push(varint(field * 8 + 2), varint(bytes.length), bytes);
    }
  };
  for (const [field, value] of Object.entries(message)) add(Number(field), value as Value);
  return Buffer.concat(parts);
}

/** Fields by number, each with all its values; what is inside of messages stays bytes. */
export function decode(bytes: Buffer): Map<number, (Buffer | number)[]> {
  const fields = new Map<number, (Buffer | number)[]>();
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const value = tag % 8 === 0 ? number() : bytes.subarray(at + 0);
    if (typeof value !== "number") {
      const length = number();
      fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), bytes.subarray(at, at + length)]);
      at += length;
    } else fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

/** A message with bytes, as they are, in one field. */
export function encodeBytes(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

/** The messages in a field, still bytes. */
export function messages(bytes: Buffer, field: number): Buffer[] {
  return (decode(bytes).get(field) ?? []) as Buffer[];
}

export function texts(bytes: Buffer, ...path: readonly number[]): string[] {
  const [field, ...rest] = path;
  const values = decode(bytes).get(field!) ?? [];
  return values.flatMap((value) => (rest.length === 0 ? [String(value)] : texts(value as Buffer, ...rest)));
}

function frame(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

type Answer = Message | { readonly stream: (send: (message: Message) => void) => void } | Error;

/** Serves methods on a socket; a stream stays open until the server is closed. */
export class PluginServer {
  readonly calls: { readonly method: string; readonly request: Buffer }[] = [];
  readonly #server: Http2Server = createServer();
  readonly #sessions = new Set<ServerHttp2Session>();

  static async listen(path: string, answer: (method: string, request: Buffer) => Answer): Promise<PluginServer> {
    const plugin = new PluginServer();
    plugin.#server.on("session", (session) => plugin.#sessions.add(session));
    plugin.#server.on("stream", (stream: ServerHttp2Stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on("error", () => stream.close());
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const method = String(headers[":path"]);
        const request = Buffer.concat(chunks).subarray(5);
        plugin.calls.push({ method, request });
        const given = answer(method, request);
        if (given instanceof Error) {
          const trailers = { "grpc-status": "2", "grpc-message": given.message };
          return stream.respond(
            { ":status": 200, "content-type": "application/grpc", ...trailers },
            { endStream: true },
          );
        }
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        const send = (message: Message): void => void (stream.destroyed || stream.write(frame(encode(message))));
        if (typeof given["stream" as never] === "function")
          return (given as { stream: (to: typeof send) => void }).stream(send);
        return stream.end(frame(encode(given as Message)));
      });
    });
    rmSync(path, { force: true });
    plugin.#server.listen(path);
    await once(plugin.#server, "listening");
    return plugin;
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
    this.#server.close();
  }
}

/** One call on a socket; rejects with the status' message. */
export async function call(path: string, method: string, request: Message): Promise<Buffer> {
  const session = connect("http://localhost", { createConnection: () => connectSocket(path) });
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": method,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let status: unknown;
    let message: unknown;
    const read = (headers: Record<string, unknown>): void => {
      status = headers["grpc-status"] ?? status;
      message = headers["grpc-message"] ?? message;
    };
    stream.on("response", read);
    stream.on("trailers", read);
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    const failed = new Promise<never>((_resolve, reject) => session.on("error", reject));
    stream.end(frame(encode(request)));
    await Promise.race([once(stream, "close"), failed]);
    if (status !== "0") throw new Error(decodeURIComponent(String(message)));
    return Buffer.concat(chunks).subarray(5);
  } finally {
    session.destroy();
  }
}

/** A device plugin with some devices, whose health the test changes. */
export class TestDevicePlugin {
  #server: PluginServer | undefined;
  #send: ((message: Message) => void) | undefined;
  readonly #folder: string;
  readonly #resource: string;
  readonly #allocate: (ids: readonly string[]) => Message | Error;
  #devices: Record<string, "Healthy" | "Unhealthy">;

  /** `allocate` answers what a container gets with devices: field numbers of the published ContainerAllocateResponse. */
  constructor(
    folder: string,
    resource: string,
    ids: readonly string[],
    allocate: (ids: readonly string[]) => Message | Error,
  ) {
    this.#folder = folder;
    this.#resource = resource;
    this.#allocate = allocate;
    this.#devices = Object.fromEntries(ids.map((id) => [id, "Healthy" as const]));
  }

  get calls(): string[] {
    return (this.#server?.calls ?? []).map(({ method }) => method.split("/").at(-1)!);
  }

  /** Serves, in place of what it served before, and registers. */
  async serve(): Promise<void> {
    this.close();
    const endpoint = `${this.#resource.replace("/", "-")}.sock`;
    this.#server = await PluginServer.listen(`${this.#folder}/${endpoint}`, (method, request) =>
      this.#answer(method.split("/").at(-1)!, request),
    );
    await this.register("v1beta1", endpoint);
  }

  async register(version: string, endpoint: string): Promise<void> {
    const request = { 1: version, 2: endpoint, 3: this.#resource };
    await call(`${this.#folder}/kubelet.sock`, "/v1beta1.Registration/Register", request);
  }

  set(id: string, health: "Healthy" | "Unhealthy"): void {
    this.#devices = { ...this.#devices, [id]: health };
    this.#send?.(this.#list());
  }

  close(): void {
    this.#server?.close();
    this.#send = undefined;
  }

  #list(): Message {
    // Of each two devices one is near to the memory of node 0, and one to that of node 1.
    const near = (index: number): Message => ({ 1: { 1: index % 2 } });
    return { 1: Object.entries(this.#devices).map(([id, health], at) => ({ 1: id, 2: health, 3: near(at) })) };
  }

  #answer(method: string, request: Buffer): Answer {
    if (method === "GetDevicePluginOptions") return { 1: 1, 2: 1 };
    if (method === "ListAndWatch")
      return {
        stream: (send) => {
          this.#send = send;
          send(this.#list());
        },
      };
    // The last ones first: nobody would take these by itself.
    if (method === "GetPreferredAllocation") {
      const [available, must, size] = [texts(request, 1, 1), texts(request, 1, 2), Number(texts(request, 1, 3)[0])];
      const rest = available.filter((id) => !must.includes(id)).toReversed();
      return { 1: { 1: [...must, ...rest].slice(0, size) } };
    }
    if (method === "PreStartContainer") return {};
    const allocated = this.#allocate(texts(request, 1, 1));
    return allocated instanceof Error ? allocated : { 1: allocated };
  }
}
