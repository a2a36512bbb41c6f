import type { HoldPhase, TrafficHold } from "#api/delivery/traffic-hold.ts";
import type { TrafficSplit } from "#api/delivery/traffic-split.ts";
import type { Secret, Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { Ingress, IngressBackend, IngressClass } from "#api/generated/networking-v1.ts";
import { targetsOf } from "../service-proxy/endpoints.ts";
import { serversOfTargets } from "./endpoint-servers.ts";
import { routesMax } from "./limits.ts";
import { decodeBase64, joinPem } from "./pem.ts";
import {
  anyHost,
  type Backend,
  type Certificate,
  type Compiled,
  type Problem,
  type Route,
  type Split,
} from "./route-table.ts";
import { splitOf } from "./split.ts";
import { hostFault, pathFault } from "./validate.ts";

/** What an IngressClass names to be served by us. */
export const ingressController = "steersman.dev/ingress-controller";

export interface IngressInput {
  readonly ingresses: readonly Ingress[];
  readonly classes: readonly IngressClass[];
  service(key: string): Service | undefined;
  slices(serviceKey: string): readonly EndpointSlice[];
  /** A Secret by `namespace/name`; asked only for those that accepted Ingresses name. */
  secret(key: string): Secret | undefined;
  /** Which users go elsewhere. */
  readonly splits: readonly TrafficSplit[];
  /** For which Services requests are held while no pod can answer them. */
  readonly holds?: readonly TrafficHold[];
}

/**
 * The route table of all Ingresses. Older Ingresses come first: what an older one has claimed (host and path, default, host of a
 * certificate) a younger one does not get, and is told so. What is invalid is left out and told; nothing is ever merged.
 */
export function compile(input: IngressInput): Compiled {
  const pass = new Pass(input);
  const ours = input.ingresses.filter((ingress) => isOurs(ingress, input.classes)).toSorted(olderFirst);
  for (const ingress of ours) pass.attempt(ingress, (one) => pass.addRules(one));
  // Defaults come after all rules: any rule for a path, however young, is more special than a default.
  for (const ingress of ours) pass.attempt(ingress, (one) => pass.addDefault(one));
  for (const ingress of ours) pass.attempt(ingress, (one) => pass.addCertificates(one));
  return pass.compiled(ours.map(keyOf));
}

/** Whether this controller serves an Ingress: by class, by the annotation of old, or because nobody else is the default. */
export function isOurs({ metadata, spec }: Ingress, classes: readonly IngressClass[]): boolean {
  const name = spec.ingressClassName ?? metadata.annotations?.["kubernetes.io/ingress.class"];
  if (name !== undefined)
    return classes.some((one) => one.metadata.name === name && one.spec.controller === ingressController);
  const isDefault = (one: IngressClass): boolean =>
    one.metadata.annotations?.["ingressclass.kubernetes.io/is-default-class"] === "true";
  const defaults = classes.filter(isDefault);
  return defaults.length === 0 || defaults.some((one) => one.spec.controller === ingressController);
}

class Pass {
  readonly #input: IngressInput;
  readonly #problems: Problem[] = [];
  readonly #sites = new Map<string, string>();
  readonly #exact = new Map<string, Route & { owner: string }>();
  readonly #prefix = new Map<string, Route & { owner: string }>();
  readonly #backends = new Map<string, Backend>();
  readonly #certificates = new Map<string, { hosts: string[]; pem: string }>();
  /** Host of a certificate to the Ingress that has it. */
  readonly #secured = new Map<string, string>();
  readonly #secrets = new Set<string>();
  readonly #services = new Set<string>();
  /** By id of the TrafficSplit. */
  readonly #splits = new Map<string, Split>();

  /** By `namespace/service`. */
  readonly #holds = new Map<string, HoldPhase[]>();

  constructor(input: IngressInput) {
    this.#input = input;
    for (const { metadata, spec } of input.holds ?? []) {
      for (const service of spec.services) {
        const key = `${metadata.namespace}/${service}`;
        this.#holds.set(key, [...(this.#holds.get(key) ?? []), spec.phase]);
      }
    }
  }

  /** What one malformed Ingress breaks is its own: the others are served. */
  attempt(ingress: Ingress, add: (ingress: Ingress) => void): void {
    try {
      add(ingress);
    } catch (error) {
      this.#report(keyOf(ingress), "Malformed", `The Ingress is not served: ${String(error)}`);
    }
  }

  addRules(ingress: Ingress): void {
    const owner = keyOf(ingress);
    for (const { host, http } of ingress.spec.rules ?? []) {
      const site = this.#site(owner, host);
      if (site === undefined) continue;
      for (const { path, pathType, backend } of http?.paths ?? []) {
        const asked = path === undefined || path === "" ? "/" : path;
        const fault = pathFault(asked);
        if (fault !== undefined) {
          this.#report(owner, "InvalidPath", `The path ${quoted(asked)} is not served: ${fault}`);
          continue;
        }
        const id = this.#backend(ingress, backend);
        if (id === undefined) continue;
        if (pathType === "Exact") this.#claim(this.#exact, owner, { site, path: asked, backend: id });
        else this.#claim(this.#prefix, owner, { site, path: asked.replace(/\/+$/, ""), backend: id });
      }
    }
  }

  /** The default of an Ingress takes what its own hosts have no rule for, and requests to hosts that nobody has. */
  addDefault(ingress: Ingress): void {
    const { defaultBackend, rules } = ingress.spec;
    if (defaultBackend === undefined) return;
    const owner = keyOf(ingress);
    const backend = this.#backend(ingress, defaultBackend);
    if (backend === undefined) return;
    const hosts = (rules ?? [])
      .map(({ host }) => host)
      .filter((host) => host !== undefined && host !== "" && hostFault(host) === undefined);
    for (const site of new Set(hosts as string[])) {
      // Only where the host is this Ingress' own: another's unmatched paths are none of its business.
      if (this.#sites.get(site) === owner && !this.#prefix.has(`${site} `))
        this.#claim(this.#prefix, owner, { site, path: "", backend });
    }
    if (!this.#sites.has(anyHost)) this.#sites.set(anyHost, owner);
    this.#claim(this.#prefix, owner, { site: anyHost, path: "", backend });
  }

  addCertificates(ingress: Ingress): void {
    const owner = keyOf(ingress);
    const { namespace } = ingress.metadata;
    const own = (ingress.spec.rules ?? []).flatMap(({ host }) => (host === undefined || host === "" ? [] : [host]));
    for (const { hosts, secretName } of ingress.spec.tls ?? []) {
      if (secretName === undefined || secretName === "") continue;
      const id = `${namespace}/${secretName}`;
      this.#secrets.add(id);
      const wanted = (hosts ?? []).length === 0 ? own : (hosts ?? []);
      const granted = wanted.filter((host) => this.#grant(owner, namespace ?? "", host));
      if (granted.length === 0) continue;
      const { data } = this.#input.secret(id) ?? {};
      const chain = decodeBase64(data?.["tls.crt"]);
      const key = decodeBase64(data?.["tls.key"]);
      const pem = chain === undefined || key === undefined ? undefined : joinPem(chain, key);
      if (pem === undefined) {
        this.#report(owner, "InvalidCertificate", `The Secret "${secretName}" has no usable tls.crt and tls.key`);
        continue;
      }
      const known = this.#certificates.get(id);
      if (known === undefined) this.#certificates.set(id, { hosts: [...new Set(granted)], pem });
      else known.hosts = [...new Set([...known.hosts, ...granted])];
    }
  }

  compiled(accepted: readonly string[]): Compiled {
    const certificates: Certificate[] = [...this.#certificates]
      .map(([id, { hosts, pem }]) => ({ id, hosts: hosts.toSorted(), pem }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return {
      table: {
        sites: [...this.#sites.keys()].toSorted(),
        exact: plain(this.#exact),
        prefix: plain(this.#prefix),
        backends: this.#backends,
        certificates,
        splits: [...this.#splits.values()],
      },
      problems: this.#problems,
      accepted,
      secrets: [...this.#secrets].toSorted(),
      services: [...this.#services].toSorted(),
    };
  }

  #site(owner: string, host: string | undefined): string | undefined {
    const site = host === undefined || host === "" ? anyHost : host;
    const fault = site === anyHost ? undefined : hostFault(site);
    if (fault !== undefined) {
      this.#report(owner, "InvalidHost", `The host ${quoted(site)} is not served: ${fault}`);
      return undefined;
    }
    if (!this.#sites.has(site)) this.#sites.set(site, owner);
    return site;
  }

  #claim(routes: Map<string, Route & { owner: string }>, owner: string, route: Route): void {
    const key = `${route.site} ${route.path}`;
    const holder = routes.get(key);
    const name = `${route.site === anyHost ? "any host" : route.site} and path ${route.path === "" ? "/" : route.path}`;
    if (holder !== undefined) {
      if (holder.owner === owner && holder.backend === route.backend) return;
      this.#report(owner, "Conflict", `The route for ${name} is held by the older Ingress ${holder.owner}`);
    } else if (routesMax <= this.#exact.size + this.#prefix.size) {
      this.#report(
        owner,
        "TooManyRoutes",
        `The route for ${name} is not served: there are ${routesMax} routes already`,
      );
    } else {
      routes.set(key, { ...route, owner });
    }
  }

  #grant(owner: string, namespace: string, host: string): boolean {
    const holder = this.#secured.get(host);
    const fault = hostFault(host);
    // A certificate for a host of another namespace would let its owner answer in that host's name.
    const server = this.#sites.get(host);
    if (fault !== undefined) this.#report(owner, "InvalidHost", `The TLS host ${quoted(host)} is not served: ${fault}`);
    else if (holder !== undefined && holder !== owner) {
      this.#report(owner, "Conflict", `The certificate for ${host} is given by the older Ingress ${holder}`);
    } else if (server === undefined || !server.startsWith(`${namespace}/`)) {
      this.#report(
        owner,
        "Conflict",
        `The certificate for ${host} is not used: no rule of this namespace serves that host first`,
      );
    } else {
      this.#secured.set(host, owner);
      return true;
    }
    return false;
  }

  #backend(ingress: Ingress, { service: wanted }: IngressBackend): string | undefined {
    const owner = keyOf(ingress);
    if (wanted === undefined) {
      this.#report(owner, "InvalidBackend", "A backend that is no Service is not served");
      return undefined;
    }
    const split = this.#splitFor(ingress, wanted.name);
    const port = wanted.port?.name ?? wanted.port?.number ?? "";
    // Routes of one Ingress alone are split: they get a place of their own.
    const own = split?.spec.ingress === undefined ? "" : `@${split.metadata.name}`;
    const id = `${ingress.metadata.namespace}/${wanted.name}:${port}${own}`;
    if (this.#backends.has(id)) return id;
    const servers = this.#servers(ingress, wanted.name, wanted.port ?? {});
    const held = this.#isHeld(`${ingress.metadata.namespace}/${wanted.name}`, servers.length);
    this.#backends.set(id, { id, servers, ...(held ? { held } : {}) });
    if (split !== undefined) this.#split(ingress, split, id, wanted.port ?? {});
    return id;
  }

  /** Also while the last pods are still there: who sends them away wants to know of the request that came just then. */
  #isHeld(service: string, servers: number): boolean {
    const phases = this.#holds.get(service);
    return phases !== undefined && (servers === 0 || phases.some((phase) => phase !== "Awake"));
  }

  /** The oldest TrafficSplit for a Service behind this Ingress. */
  #splitFor({ metadata }: Ingress, service: string): TrafficSplit | undefined {
    return this.#input.splits
      .filter(({ metadata: { namespace }, spec }) => {
        const isMeant = spec.ingress === undefined || spec.ingress === metadata.name;
        return namespace === metadata.namespace && spec.service === service && isMeant;
      })
      .toSorted(olderFirst)[0];
  }

  #split(ingress: Ingress, split: TrafficSplit, from: string, port: { name?: string; number?: number }): void {
    const checked = splitOf(split);
    if (typeof checked === "string") {
      this.#report(
        keyOf(ingress),
        "InvalidTrafficSplit",
        `The TrafficSplit "${split.metadata.name}" is not served: ${checked}`,
      );
      return;
    }
    const target = split.spec.to.service;
    const to = `${split.metadata.namespace}/${target}:${port.name ?? port.number ?? ""}@${split.metadata.name}`;
    // The Service of the chosen follows a moment later, and there are times without it: nobody is sent there then.
    const isThere = this.#input.service(`${split.metadata.namespace}/${target}`) !== undefined;
    const servers = isThere ? this.#servers(ingress, target, port) : [];
    this.#services.add(`${split.metadata.namespace}/${target}`);
    this.#backends.set(to, { id: to, servers });
    const known = this.#splits.get(checked.id)?.backends ?? [];
    // Without a pod the chosen are served, and counted, like everybody else.
    const backend = servers.length === 0 ? { from } : { from, to };
    this.#splits.set(checked.id, { ...checked, backends: [...known, backend] });
  }

  /** Without servers requests are answered 503: the route is kept, so that nobody else gets it meanwhile. */
  #servers(ingress: Ingress, name: string, wanted: { name?: string; number?: number }): Backend["servers"] {
    const owner = keyOf(ingress);
    const key = `${ingress.metadata.namespace}/${name}`;
    this.#services.add(key);
    const service = this.#input.service(key);
    const isNamed = wanted.name !== undefined && wanted.name !== "";
    const port = service?.spec.ports?.find((one) => (isNamed ? one.name === wanted.name : one.port === wanted.number));
    if (service === undefined || service.spec.type === "ExternalName") {
      this.#report(owner, "ServiceMissing", `The Service "${name}" does not exist or has no endpoints of its own`);
      return [];
    }
    if (port === undefined || (port.protocol ?? "TCP") !== "TCP") {
      this.#report(
        owner,
        "ServiceMissing",
        `The Service "${name}" has no TCP port ${quoted(String(wanted.name ?? wanted.number))}`,
      );
      return [];
    }
    const slices = this.#input.slices(key);
    const { cluster } = targetsOf(port, slices, { nodeName: "" });
    return serversOfTargets(cluster, slices);
  }

  #report(ingress: string, reason: string, message: string): void {
    this.#problems.push({ ingress, reason, message });
  }
}

function plain(routes: ReadonlyMap<string, Route & { owner: string }>): Route[] {
  return [...routes.values()]
    .map(({ site, path, backend, owner }) => ({ site, path, backend, ingress: owner }))
    .toSorted((a, b) => (`${a.site} ${a.path}` < `${b.site} ${b.path}` ? -1 : 1));
}

function keyOf({ metadata }: Pick<Ingress, "metadata">): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function olderFirst(a: Pick<Ingress, "metadata">, b: Pick<Ingress, "metadata">): number {
  const [timeA, timeB] = [a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? ""];
  if (timeA !== timeB) return timeA < timeB ? -1 : 1;
  return keyOf(a) < keyOf(b) ? -1 : 1;
}

/** A user's text in a message: cut, and with its control characters visible. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
