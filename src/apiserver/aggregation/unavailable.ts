import type { APIServiceSpec } from "#api/generated/apiregistration-v1.ts";
import type { Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { endpointslices, services } from "#api/generated/resources.ts";
import { getStored, listStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";

/** What the condition Available of an APIService says. */
export interface Verdict {
  readonly available: boolean;
  readonly reason: string;
  readonly message: string;
}

/** Why the Service of an APIService leads nowhere, in the reasons and words of upstream's availability controller. */
export function whyUnavailable(
  objects: Pick<ObjectReader, "get" | "list">,
  { namespace = "", name = "", port = 443 }: NonNullable<APIServiceSpec["service"]>,
): Verdict {
  const verdict = (reason: string, message: string): Verdict => ({ available: false, reason, message });
  const which = `service/${name} in ${JSON.stringify(namespace)}`;
  const service = getStored<Service>(objects, services, namespace, name);
  if (service === undefined) return verdict("ServiceNotFound", `${which} is not present`);
  const chosen = service.spec.ports?.find((each) => each.port === port);
  if (chosen === undefined) return verdict("ServicePortError", `${which} is not listening on port ${port}`);
  const slices = listStored<EndpointSlice>(objects, endpointslices, namespace).filter(
    ({ metadata }) => metadata?.labels?.["kubernetes.io/service-name"] === name,
  );
  if (slices.length === 0) return verdict("EndpointsNotFound", `cannot find endpointslices for ${which}`);
  const portName = JSON.stringify(chosen.name ?? "");
  return verdict("MissingEndpoints", `endpointslices for ${which} have no addresses with port name ${portName}`);
}
