import { endpointVersionsAnnotation, readEndpointVersions } from "#api/discovery/endpoint-versions.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { Target } from "../service-proxy/endpoints.ts";
import { serversPerBackendMax } from "./limits.ts";
import type { Server } from "./route-table.ts";

/** Servers for what was chosen of a Service's endpoints, each with the version that its slice tells. */
export function serversOfTargets(targets: readonly Target[], slices: readonly EndpointSlice[]): Server[] {
  const versions = versionsByAddress(slices);
  return targets.slice(0, serversPerBackendMax).map(({ address, port }) => {
    const version = versions.get(address);
    return { address, port, weight: 100, ...(version === undefined ? {} : { version }) };
  });
}

function versionsByAddress(slices: readonly EndpointSlice[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { metadata, endpoints = [] } of slices) {
    const versions = readEndpointVersions(metadata.annotations?.[endpointVersionsAnnotation], endpoints.length);
    for (const [index, { addresses }] of endpoints.entries()) {
      const [address, version] = [addresses[0], versions[index]];
      if (address !== undefined && version !== undefined && version !== "") found.set(address, version);
    }
  }
  return found;
}
