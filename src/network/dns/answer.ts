import { formatIpv4, parseIpv4 } from "#base/cidr.ts";
import { aliasesMax, recordsMax, ttlSeconds } from "./limits.ts";
import { codes, emptyAnswer, types, type Answer, type DnsRecord, type Query, type RecordData } from "./wire.ts";
import type { DnsEndpoint, DnsPort, DnsService, Zone } from "./zone.ts";

/** `forward`: not ours, ask upstream. `alias`: ours up to a name outside, which must be looked up for the rest. */
export type Answered =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "forward" }
  | { readonly kind: "alias"; readonly answer: Answer; readonly target: string };

/** Found: records of the asked type. Exists: the name is there, but has no such records. */
type Found =
  | { readonly kind: "records"; readonly records: readonly DnsRecord[]; readonly additionals: readonly DnsRecord[] }
  | { readonly kind: "alias"; readonly target: string }
  | { readonly kind: "exists" }
  | { readonly kind: "missing" }
  | { readonly kind: "foreign" };

/**
 * Answers a question about the cluster's names (the published "Kubernetes DNS-Based Service Discovery", schema 1.1.0).
 * Pure: `zone` is looked up, nothing is awaited.
 */
export function answer(zone: Zone, query: Query): Answered {
  if (query.opcode !== 0) return { kind: "answer", answer: emptyAnswer(codes.notImplemented) };
  if (query.edns !== undefined && query.edns.version !== 0)
    return { kind: "answer", answer: emptyAnswer(codes.badVersion) };
  if (query.class !== 1) return { kind: "answer", answer: emptyAnswer(codes.refused) };
  const records: DnsRecord[] = [];
  let name = query.name;
  for (let hops = 0; hops < aliasesMax; hops++) {
    const found = look(zone, name, query.type);
    switch (found.kind) {
      case "foreign":
        if (hops === 0) return { kind: "forward" };
        return { kind: "alias", answer: positive(records, []), target: name };
      case "missing":
        return { kind: "answer", answer: negative(zone, codes.nameError, records) };
      case "exists":
        return { kind: "answer", answer: negative(zone, codes.ok, records) };
      case "records":
        records.push(...rotated(found.records, query.id).slice(0, recordsMax));
        return { kind: "answer", answer: positive(records, found.additionals.slice(0, recordsMax)) };
      case "alias":
        records.push(record(name, { type: "CNAME", target: found.target }));
        if (query.type === types.CNAME) return { kind: "answer", answer: positive(records, []) };
        name = found.target;
    }
  }
  return { kind: "answer", answer: emptyAnswer(codes.serverFailure) };
}

function look(zone: Zone, name: string, type: number): Found {
  if (name.endsWith(".in-addr.arpa")) return lookReverse(zone, name, type);
  if (name === zone.domain) return { kind: "exists" };
  const ending = `.${zone.domain}`;
  if (!name.endsWith(ending)) return { kind: "foreign" };
  const labels = name.slice(0, -ending.length).split(".").toReversed();
  const [branch, namespace, ...rest] = labels;
  if (branch === "dns-version" && namespace === undefined)
    return typed(type, types.TXT, [record(name, { type: "TXT", text: "1.1.0" })]);
  if (branch !== "svc" && branch !== "pod") return { kind: "missing" };
  if (namespace === undefined) return { kind: "exists" };
  if (rest.length === 0) return zone.hasNamespace(namespace) ? { kind: "exists" } : { kind: "missing" };
  return branch === "svc" ? lookService(zone, name, type, namespace, rest) : lookPod(zone, name, type, namespace, rest);
}

function lookPod(zone: Zone, name: string, type: number, namespace: string, rest: readonly string[]): Found {
  const address = (rest[0] ?? "").replaceAll("-", ".");
  if (rest.length !== 1 || parseIpv4(address) === undefined || !zone.hasNamespace(namespace))
    return { kind: "missing" };
  return typed(type, types.A, [record(name, { type: "A", address })]);
}

/** `rest` is what stands before the namespace, from right to left: the Service, then an endpoint, or protocol and port. */
function lookService(zone: Zone, name: string, type: number, namespace: string, rest: readonly string[]): Found {
  const [serviceName = "", second, third, ...more] = rest;
  const service = zone.service(namespace, serviceName);
  if (service === undefined || 0 < more.length) return { kind: "missing" };
  if (service.kind === "external") {
    return second === undefined && service.externalName !== ""
      ? { kind: "alias", target: service.externalName }
      : { kind: "missing" };
  }
  if (second === undefined) return lookAddresses(zone, name, type, service);
  if (third === undefined)
    return second.startsWith("_")
      ? lookProtocol(zone, service, second)
      : lookEndpoint(zone, name, type, service, second);
  if (!second.startsWith("_") || !third.startsWith("_")) return { kind: "missing" };
  const wanted = { protocol: second.slice(1), name: third.slice(1) };
  const found = serviceRecords(
    zone,
    name,
    service,
    (port) => port.protocol === wanted.protocol && port.name === wanted.name,
  );
  return found.records.length === 0 ? { kind: "missing" } : type === types.SRV ? found : { kind: "exists" };
}

