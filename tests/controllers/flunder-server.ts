/** A small API server of somebody else's behind an APIService: it keeps Flunders, lists, watches and deletes them. */
import https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { selfSigned } from "../conformance/certificate.ts";
import { nameOf, pick, type Json, type Scene } from "../conformance/cluster.ts";

interface Change {
  readonly revision: number;
  readonly type: "ADDED" | "DELETED";
  readonly object: Json;
}

const noSuch = { kind: "Status", apiVersion: "v1", status: "Failure", reason: "NotFound", code: 404 };

export class FlunderServer {
  readonly group: string;
  readonly apiVersion: string;
  /** Method and target of each request. */
  readonly seen: string[] = [];
  readonly #flunders = new Map<string, Json>();
  readonly #changes: Change[] = [];
  readonly #watches = new Set<{ readonly namespace: string | undefined; readonly response: ServerResponse }>();
  readonly #tls: https.ServerOptions;
  #revision = 7;
  #server: https.Server | undefined;
  #port = 0;

  constructor(group: string, tls: https.ServerOptions) {
    this.group = group;
    this.apiVersion = `${group}/v1`;
    this.#tls = tls;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens where it listened before. */
  async up(): Promise<void> {
    const server = https.createServer(this.#tls, (request, response) => this.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  down(): void {
    this.#watches.clear();
    this.#server?.closeAllConnections();
    this.#server?.close();
    this.#server = undefined;
  }

  /** `namespace/name` of what it keeps. */
  names(): string[] {
    return [...this.#flunders.keys()].sort();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "", "https://server");
    this.seen.push(`${request.method} ${url.pathname}${url.search}`);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const root = `/apis/${this.apiVersion}`;
      if (url.pathname === root) return send(response, 200, this.#resources());
      const matched = /^(?:\/namespaces\/([^/]+))?\/flunders(?:\/([^/]+))?$/.exec(url.pathname.slice(root.length));
      if (!url.pathname.startsWith(root) || matched === null) return send(response, 404, noSuch);
      const [, namespace, name] = matched;
      if (url.searchParams.get("watch") === "true")
        return this.#watch(response, namespace, Number(url.searchParams.get("resourceVersion")));
      if (request.method === "POST")
        return send(response, 201, this.#create(namespace ?? "", JSON.parse(Buffer.concat(chunks).toString()) as Json));
      if (name === undefined) return send(response, 200, this.#list(namespace));
      const found = this.#flunders.get(`${namespace}/${name}`);
      if (found === undefined) return send(response, 404, { ...noSuch, details: { name, kind: "flunders" } });
      if (request.method === "DELETE") this.#delete(`${namespace}/${name}`, found);
      send(response, 200, found);
    });
  }

  #resources(): Json {
    const verbs = ["create", "delete", "get", "list", "watch"];
    const flunders = { name: "flunders", singularName: "flunder", namespaced: true, kind: "Flunder", verbs };
    return { kind: "APIResourceList", apiVersion: "v1", groupVersion: this.apiVersion, resources: [flunders] };
  }

  #list(namespace: string | undefined): Json {
    const items = [...this.#flunders.values()].filter((one) => isWithin(namespace, one));
    const metadata = { resourceVersion: String(this.#revision) };
    return { kind: "FlunderList", apiVersion: this.apiVersion, metadata, items };
  }

  #create(namespace: string, given: Json): Json {
    const uid = `flunder-${this.#revision + 1}`;
    const metadata = { ...(given.metadata as Json), namespace, uid };
    const object = this.#change("ADDED", { ...given, apiVersion: this.apiVersion, kind: "Flunder", metadata });
    this.#flunders.set(`${namespace}/${nameOf(object)}`, object);
    return object;
  }

  #delete(key: string, object: Json): void {
    this.#flunders.delete(key);
    this.#change("DELETED", object);
  }

  #change(type: Change["type"], before: Json): Json {
    this.#revision += 1;
    const object = { ...before, metadata: { ...(before.metadata as Json), resourceVersion: String(this.#revision) } };
    const change = { revision: this.#revision, type, object };
    this.#changes.push(change);
    for (const { namespace, response } of this.#watches) tell(response, namespace, change);
    return object;
  }

  #watch(response: ServerResponse, namespace: string | undefined, since: number): void {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for (const change of this.#changes) if (change.revision > since) tell(response, namespace, change);
    const watch = { namespace, response };
    this.#watches.add(watch);
    response.on("close", () => this.#watches.delete(watch));
  }
}

function isWithin(namespace: string | undefined, object: Json): boolean {
  return namespace === undefined || pick(object, "metadata.namespace") === namespace;
}

function tell(response: ServerResponse, namespace: string | undefined, { type, object }: Change): void {
  if (isWithin(namespace, object)) response.write(`${JSON.stringify({ type, object })}\n`);
}

function send(response: ServerResponse, code: number, value: Json): void {
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(value));
}

/** The server behind an APIService that says that it is available; both end with the scene. */
export async function serveFlunders(scene: Scene): Promise<FlunderServer> {
  const { api, cluster, cleanUp, core, namespace } = scene;
  const group = `${namespace}.example.com`;
  const tls = selfSigned(cluster, `DNS:flunders.${namespace}.svc`);
  const server = new FlunderServer(group, tls);
  await server.up();
  cleanUp(() => server.down());
  await api.create(core("services"), {
    metadata: { name: "flunders" },
    spec: { type: "ExternalName", externalName: "localhost", ports: [{ port: server.port }] },
  });
  const name = `v1.${group}`;
  await api.create("/apis/apiregistration.k8s.io/v1/apiservices", {
    metadata: { name },
    spec: {
      ...{ group, version: "v1", groupPriorityMinimum: 2000, versionPriority: 200 },
      service: { namespace, name: "flunders", port: server.port },
      caBundle: tls.cert.toString("base64"),
    },
  });
  cleanUp(() => api.request("DELETE", `/apis/apiregistration.k8s.io/v1/apiservices/${name}`));
  return server;
}
