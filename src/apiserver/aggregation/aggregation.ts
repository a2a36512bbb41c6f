import type { APIService } from "#api/generated/apiregistration-v1.ts";
import { apiservices, endpointslices, services } from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import { apiVersionOf, type AggregatedApi, type AggregatedApis, type Resource } from "#api/resource.ts";
import type { Timer } from "#world/clock.ts";
import type { HttpRequest, HttpResponse } from "#world/http.ts";
import { textFromBase64 } from "../authenticate/base64.ts";
import { listStored } from "../authorize/stored.ts";
import type { Call, Outcome, Parts } from "../call.ts";
import { internalCall } from "../internal-call.ts";
import { Passes } from "../passes.ts";
import { resolveService } from "../connect/endpoints.ts";
import { answerOf, forwarded, handedOver, upgrades } from "../connect/forward.ts";
import { readWhole } from "../connect/read-whole.ts";
import { Failure, serviceUnavailable } from "../failure.ts";
import { cloneValue } from "#codec/record.ts";
import { formatTime } from "#codec/time.ts";
import type { Counter, Family, Metrics } from "#telemetry/metrics.ts";
import type { Destination } from "../node-connector.ts";
import type { RemotePart } from "../openapi/merge-v2.ts";
import { fingerprint } from "../openapi/document.ts";
import type { User } from "../user.ts";
import { updateObject } from "../verbs/update.ts";
import { checkIntervalMs, checkTimeoutMs, resourceListBytesMax } from "./limits.ts";
import { remoteDocuments, type RemoteDocuments } from "./remote-document.ts";
import { resourcesOf } from "./resources.ts";
import { whyUnavailable, type Verdict } from "./unavailable.ts";

type Stored = ApiObject & APIService;
type Condition = NonNullable<NonNullable<APIService["status"]>["conditions"]>[number];

/** One group version that another server answers. */
interface Remote {
  readonly service: Stored;
  available: boolean;
  documents: RemoteDocuments;
  /** What is entered in the registry for it, and what it was made from. */
  resources: readonly Resource<ApiObject>[];
  listHash: string;
}

/**
 * Group versions that APIServices give to other servers. Each is asked for its resources whenever it, its Service or its
 * endpoints change, and now and then; what it answers becomes part of discovery, and its condition says whether it answers.
 */
export class Aggregation implements AggregatedApis {
  readonly #parts: Parts;
  readonly #remotes = new Map<string, Remote>();
  readonly #listening: { close(): void }[];
  readonly #listeners = new Set<() => void>();
  readonly #passes: Passes;
  #timer: Timer | undefined;
  #isClosed = false;
  readonly #fell: Counter | undefined;

  constructor(parts: Parts, metrics?: Metrics) {
    this.#parts = parts;
    this.#fell = metrics?.counter(
      "aggregator_unavailable_apiservice_total",
      "Counter of APIServices which are marked as unavailable broken down by APIService name and reason.",
      ["name", "reason"],
    );
    metrics?.collect(() => [this.#unavailable()]);
    const { reader } = parts;
    this.#passes = new Passes(
      () => this.#lookAfterAll(),
      (error) => parts.log("cannot look after the aggregated servers", error),
    );
    const look = (): void => this.#passes.request();
    const lookWhenAny = (): void => {
      if (this.#remotes.size > 0) look();
    };
    this.#listening = [
      reader.onChange(apiservices, look),
      reader.onChange(services, lookWhenAny),
      reader.onChange(endpointslices, lookWhenAny),
    ];
    look();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const each of this.#listening) each.close();
  }

