import { readFileSync } from "node:fs";
import https from "node:https";
import { parse } from "yaml";

/**
 * The benches' own client, so that what is measured is the cluster: HTTP/1.1 over TLS with the identity of a kubeconfig, answers
 * parsed only where asked.
 */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface Watch {
  close(): void;
}

export interface ApiConnection {
  /** Throws when nothing answers. */
  send(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Throws unless the answer is 2xx. */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Calls back for each event's line, unparsed. Resolves when the watch is open. */
  watch(path: string, seen: (line: string) => void): Promise<Watch>;
  close(): void;
}

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly "certificate-authority-data": string };
  }[];
  readonly users: readonly {
    readonly user: { readonly "client-certificate-data": string; readonly "client-key-data": string };
  }[];
}

const decoded = (text: string): string => Buffer.from(text, "base64").toString();

export function connect(kubeconfigPath: string, connectionsMax = 64): ApiConnection {
  const config = parse(readFileSync(kubeconfigPath, "utf8")) as Kubeconfig;
  const { cluster } = config.clusters[0]!;
  const { user } = config.users[0]!;
  const identity = {
    ca: decoded(cluster["certificate-authority-data"]),
    cert: decoded(user["client-certificate-data"]),
    key: decoded(user["client-key-data"]),
  };
  return connectTo(cluster.server, identity, connectionsMax);
}

/** The same to a server by its URL; without `cert` as nobody in particular. */
export function connectTo(
  server: string,
  identity: { readonly ca: string; readonly cert?: string; readonly key?: string },
  connectionsMax = 64,
): ApiConnection {
  const agent = new https.Agent({ keepAlive: true, maxSockets: connectionsMax, ...identity });
  const watchers = new https.Agent({ keepAlive: false, ...identity });

  const send: ApiConnection["send"] = (method, path, body) =>
    new Promise((resolve, reject) => {
      const bytes = body === undefined ? undefined : JSON.stringify(body);
      const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
      const headers: Record<string, string | number> = { accept: "application/json" };
      if (bytes !== undefined)
        Object.assign(headers, { "content-type": type, "content-length": Buffer.byteLength(bytes) });
      const request = https.request(`${server}${path}`, { agent, method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
        response.on("error", reject);
      });
      request.on("error", reject);
      request.end(bytes);
    });

  return {
    send,
    async call(method, path, body) {
      const answer = await send(method, path, body);
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
      return answer;
    },
    watch: (path, seen) =>
      new Promise((resolve, reject) => {
        const request = https.request(`${server}${path}`, { agent: watchers }, (response) => {
          if (response.statusCode !== 200) {
            reject(new Error(`watch ${path}: ${response.statusCode}`));
            return;
          }
          let rest = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            const lines = (rest + chunk).split("\n");
            rest = lines.pop() ?? "";
            for (const line of lines) seen(line);
          });
          response.on("error", () => undefined);
          resolve({ close: () => request.destroy() });
        });
        request.on("error", reject);
        request.end();
      }),
    close: () => {
      agent.destroy();
      watchers.destroy();
    },
  };
}

/** Runs `task` for 0…count-1, `width` at a time. */
export async function inParallel(
  count: number,
  width: number,
  task: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, run));
}
