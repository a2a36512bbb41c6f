import type { ApiObject } from "#api/kind.ts";
import type { Pod, Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, Failure, notFound, serviceUnavailable } from "../failure.ts";
import { endOf, keyOf } from "../keys.ts";
import type { Served } from "../registry.ts";
import { admitConnect, answerOf, forwarded, toNode, upgrades } from "./forward.ts";

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
  const chosen =
    port === "" ? ports[0] : ports.find((candidate) => candidate.name === port || String(candidate.port) === port);
  if (chosen === undefined || (port === "" && ports.length > 1 && ports.some((candidate) => candidate.name === ""))) {
    return serviceUnavailable(`no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`);
  }
  const endpoint = endpointFor(call, namespace, name, chosen.name ?? "");
  if (endpoint === undefined)
    return serviceUnavailable(`no endpoints available for service ${JSON.stringify(call.info.name)}`);
  const refused = await admitConnect(call, served);
  return refused ?? dial(call, endpoint.host, endpoint.port, scheme);
}

function endpointFor(
  call: Call,
  namespace: string,
  service: string,
  portName: string,
): { host: string; port: number } | undefined {
  const slices = call.parts.registry.find("discovery.k8s.io/v1", "endpointslices");
  if (slices === undefined) return undefined;
  const prefix = `${slices.prefix}${namespace}/`;
  const ready: { host: string; port: number }[] = [];
  for (const entry of call.parts.store.snapshot().range(prefix, endOf(prefix))) {
    if (call.parts.objects.labels(entry)["kubernetes.io/service-name"] !== service) continue;
    const slice = call.parts.objects.decoded(entry) as ApiObject & EndpointSlice;
    const port = slice.ports?.find((candidate) => (candidate.name ?? "") === portName)?.port;
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const host = endpoint.addresses[0];
      if (endpoint.conditions?.ready !== false && host !== undefined) ready.push({ host, port });
    }
  }
  return ready[Math.floor(call.parts.random.float() * ready.length)];
}

async function dial(call: Call, host: string, port: number, scheme: "http" | "https"): Promise<Outcome> {
  const { nodes, log } = call.parts;
  if (isForbiddenAddress(host)) return new Failure(403, "Forbidden", "address not allowed");
  if (nodes?.dial === undefined) return serviceUnavailable("this server has no way to its pods");
  if (upgrades.has(call)) return badRequest("upgrades through this proxy are not supported");
  try {
    return answerOf(await nodes.dial({ host, port, scheme }, forwarded(call, pathBehind(call))));
  } catch (error) {
    log(`cannot reach ${host}:${port} for a proxied request`, error);
    return serviceUnavailable("error trying to reach service: no answer");
  }
}

/** Loopback, link-local, unspecified and multicast addresses are never dialled for a tenant (CVE-2020-8555). */
export function isForbiddenAddress(host: string): boolean {
  if (host.includes(":")) return /^(::1?|fe[89ab].*|ff.*)$/i.test(host) || host.toLowerCase().startsWith("::ffff:");
  return /^(0|127|169\.254|22[4-9]|23[0-9]|255)\b/.test(host);
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
