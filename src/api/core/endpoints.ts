import { ageColumn, column, nameColumn } from "../columns.ts";
import type { Endpoints } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { validateEndpoints } from "../validation/endpoints.ts";

const shownMax = 3;

/** `10.0.0.1:80,10.0.0.2:80 + 1 more...` */
function formatEndpoints(endpoints: Endpoints): string {
  const shown: string[] = [];
  let count = 0;
  for (const subset of endpoints.subsets ?? []) {
    const ports = subset.ports ?? [];
    for (const address of subset.addresses ?? []) {
      const texts = ports.length === 0 ? [address.ip] : ports.map((port) => hostPort(address.ip, port.port));
      for (const text of texts) {
        if (shown.length < shownMax) shown.push(text);
        count++;
      }
    }
  }
  if (count === 0) return "<none>";
  return count > shown.length ? `${shown.join(",")} + ${count - shown.length} more...` : shown.join(",");
}

function hostPort(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

export const endpointsRules: KindRules<Endpoints> = {
  defaults(endpoints) {
    for (const subset of endpoints.subsets ?? []) {
      for (const port of subset.ports ?? []) if (!port.protocol) port.protocol = "TCP";
    }
  },
  validate: (endpoints) => collect((errors) => validateEndpoints(errors, endpoints)),
  deprecation: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
  columns: [nameColumn, column("Endpoints", "The set of all endpoints is the union of all subsets."), ageColumn],
  cells: (endpoints, now) => [
    endpoints.metadata.name,
    formatEndpoints(endpoints),
    ageOf(endpoints.metadata.creationTimestamp, now),
  ],
};
