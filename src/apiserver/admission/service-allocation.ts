import { formatIpv4, parseIpv4 } from "#base/cidr.ts";
import type { Service, ServicePort } from "#api/generated/core-v1.ts";
import type { IPAddress } from "#api/generated/networking-v1.ts";
import { ipaddresses, servicecidrs, services } from "#api/generated/resources.ts";
import type { Random } from "#world/random.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import { listStored } from "../authorize/stored.ts";
import { internal, invalid } from "../failure.ts";
import type { ObjectReader } from "../object-reader.ts";
import { AddressPools } from "./address-pools.ts";
import { setIpFamilies } from "./ip-families.ts";
import { allocationAgeMs, portsKept, reservationMs } from "./limits.ts";
import { keptForPeople, NumberPool, type Numbers, type PoolEntry } from "./number-pool.ts";
import { allow, isAbout, objectOf, oldObjectOf } from "./request.ts";

export interface ServiceAllocationOptions {
  readonly objects: ObjectReader;
  readonly random: Pick<Random, "float">;
  /** IPv4, e.g. `10.96.0.0/16`; ServiceCIDRs come on top. The first address and the last are never given. */
  readonly serviceRange: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
}

/**
 * Gives Services their addresses and node ports. This step is synchronous, and a number is reserved in the same turn in which
 * it is chosen, so two Services never get the same one, also when steps after this one wait. What a deletion frees is found
 * by looking at the stored Services again.
 */
export function serviceAllocation(options: ServiceAllocationOptions): AdmissionPlugin {
  const allocator = new Allocator(options);
  return {
    name: "ServiceAllocation",
    isRepeatable: false,
    mutate(request) {
      const wanted = isAbout(request, services) && request.operation !== "DELETE";
      const service = wanted ? objectOf(request, services) : undefined;
      return service === undefined ? allow : allocator.allocate(service, oldObjectOf(request, services), request);
    },
  };
}

class Allocator {
  readonly #options: ServiceAllocationOptions;
  readonly #addresses: AddressPools;
  readonly #ports: NumberPool;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #changed = true;

  constructor(options: ServiceAllocationOptions) {
    this.#options = options;
    this.#addresses = new AddressPools(options.serviceRange);
    const ports = options.nodePorts.last - options.nodePorts.first + 1;
    this.#ports = new NumberPool({ ...options.nodePorts, keptForPeople: keptForPeople(ports, portsKept) });
    for (const resource of [services, ipaddresses])
      options.objects.onChange(resource, () => {
        this.#changed = true;
      });
    // Rare, and to be followed at once: a range that is to go gives nothing any more.
    options.objects.onChange(servicecidrs, () => {
      this.#changed = true;
      this.#refreshedAt = Number.NEGATIVE_INFINITY;
    });
  }

  allocate(service: Service, old: Service | undefined, request: AdmissionRequest): Verdict {
    if (this.#changed && this.#refreshedAt + allocationAgeMs <= request.now) this.#refresh(request.now);
    const families = setIpFamilies(service);
    if (families !== undefined) return refuse(request, families.field, families.message);
    return this.#allocateAddress(service, old, request) ?? this.#allocatePorts(service, old, request) ?? allow;
  }

  #allocateAddress(service: Service, old: Service | undefined, request: AdmissionRequest): Verdict | undefined {
    const { spec } = service;
    if (spec.type === "ExternalName") return undefined;
    const asked = spec.clusterIPs?.[0] || spec.clusterIP || "";
    if (asked === "None") {
      spec.clusterIP = "None";
      spec.clusterIPs = ["None"];
      return undefined;
    }
    if (asked === "") {
      const number = this.#pick(this.#addresses, request);
      if (number === undefined)
        return { allowed: false, ...internalParts("failed to allocate a serviceIP: range is full") };
      this.#take(this.#addresses, number, request);
      spec.clusterIP = formatIpv4(number);
      spec.clusterIPs = [spec.clusterIP];
      return undefined;
    }
    // An address that was given stays, and validation refuses another one.
    if (old?.spec.clusterIP && old.spec.type !== "ExternalName") return undefined;
    const number = parseIpv4(asked);
    // What is no IPv4 address at all is named by validation.
    if (number === undefined) return undefined;
    const problem = this.#takeAsked(this.#addresses, number, request);
    if (problem !== undefined) {
      const range = `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${this.#addresses.text}`;
      const why = problem === "outside" ? range : "provided IP is already allocated";
      return refuse(request, "spec.clusterIPs", `Invalid value: ["${asked}"]: failed to allocate IP ${asked}: ${why}`);
    }
    spec.clusterIP = asked;
    spec.clusterIPs ??= [asked];
    return undefined;
  }