  all(): readonly AggregatedApi[] {
    // Those that nobody has asked yet are known from their APIServices: until they answer, what they serve is unknown.
    return [...this.#wanted().keys()].map((apiVersion) => {
      const { available = false, resources = [] } = this.#remotes.get(apiVersion) ?? {};
      return { apiVersion, isAnswering: available, resources };
    });
  }

  onChange(changed: () => void): { close(): void } {
    this.#listeners.add(changed);
    return { close: () => this.#listeners.delete(changed) };
  }

  /** What the servers that answer publish in OpenAPI 3, by `apis/{group}/{version}`. */
  documents(): ReadonlyMap<string, { readonly body: Uint8Array; readonly hash: string }> {
    const published = new Map<string, { readonly body: Uint8Array; readonly hash: string }>();
    for (const [apiVersion, { available, documents }] of this.#remotes)
      if (available && documents.v3 !== undefined)
        published.set(`apis/${apiVersion}`, { body: documents.v3.content, hash: documents.v3.hash });
    return published;
  }

  /** Their parts of the one document of OpenAPI 2 by group version, in the order of names. */
  partsOfV2(): ReadonlyMap<string, { readonly content: RemotePart; readonly hash: string }> {
    const parts = new Map<string, { readonly content: RemotePart; readonly hash: string }>();
    for (const apiVersion of [...this.#remotes.keys()].sort()) {
      const { available, documents } = this.#remotes.get(apiVersion)!;
      if (available && documents.v2 !== undefined) parts.set(apiVersion, documents.v2);
    }
    return parts;
  }

  /** The answer of the server that a path below /apis belongs to; undefined when it is this one. */
  answer(call: Call): Outcome | Promise<Outcome> {
    if (this.#remotes.size === 0) return undefined;
    const { info } = call;
    const remote = this.#remotes.get(info.isResource ? info.apiVersion : info.path.split("/").slice(2, 4).join("/"));
    return remote === undefined ? undefined : this.#proxy(call, remote);
  }

  async #proxy(call: Call, remote: Remote): Promise<Outcome> {
    const { nodes, log } = this.#parts;
    const destination = this.#destination(remote.service);
    if (!remote.available || "problem" in destination || nodes?.dial === undefined)
      return serviceUnavailable("service unavailable");
    const request = forwarded(call, call.request.target, identityHeaders(call.user));
    const upgrade = upgrades.get(call);
    if (upgrade !== undefined && nodes.dialUpgrade !== undefined) {
      upgrades.delete(call);
      nodes.dialUpgrade(destination, request, upgrade);
      return handedOver;
    }
    try {
      return answerOf(await nodes.dial(destination, request));
    } catch (error) {
      log(`cannot reach the server of APIService ${remote.service.metadata.name ?? ""}`, error);
      return serviceUnavailable("error trying to reach service: no answer");
    }
  }

  #destination({ spec }: APIService): Destination | { readonly problem: Verdict } {
    const { namespace = "", name = "", port = 443 } = spec.service ?? {};
    const resolved = resolveService(this.#parts.reader, namespace, name, port);
    if (!resolved.ok) return { problem: whyUnavailable(this.#parts.reader, spec.service ?? {}) };
    const endpoint = resolved.endpoints[Math.floor(this.#parts.random.float() * resolved.endpoints.length)]!;
    return {
      scheme: "https",
      ...endpoint,
      serverName: `${name}.${namespace}.svc`,
      ...(spec.caBundle !== undefined && spec.caBundle !== "" && { ca: textFromBase64(spec.caBundle) }),
      ...(spec.insecureSkipTLSVerify === true && { insecure: true }),
      asFrontProxy: true,
    };
  }

  #unavailable(): Family {
    return {
      name: "aggregator_unavailable_apiservice",
      type: "gauge",
      help: "Gauge of APIServices which are marked as unavailable broken down by APIService name.",
      samples: Array.from(this.#remotes.values(), ({ service: { metadata }, available }) => ({
        labels: { name: metadata.name ?? "" },
        value: available ? 0 : 1,
      })),
    };
  }

  async #lookAfterAll(): Promise<void> {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    const wanted = this.#wanted();
    for (const [apiVersion, remote] of this.#remotes) if (!wanted.has(apiVersion)) this.#forget(apiVersion, remote);
    try {
      await Promise.all([...wanted].map(([apiVersion, service]) => this.#check(apiVersion, service)));
    } finally {
      // Without remotes nothing is asked, and nothing wakes us but a change.
      if (this.#remotes.size > 0 && !this.#isClosed)
        this.#timer = this.#parts.timers.after(checkIntervalMs, () => this.#passes.request());
    }
  }

  /** The APIServices of other servers by group version. What this server itself answers is not given away. */
  #wanted(): Map<string, Stored> {
    const services = (listStored(this.#parts.reader, apiservices) as Stored[]).filter(
      ({ spec }) => spec.service !== undefined,
    );
    const wanted = new Map(
      services.map((service) => [`${service.spec.group ?? ""}/${service.spec.version ?? ""}`, service]),
    );
    for (const apiVersion of wanted.keys())
      if (!this.#remotes.has(apiVersion) && this.#isOurs(apiVersion)) wanted.delete(apiVersion);
    return wanted;
  }

  #isOurs(apiVersion: string): boolean {
    return this.#parts.registry.all().some((served) => served.apiVersion === apiVersion);
  }

  #forget(apiVersion: string, { resources }: Remote): void {
    for (const resource of resources) this.#parts.registry.remove(entryId(resource));
    this.#parts.registry.markStale(apiVersion, false);
    this.#remotes.delete(apiVersion);
    this.#tellChange();
  }

  #tellChange(): void {
    for (const changed of this.#listeners) changed();
  }

  async #check(apiVersion: string, service: Stored): Promise<void> {
    const known = this.#remotes.get(apiVersion);
    const remote: Remote = {
      service,
      available: known?.available ?? false,
      documents: known?.documents ?? { v2: undefined, v3: undefined },
      resources: known?.resources ?? [],
      listHash: known?.listHash ?? "",
    };
    this.#remotes.set(apiVersion, remote);
    const verdict = await this.#ask(apiVersion, remote);
    remote.available = verdict.available;
    this.#parts.registry.markStale(apiVersion, !verdict.available);
    if (known?.available !== remote.available || known.resources !== remote.resources) this.#tellChange();
    if (!verdict.available && known?.available !== false)
      this.#fell?.add([service.metadata.name ?? "", verdict.reason]);
    await this.#report(service, verdict);
  }

  async #ask(apiVersion: string, remote: Remote): Promise<Verdict> {
    const destination = this.#destination(remote.service);
    if ("problem" in destination) return destination.problem;
    const { nodes, timers, log } = this.#parts;
    const failed = (message: string): Verdict => ({ available: false, reason: "FailedDiscoveryCheck", message });
    const url = `https://${destination.serverName ?? ""}/apis/${apiVersion}`;
    const identity = identityHeaders(aggregator);
    const abort = new AbortController();
    const timer = timers.after(checkTimeoutMs, () => abort.abort());
    const request: HttpRequest = {
      method: "GET",
      target: `/apis/${apiVersion}`,
      headers: { accept: "application/json", ...identity },
      body: new Uint8Array(0),
      signal: abort.signal,
    };
    try {
      const dial = nodes?.dial;
      if (dial === undefined) return failed("this server has no way to it");
      const response = await dial(destination, request);
      const body = await readWhole(response, resourceListBytesMax);
      if (body === undefined || response.status !== 200)
        return failed(`failing or missing response from ${url}: bad status from ${url}: ${response.status}`);
      const problem = this.#enter(remote, body);
      if (problem !== undefined) return failed(`failing or missing response from ${url}: ${problem}`);
      // It answers: its requests need not wait for its documents.
      remote.available = true;
      const ask = (asked: HttpRequest): Promise<HttpResponse> => dial(destination, asked);
      const missed = (target: string, error: unknown): void =>
        log(`${target} of APIService ${remote.service.metadata.name ?? ""} did not come`, error);
      const asking = { ask, apiVersion, headers: identity, signal: abort.signal, failed: missed };
      remote.documents = await remoteDocuments(asking, remote.documents);
      return { available: true, reason: "Passed", message: "all checks passed" };
    } catch (error) {
      log(`an aggregated server gave no answer at ${url}`, error);
      return failed(`failing or missing response from ${url}: no answer`);
    } finally {
      timer.cancel();
    }
  }

  /** Puts what a server says that it serves into the registry, where it differs from the last time; a text says what is wrong. */
  #enter(remote: Remote, body: Uint8Array): string | undefined {
    const hash = fingerprint(new TextDecoder().decode(body));
    if (hash === remote.listHash) return undefined;
    const { group = "", version = "" } = remote.service.spec;
    const entries = resourcesOf(body, group, version);
    if (typeof entries === "string") return entries;
    const { registry } = this.#parts;
    for (const resource of remote.resources) registry.remove(entryId(resource));
    remote.resources = entries.map(({ kind }) => kind.storage);
    for (const entry of entries) registry.set(entryId(entry.kind.storage), entry);
    remote.listHash = hash;
    return undefined;
  }

  async #report(service: Stored, { available, reason, message }: Verdict): Promise<void> {
    const status = available ? "True" : "False";
    const known = service.status?.conditions?.find(({ type }) => type === "Available");
    if (known?.status === status && known.reason === reason && known.message === message) return;
    const served = this.#parts.registry.find("apiregistration.k8s.io/v1", "apiservices");
    if (served === undefined) return;
    const name = service.metadata.name ?? "";
    const now = formatTime(this.#parts.clock.now());
    const lastTransitionTime = known?.status === status ? (known.lastTransitionTime ?? now) : now;
    const condition: Condition = { type: "Available", status, lastTransitionTime, reason, message };
    const path = `/apis/apiregistration.k8s.io/v1/apiservices/${name}/status`;
    const call = internalCall(this.#parts, "PUT", path, "apiserver/aggregation");
    const transform = (old: ApiObject): ApiObject => {
      const next = cloneValue(old) as Stored;
      const others = (next.status?.conditions ?? []).filter(({ type }) => type !== "Available");
      next.status = { ...next.status, conditions: [condition, ...others] };
      return next;
    };
    const options = { dryRun: false, fieldManager: "steersman", force: undefined };
    const result = await updateObject(call, served, options, transform, { direct: true });
    if (result instanceof Failure && result.code !== 404)
      throw new Error(`cannot write the status of ${name}: ${result.message}`);
  }
}

/** Where the registry keeps a resource of another server. */
function entryId(resource: Resource<unknown>): string {
  return `aggregated/${apiVersionOf(resource)}/${resource.resource}`;
}

const aggregator: User = { name: "system:kube-aggregator", uid: "", groups: ["system:masters"], extra: {} };

/** Who asks, as aggregated servers believe it from the certificate of the front proxy. Line breaks part several values. */
function identityHeaders(user: User): Record<string, string> {
  const headers: Record<string, string> = { "x-remote-user": oneLine(user.name) };
  if (user.uid !== "") headers["x-remote-uid"] = oneLine(user.uid);
  if (user.groups.length > 0) headers["x-remote-group"] = user.groups.map(oneLine).join("\n");
  for (const [key, values] of Object.entries(user.extra))
    headers[`x-remote-extra-${encodeURIComponent(key).toLowerCase()}`] = values.map(oneLine).join("\n");
  return headers;
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, " ");
}
