import type { Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { isReady } from "./facts.ts";

interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions?: { readonly ready?: boolean };
  readonly targetRef?: { readonly name?: string; readonly uid?: string };
}

const endpointsMax = 100;

/**
 * 67: slices are bounded and of their Service's namespace at every moment; once all stands still, a ready endpoint is a ready
 * pod that the Service selects and that is not ending, and stands in one slice.
 */
export function serviceChecker(view: View, report: Report): Checker {
  const slices = (): Iterable<[string, Stored]> => view.history.all("discovery.k8s.io/endpointslices");
  return {
    name: "services",
    changed(changes) {
      for (const { resource, current, key } of changes) {
        if (resource !== "discovery.k8s.io/endpointslices" || current === undefined) continue;
        const endpoints = endpointsOf(current);
        if (endpoints.length > endpointsMax)
          report("67 endpoints", `${key} has ${endpoints.length} endpoints, at most ${endpointsMax}`);
        const addresses = endpoints.flatMap((endpoint) => endpoint.addresses);
        if (new Set(addresses).size !== addresses.length)
          report("67 endpoints", `${key} has an address twice: ${addresses.join(" ")}`);
      }
    },
    settled() {
      const seen = new Map<string, string>();
      for (const [key, slice] of slices()) {
        const service = slice.metadata.labels?.["kubernetes.io/service-name"] ?? "";
        const { namespace = "" } = slice.metadata;
        for (const { addresses, conditions, targetRef } of endpointsOf(slice)) {
          for (const address of addresses) {
            const place = `${namespace}/${service}/${address}`;
            if (seen.has(place))
              report("67 endpoints", `${address} of service ${service} is in ${seen.get(place)} and ${key}`);
            seen.set(place, key);
          }
          if (conditions?.ready !== true || targetRef === undefined) continue;
          const pod = view.history.get(`/registry/core/pods/${namespace}/${targetRef.name}`);
          const isGood =
            pod?.metadata.uid === targetRef.uid &&
            pod?.metadata.deletionTimestamp === undefined &&
            pod !== undefined &&
            isReady(pod);
          if (!isGood) report("67 endpoints", `${key} says that ${targetRef.name} is ready, and it is not`);
        }
      }
    },
  };
}

function endpointsOf(slice: Stored): readonly Endpoint[] {
  return (slice["endpoints"] ?? []) as readonly Endpoint[];
}
