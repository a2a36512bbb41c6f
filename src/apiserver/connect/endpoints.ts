import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { Service } from "#api/generated/core-v1.ts";
import { endpointslices, services } from "#api/generated/resources.ts";
import { getStored, listStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export type ResolvedService =
  | { readonly ok: true; readonly endpoints: readonly Endpoint[] }
  | { readonly ok: false; readonly message: string };

/** The ready endpoints of one of a Service's ports, by number or name; no cluster DNS and no packet rules are needed. */
export function resolveService(
  objects: ObjectReader,
  namespace: string,
  name: string,
  port: number | string,
): ResolvedService {
  const service = getStored<Service>(objects, services, namespace, name);
  if (service === undefined) return { ok: false, message: `service "${name}" not found` };
  const chosen = service.spec.ports?.find((each) => each.name === port || String(each.port) === String(port));
  if (service.spec.type === "ExternalName") {
    const host = service.spec.externalName ?? "";
    return { ok: true, endpoints: [{ host, port: chosen?.port ?? Number(port) }] };
  }
  if (chosen === undefined) return { ok: false, message: `no service port ${port} found for service "${name}"` };
  const endpoints = readyEndpoints(objects, namespace, name, chosen.name ?? "");
  if (endpoints.length === 0) return { ok: false, message: `no endpoints available for service "${name}"` };
  return { ok: true, endpoints };
}

function readyEndpoints(objects: ObjectReader, namespace: string, name: string, portName: string): Endpoint[] {
  return listStored<EndpointSlice>(objects, endpointslices, namespace).flatMap((slice) => {
    if (slice.metadata?.labels?.["kubernetes.io/service-name"] !== name) return [];
    const port = slice.ports?.find((candidate) => (candidate.name ?? "") === portName)?.port;
    if (port === undefined) return [];
    return (slice.endpoints ?? []).flatMap(({ addresses, conditions }) => {
      const [host] = addresses;
      return host === undefined || conditions?.ready === false ? [] : [{ host, port }];
    });
  });
}
