import type { ApiObject } from "#api/kind.ts";
import type { Headers, HttpRequest, HttpResponse } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";
import type { Call, Outcome } from "../call.ts";
import { Failure, serviceUnavailable } from "../failure.ts";
import { isImpersonationHeader } from "../authenticate/impersonate.ts";
import { protocolsWithoutToken } from "../authenticate/socket-token.ts";
import { admissionRequest, admitMutating, admitValidating } from "../verbs/admit.ts";
import type { Served } from "../registry.ts";
import { isTrue } from "../stages/route.ts";

/** Headers that end here: who asked is known by the server's own identity behind this point. */
const dropped: ReadonlySet<string> = new Set(["authorization", "host", "content-length", "cookie"]);
const hopByHop: ReadonlySet<string> = new Set([
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
]);

/** The request as a backend gets it: another target, no credentials of the caller. */
export function forwarded(call: Call, target: string, extra: Headers = {}): HttpRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(call.request.headers)) {
    if (dropped.has(name) || hopByHop.has(name) || isImpersonationHeader(name)) continue;
    // Only the server itself says who asks.
    if (name.startsWith("steersman-") || name.startsWith("x-remote-")) continue;
    headers[name] = name === "sec-websocket-protocol" ? protocolsWithoutToken(value).join(", ") : value;
  }
  const { signal } = call.request;
  return {
    method: call.request.method,
    target,
    headers: { ...headers, ...extra },
    body: call.request.body,
    ...(signal !== undefined && { signal }),
  };
}

/** Drops what belongs to one connection only, and refuses to send clients elsewhere (CVE-2020-8559, 2022-3172). */
export function answerOf(response: HttpResponse): HttpResponse | Failure {
  if (300 <= response.status && response.status < 400 && response.status !== 304) {
    if ("open" in response.body) response.body.close();
    return new Failure(
      502,
      "ServiceUnavailable",
      "the backend attempted to redirect this request, which is not permitted",
    );
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (!hopByHop.has(name) && name !== "connection" && name !== "content-length") headers[name] = value;
  }
  return { status: response.status, headers, body: response.body };
}

/** Sends a request to a node's agent, or joins an upgrade to it. */
export async function toNode(call: Call, node: string, target: string): Promise<Outcome> {
  const { nodes, log } = call.parts;
  if (nodes === undefined) return serviceUnavailable("this server has no way to its nodes");
  const upgrade = upgrades.get(call);
  if (upgrade !== undefined) {
    upgrades.delete(call);
    nodes.upgrade(node, forwarded(call, target), upgrade);
    return handedOver;
  }
  try {
    return answerOf(await nodes.request(node, forwarded(call, target)));
  } catch (error) {
    log(`cannot reach the agent of node ${node}`, error);
    return new Failure(502, "ServiceUnavailable", `cannot reach the agent of node ${node}`);
  }
}

/** The connection of a call that came as an upgrade, until a backend takes it over. */
export const upgrades = new WeakMap<Call, Connection>();

/** What a stage answers when the connection is no longer the pipeline's. */
export const handedOver: HttpResponse = { status: 101, headers: {}, body: new Uint8Array(0) };

/** Admission of CONNECT: the object is the options of the connection, as the query names them. */
export async function admitConnect(call: Call, served: Served): Promise<Failure | undefined> {
  const request = admissionRequest(call, {
    operation: "CONNECT",
    served,
    subresource: call.info.subresource,
    namespace: call.info.namespace,
    name: call.info.name,
    object: connectOptions(call, served),
    oldObject: undefined,
    dryRun: false,
  });
  return (await admitMutating(call, request)) ?? (await admitValidating(call, request));
}

const booleans: ReadonlySet<string> = new Set(["stdin", "stdout", "stderr", "tty"]);

/** `PodExecOptions` and its like. */
function connectOptions({ info }: Call, served: Served): ApiObject | undefined {
  const kind = served.resource.subresources.find(({ name }) => name === info.subresource)?.kind;
  if (kind === undefined) return undefined;
  const options: Record<string, unknown> = {};
  for (const name of ["stdin", "stdout", "stderr", "tty", "container", "path"]) {
    const value = info.query.get(name);
    if (value !== null && value !== "") options[name] = booleans.has(name) ? isTrue(value) : value;
  }
  const command = info.query.getAll("command");
  const ports = info.query.getAll("ports").flatMap((text) => text.split(",").map(Number));
  if (command.length > 0) options.command = command;
  if (ports.length > 0) options.ports = ports;
  if (kind.endsWith("ProxyOptions") && info.rest !== "") options.path = info.rest;
  return { kind, apiVersion: "v1", ...options, metadata: {} };
}