  #allocatePorts(service: Service, old: Service | undefined, request: AdmissionRequest): Verdict | undefined {
    const { spec } = service;
    const balanced = spec.type === "LoadBalancer";
    if (spec.type !== "NodePort" && !balanced) return undefined;
    const given = new Map<string, number>();
    const oldPorts = new Set((old?.spec.ports ?? []).map((port) => port.nodePort));
    for (const [index, port] of (spec.ports ?? []).entries()) {
      if (!port.nodePort) continue;
      const known = oldPorts.has(port.nodePort) || [...given.values()].includes(port.nodePort);
      const problem = known ? undefined : this.#takeAsked(this.#ports, port.nodePort, request);
      if (problem !== undefined)
        return this.#refusePort(request, `spec.ports[${index}].nodePort`, port.nodePort, problem);
      given.set(`${port.protocol}/${port.port}`, port.nodePort);
    }
    if (!balanced || spec.allocateLoadBalancerNodePorts !== false) {
      const failure = this.#pickPorts(spec.ports ?? [], given, request);
      if (failure !== undefined) return failure;
    }
    return balanced && spec.externalTrafficPolicy === "Local"
      ? this.#allocateHealthPort(service, old, request)
      : undefined;
  }

  /** Ports of different protocols with the same number share one node port, as DNS over UDP and TCP does. */
  #pickPorts(
    ports: readonly ServicePort[],
    given: ReadonlyMap<string, number>,
    request: AdmissionRequest,
  ): Verdict | undefined {
    const byNumber = new Map<number, ServicePort[]>();
    for (const port of ports) byNumber.set(port.port, [...(byNumber.get(port.port) ?? []), port]);
    for (const same of byNumber.values()) {
      const protocols = new Set(same.map((port) => port.protocol));
      const sharable = protocols.size === same.length;
      let shared = sharable
        ? same.map((port) => given.get(`${port.protocol}/${port.port}`)).find((port) => port !== undefined)
        : undefined;
      for (const port of same) {
        if (port.nodePort) continue;
        const number = shared ?? this.#pick(this.#ports, request);
        if (number === undefined)
          return { allowed: false, ...internalParts("failed to allocate a nodePort: range is full") };
        this.#take(this.#ports, number, request);
        port.nodePort = number;
        if (sharable) shared = number;
      }
    }
    return undefined;
  }

  #allocateHealthPort(service: Service, old: Service | undefined, request: AdmissionRequest): Verdict | undefined {
    const asked = service.spec.healthCheckNodePort;
    if (asked && asked === old?.spec.healthCheckNodePort) return undefined;
    if (asked) {
      const problem = this.#takeAsked(this.#ports, asked, request);
      return problem === undefined ? undefined : this.#refusePort(request, "spec.healthCheckNodePort", asked, problem);
    }
    const number = this.#pick(this.#ports, request);
    if (number === undefined)
      return { allowed: false, ...internalParts("failed to allocate a HealthCheck NodePort: range is full") };
    this.#take(this.#ports, number, request);
    service.spec.healthCheckNodePort = number;
    return undefined;
  }

  #refusePort(request: AdmissionRequest, field: string, port: number, problem: "outside" | "taken"): Verdict {
    const { first, last } = this.#options.nodePorts;
    const range = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    return refuse(
      request,
      field,
      `Invalid value: ${port}: ${problem === "outside" ? range : "provided port is already allocated"}`,
    );
  }

  #pick(pool: Numbers, request: AdmissionRequest): number | undefined {
    const number = pool.pick(this.#options.random);
    if (number !== undefined) return number;
    this.#refresh(request.now);
    return pool.pick(this.#options.random);
  }

  /** Before a number is refused, the stored Services are looked at: it may have become free. */
  #takeAsked(pool: Numbers, number: number, request: AdmissionRequest): "outside" | "taken" | undefined {
    if (!pool.contains(number)) this.#refresh(request.now);
    if (!pool.contains(number)) return "outside";
    const owner = ownerOf(request);
    const free = (): boolean => pool.ownerOf(number) === undefined || pool.ownerOf(number) === owner;
    if (!free()) this.#refresh(request.now);
    if (!free()) return "taken";
    this.#take(pool, number, request);
    return undefined;
  }

  #take(pool: Numbers, number: number, request: AdmissionRequest): void {
    if (!request.dryRun) pool.reserve(number, ownerOf(request), request.now + reservationMs);
  }

  #refresh(now: number): void {
    const { objects } = this.#options;
    const stored = listStored(objects, services);
    const ranges = listStored(objects, servicecidrs).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    this.#addresses.setRanges(ranges.flatMap(({ spec }) => spec.cidrs ?? []));
    this.#addresses.refresh([...keptAddresses(listStored(objects, ipaddresses)), ...storedAddresses(stored)], now);
    this.#ports.refresh(storedPorts(stored), now);
    this.#refreshedAt = now;
    this.#changed = false;
  }
}

