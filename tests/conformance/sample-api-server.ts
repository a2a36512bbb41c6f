/**
 * An aggregated API server as people write them, and webhooks, in one program behind one port: it keeps Flunders in memory,
 * believes who asks only from the front proxy's certificate, and answers reviews. It imports nothing of Steersman.
 * Run: node sample-api-server.ts PORT CERTIFICATE KEY FRONT_PROXY_CA
 */
import { readFileSync } from "node:fs";
import https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";

type Json = Record<string, unknown>;

const [port = "", certificate = "", key = "", frontProxyCa = ""] = process.argv.slice(2);
const groupVersion = "wardle.example.com/v1alpha1";
const root = `/apis/${groupVersion}`;
const flunders = new Map<string, Json>();
let revision = 1;

const resource = {
  name: "flunders",
  singularName: "flunder",
  namespaced: true,
  kind: "Flunder",
  verbs: ["create", "delete", "get", "list", "patch", "update"],
};
const resources = { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: [resource] };

function stored(object: Json, namespace: string, by: string): Json {
  const metadata = object.metadata as Json;
  revision += 1;
  const kept = {
    ...object,
    apiVersion: groupVersion,
    kind: "Flunder",
    metadata: { uid: `flunder-${revision}`, ...metadata, namespace, resourceVersion: String(revision) },
    status: { by },
  };
  flunders.set(`${namespace}/${String(metadata.name)}`, kept);
  return kept;
}

function status(code: number, reason: string): [number, Json] {
  return [code, { kind: "Status", apiVersion: "v1", status: "Failure", reason, code, message: reason }];
}

function answer(request: IncomingMessage, body: Json): [number, Json] {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  if (path === "/validate" || path === "/mutate" || path === "/convert") return [200, review(path, body)];
  if (!(request.socket as TLSSocket).authorized) return status(401, "Unauthorized");
  if (path === root) return [200, resources];
  const match = /^\/namespaces\/([^/]+)\/flunders(?:\/([^/]+))?$/.exec(path.slice(root.length));
  if (!path.startsWith(root) || match === null) return status(404, "NotFound");
  const [, namespace = "", name] = match;
  const by = String(request.headers["x-remote-user"]);
  if (name === undefined) {
    if (request.method === "POST") return [201, stored(body, namespace, by)];
    const items = [...flunders.values()].filter((each) => (each.metadata as Json).namespace === namespace);
    return [
      200,
      { kind: "FlunderList", apiVersion: groupVersion, metadata: { resourceVersion: String(revision) }, items },
    ];
  }
  const found = flunders.get(`${namespace}/${name}`);
  if (found === undefined) return status(404, "NotFound");
  if (request.method === "DELETE") {
    flunders.delete(`${namespace}/${name}`);
    return [200, { kind: "Status", apiVersion: "v1", status: "Success" }];
  }
  if (request.method === "PUT") return [200, stored(body, namespace, by)];
  if (request.method === "PATCH") return [200, stored({ ...found, ...body, metadata: found.metadata }, namespace, by)];
  return [200, found];
}

/** Denies what is named `bad` and every exec, labels what comes, and turns `size` of v2 into `length` of v1 and back. */
function review(path: string, body: Json): Json {
  const { uid, object, objects, desiredAPIVersion, operation } = body.request as Json;
  const reply = (response: Json): Json => ({
    kind: body.kind,
    apiVersion: body.apiVersion,
    response: { uid, ...response },
  });
  if (path === "/validate") {
    const name = ((object as Json | null)?.metadata as Json | undefined)?.name;
    const isBad = operation === "CONNECT" || name === "bad";
    return reply({ allowed: !isBad, status: { message: isBad ? `the webhook denies ${String(operation)}` : "" } });
  }
  if (path === "/mutate") {
    const patch = [{ op: "add", path: "/data", value: { mutated: "yes" } }];
    return reply({
      allowed: true,
      patchType: "JSONPatch",
      patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
    });
  }
  const toNew = String(desiredAPIVersion).endsWith("/v2");
  const convertedObjects = (objects as Json[]).map(({ spec, ...rest }) => {
    const { length, size } = spec as Json;
    return {
      ...rest,
      apiVersion: desiredAPIVersion,
      spec: toNew ? { size: length ?? size } : { length: size ?? length },
    };
  });
  return reply({ result: { status: "Success" }, convertedObjects });
}

function respond(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const text = Buffer.concat(chunks).toString();
    const [code, value] = answer(request, text === "" ? {} : (JSON.parse(text) as Json));
    response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(value));
  });
}

https
  .createServer(
    {
      cert: readFileSync(certificate),
      key: readFileSync(key),
      ca: readFileSync(frontProxyCa),
      requestCert: true,
      rejectUnauthorized: false,
    },
    respond,
  )
  .listen(Number(port), "0.0.0.0", () => process.stdout.write("listening\n"));