/** `_tcp.web.default.svc` itself has no records, but there are names below it. */
function lookProtocol(zone: Zone, service: DnsService, label: string): Found {
  const { records } = serviceRecords(zone, "", service, (port) => port.name !== "" && port.protocol === label.slice(1));
  return records.length === 0 ? { kind: "missing" } : { kind: "exists" };
}

function lookAddresses(zone: Zone, name: string, type: number, service: DnsService): Found {
  if (type === types.SRV) {
    const found = serviceRecords(zone, name, service, () => true);
    return found.records.length === 0 ? { kind: "exists" } : found;
  }
  if (type !== types.A && type !== types.ANY) return { kind: "exists" };
  const addresses =
    service.kind === "address"
      ? service.addresses
      : new Set(zone.endpoints(service.namespace, service.name).map(({ address }) => address));
  const records = [...addresses].map((address) => record(name, { type: "A", address }));
  // "If there are no ready endpoints", says the specification, the name of a headless Service does not exist.
  if (records.length === 0) return service.kind === "headless" ? { kind: "missing" } : { kind: "exists" };
  return { kind: "records", records, additionals: [] };
}

function lookEndpoint(zone: Zone, name: string, type: number, service: DnsService, label: string): Found {
  if (service.kind !== "headless") return { kind: "missing" };
  const endpoints = zone.endpoints(service.namespace, service.name).filter((endpoint) => endpoint.label === label);
  if (endpoints.length === 0) return { kind: "missing" };
  const addresses = new Set(endpoints.map(({ address }) => address));
  return typed(
    type,
    types.A,
    [...addresses].map((address) => record(name, { type: "A", address })),
  );
}

interface ServiceRecords {
  readonly kind: "records";
  readonly records: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** SRV records of a Service's ports, and the addresses of their targets. */
function serviceRecords(
  zone: Zone,
  name: string,
  service: DnsService,
  wanted: (port: DnsPort) => boolean,
): ServiceRecords {
  const own = serviceName(zone, service);
  if (service.kind === "address") {
    const records = service.ports.filter(wanted).map(({ port }) => record(name, srv(port, own, 1)));
    return {
      kind: "records",
      records,
      additionals: service.addresses.map((address) => record(own, { type: "A", address })),
    };
  }
  const records = new Map<string, DnsRecord>();
  const additionals = new Map<string, DnsRecord>();
  const endpoints = zone.endpoints(service.namespace, service.name);
  for (const endpoint of endpoints) {
    const target = `${endpoint.label}.${own}`;
    for (const { port } of endpoint.ports.filter(wanted)) {
      records.set(`${target} ${port}`, record(name, srv(port, target, endpoints.length)));
      additionals.set(`${target} ${endpoint.address}`, record(target, { type: "A", address: endpoint.address }));
    }
  }
  return { kind: "records", records: [...records.values()], additionals: [...additionals.values()] };
}

function lookReverse(zone: Zone, name: string, type: number): Found {
  const address = name.slice(0, -".in-addr.arpa".length).split(".").toReversed().join(".");
  const value = parseIpv4(address);
  if (value === undefined || !zone.owns(formatIpv4(value))) return { kind: "foreign" };
  const services = zone.servicesAt(address).map((service) => serviceName(zone, service));
  const endpoints = zone.endpointsAt(address).map((endpoint) => endpointName(zone, endpoint));
  const records = [...new Set([...services, ...endpoints])].map((target) => record(name, { type: "PTR", target }));
  return records.length === 0 ? { kind: "missing" } : typed(type, types.PTR, records);
}

function serviceName(zone: Zone, { namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${name}.${namespace}.svc.${zone.domain}`;
}

function endpointName(zone: Zone, { namespace, service, label }: DnsEndpoint): string {
  return `${label}.${serviceName(zone, { namespace, name: service })}`;
}

function srv(port: number, target: string, sharers: number): RecordData {
  // Weights of all targets add up to about 100, as upstream's server has them.
  return { type: "SRV", priority: 0, weight: Math.max(1, Math.floor(100 / sharers)), port, target };
}

function typed(asked: number, own: number, records: readonly DnsRecord[]): Found {
  return asked === own || asked === types.ANY ? { kind: "records", records, additionals: [] } : { kind: "exists" };
}

function record(name: string, data: RecordData): DnsRecord {
  return { name, ttlSeconds, data };
}

/** Spreads clients that take the first address over all of them. */
function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return start === 0 ? items : [...items.slice(start), ...items.slice(0, start)];
}

function positive(answers: readonly DnsRecord[], additionals: readonly DnsRecord[]): Answer {
  return { code: codes.ok, authoritative: true, answers, authorities: [], additionals };
}

function negative(zone: Zone, code: number, answers: readonly DnsRecord[]): Answer {
  const primary = `ns.dns.${zone.domain}`;
  const data: RecordData = {
    type: "SOA",
    primary,
    mailbox: `hostmaster.${zone.domain}`,
    serial: 1,
    minimum: ttlSeconds,
  };
  const authorities = [record(zone.domain, data)];
  return { code, authoritative: true, answers, authorities, additionals: [] };
}