function ownerOf(request: AdmissionRequest): string {
  const name = request.name || (request.object?.metadata.name ?? "");
  // Without a name yet: nobody else can be the same owner.
  return name === "" ? `${request.namespace}/ ${request.object?.metadata.uid ?? ""}` : `${request.namespace}/${name}`;
}

function keyOf(service: Service): string {
  return `${service.metadata.namespace}/${service.metadata.name}`;
}

/** Addresses that people keep for something that is no Service. */
function* keptAddresses(stored: readonly IPAddress[]): Generator<PoolEntry> {
  for (const { metadata, spec } of stored) {
    const number = parseIpv4(metadata.name ?? "");
    const { resource, namespace, name } = spec.parentRef ?? {};
    if (number !== undefined && resource !== "services") yield { number, owner: `${resource} ${namespace}/${name}` };
  }
}

function* storedAddresses(stored: readonly Service[]): Generator<PoolEntry> {
  for (const service of stored) {
    for (const address of service.spec.clusterIPs ?? [service.spec.clusterIP ?? ""]) {
      const number = parseIpv4(address);
      if (number !== undefined) yield { number, owner: keyOf(service) };
    }
  }
}

function* storedPorts(stored: readonly Service[]): Generator<PoolEntry> {
  for (const service of stored) {
    for (const port of service.spec.ports ?? [])
      if (port.nodePort) yield { number: port.nodePort, owner: keyOf(service) };
    if (service.spec.healthCheckNodePort) yield { number: service.spec.healthCheckNodePort, owner: keyOf(service) };
  }
}

function refuse(request: AdmissionRequest, field: string, message: string): Verdict {
  const name = request.name || (request.object?.metadata.name ?? "");
  const cause = { field, reason: "FieldValueInvalid", message } as const;
  const failure = invalid("", "Service", name, [cause]);
  return { allowed: false, code: failure.code, reason: failure.reason, message: failure.message, causes: [cause] };
}

function internalParts(message: string): { code: number; reason: string; message: string } {
  const failure = internal(`Internal error occurred: ${message}`);
  return { code: failure.code, reason: failure.reason, message: failure.message };
}
