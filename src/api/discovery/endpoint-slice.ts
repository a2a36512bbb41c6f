import { ageColumn, column, nameColumn } from "../columns.ts";
import type { EndpointSlice } from "../generated/discovery-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { validateEndpointSlice, validateEndpointSliceUpdate } from "../validation/endpoints.ts";

const shownMax = 3;

function formatPorts(slice: EndpointSlice): string {
  const ports = (slice.ports ?? []).map((port) => (port.port === undefined ? (port.name ?? "") : String(port.port)));
  return limited(ports);
}

function formatAddresses(slice: EndpointSlice): string {
  return limited((slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []));
}

function limited(texts: readonly string[]): string {
  if (texts.length === 0) return "<unset>";
  if (texts.length <= shownMax) return texts.join(",");
  return `${texts.slice(0, shownMax).join(",")} + ${texts.length - shownMax} more...`;
}

export const endpointSliceRules: KindRules<EndpointSlice> = {
  defaults(slice) {
    for (const port of slice.ports ?? []) {
      port.name ??= "";
      port.protocol ??= "TCP";
    }
    slice.endpoints?.forEach((endpoint) => (endpoint.conditions ??= {}));
  },
  prepareCreate(slice) {
    slice.metadata.generation = 1;
  },
  validate: (slice) => collect((errors) => validateEndpointSlice(errors, slice)),
  validateUpdate: (slice, old) => collect((errors) => validateEndpointSliceUpdate(errors, slice, old)),
  countsGeneration: true,
  columns: [
    nameColumn,
    column("AddressType", "addressType specifies the type of address carried by this EndpointSlice."),
    column("Ports", "ports specifies the list of network ports exposed by each endpoint in this slice."),
    column("Endpoints", "endpoints is a list of unique endpoints in this slice."),
    ageColumn,
  ],
  cells: (slice, now) => [
    slice.metadata.name,
    slice.addressType,
    formatPorts(slice),
    formatAddresses(slice),
    ageOf(slice.metadata.creationTimestamp, now),
  ],
};
