import type { ApiObject } from "#api/kind.ts";
import type { Pod, Service } from "#api/generated/core-v1.ts";
import { AddressNotAllowedError } from "#world/http.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, Failure, notFound, serviceUnavailable } from "../failure.ts";
import { keyOf } from "../keys.ts";
import type { Served } from "../registry.ts";
import { resolveService } from "./endpoints.ts";
import { admitConnect, answerOf, forwarded, handedOver, toNode, upgrades } from "./forward.ts";

/** nodes/proxy: the agent's own API. */
export async function nodeProxy(call: Call, served: Served): Promise<Outcome> {
  const { name } = call.info;
  const bare = splitName(name).name;
  if (stored(call, served, "", bare) === undefined) return notFound(served.resource, bare);
  const refused = await admitConnect(call, served);
  return refused ?? toNode(call, bare, pathBehind(call));
}

/** pods/proxy: a port of the pod, dialled at the address that its status says. */
export async function podProxy(call: Call, served: Served): Promise<Outcome> {
  const { scheme, name, port } = splitName(call.info.name);
  const pod = stored(call, served, call.info.namespace, name) as (ApiObject & Pod) | undefined;
  if (pod === undefined) return notFound(served.resource, name);
  const host = pod.status?.podIP ?? "";
  if (host === "") return badRequest("address not allowed: the pod has no address");
  const number = podPort(pod, port);
  if (number === undefined) return badRequest(`no port ${JSON.stringify(port)} found on pod ${JSON.stringify(name)}`);
  const refused = await admitConnect(call, served);
  return refused ?? dial(call, host, number, scheme);
}

function podPort(pod: Pod, port: string): number | undefined {
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  if (port === "") return ports[0]?.containerPort ?? 80;
  if (/^[0-9]+$/.test(port)) return Number(port);
  return ports.find((candidate) => candidate.name === port)?.containerPort;
}

/** services/proxy: one of the service's ready endpoints. */
export async function serviceProxy(call: Call, served: Served): Promise<Outcome> {
  const { scheme, name, port } = splitName(call.info.name);
  const { namespace } = call.info;
  const service = stored(call, served, namespace, name) as (ApiObject & Service) | undefined;
  if (service === undefined) return notFound(served.resource, name);
  const ports = service.spec?.ports ?? [];
  const isAmbiguous = port === "" && ports.length > 1 && ports.some((candidate) => candidate.name === "");
  const chosen = port === "" ? (ports[0]?.port ?? "") : port;
  if (isAmbiguous || chosen === "")
    return serviceUnavailable(`no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`);
  const resolved = resolveService(call.parts.reader, namespace, name, chosen);
  if (!resolved.ok) return serviceUnavailable(resolved.message);
  const { endpoints } = resolved;
  const endpoint = endpoints[Math.floor(call.parts.random.float() * endpoints.length)];
  if (endpoint === undefined) return serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  const refused = await admitConnect(call, served);
  return refused ?? dial(call, endpoint.host, endpoint.port, scheme);
}

/** Passes the request on to a pod's own port. Pods show certificates of their own making: nobody could check them. */
async function dial(call: Call, host: string, port: number, scheme: "http" | "https"): Promise<Outcome> {
  const { nodes, log } = call.parts;
  const destination = { host, port, scheme, insecure: true };
  const request = forwarded(call, pathBehind(call));
  const upgrade = upgrades.get(call);
  if (upgrade !== undefined && nodes?.dialUpgrade !== undefined) {
    upgrades.delete(call);
    nodes.dialUpgrade(destination, request, upgrade);
    return handedOver;
  }
  if (nodes?.dial === undefined) return serviceUnavailable("this server has no way to its pods");
  if (upgrade !== undefined) return badRequest("upgrades through this proxy are not supported");
  try {
    return answerOf(await nodes.dial(destination, request));
  } catch (error) {
    if (error instanceof AddressNotAllowedError) return new Failure(403, "Forbidden", "address not allowed");
    log(`cannot reach ${host}:${port} for a proxied request`, error);
    return serviceUnavailable("error trying to reach service: no answer");
  }
}

function pathBehind({ info, request }: Call): string {
  const mark = request.target.indexOf("?");
  return `${info.rest === "" ? "/" : info.rest}${mark === -1 ? "" : request.target.slice(mark)}`;
}

/** `https:name:port`, `name:port`, `name`. */
function splitName(text: string): { scheme: "http" | "https"; name: string; port: string } {
  const parts = text.split(":");
  if (parts.length === 3) return { scheme: parts[0] === "https" ? "https" : "http", name: parts[1]!, port: parts[2]! };
  return { scheme: "http", name: parts[0]!, port: parts[1] ?? "" };
}

function stored(call: Call, served: Served, namespace: string, name: string): ApiObject | undefined {
  const entry = call.parts.store.snapshot().get(keyOf(served.prefix, namespace, name));
  return entry === undefined ? undefined : call.parts.objects.decoded(entry);
}
