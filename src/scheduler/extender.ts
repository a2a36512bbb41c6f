import type { Node, Pod } from "#api/generated/core-v1.ts";
import type { Timers } from "#world/clock.ts";
import type { Transport } from "#world/http.ts";
import { limits } from "./limits.ts";
import type { Candidate } from "./placement.ts";

/** Somebody outside who has a say in where pods go. https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/#Extender */
export interface ExtenderSettings {
  /** `http://host:port/path`: for messages. */
  readonly urlPrefix: string;
  /** Absent: it is not asked. */
  readonly filterVerb?: string;
  readonly prioritizeVerb?: string;
  readonly preemptVerb?: string;
  readonly bindVerb?: string;
  readonly weight: number;
  readonly timeoutMs: number;
  /** It knows nodes by their names. */
  readonly nodeCacheCapable: boolean;
  /** Resources of which pods must ask one, so that it is asked; empty: it is asked about all. */
  readonly managedResources: ReadonlySet<string>;
  /** Without its answer scheduling goes on. */
  readonly ignorable: boolean;
}

export interface ExtenderOptions {
  readonly settings: ExtenderSettings;
  /** Reaches the host of `urlPrefix`. */
  readonly transport: Transport;
  /** The path of `urlPrefix`, without a slash at its end. */
  readonly path: string;
  readonly timers: Timers;
}

export type Filtered =
  | { readonly kind: "left"; readonly nodes: ReadonlySet<string>; readonly refused: ReadonlyMap<string, string> }
  | { readonly kind: "failed"; readonly message: string };

/** Points that an extender gives at most, as upstream; nodes of our own have up to 100. */
const extenderPointsMax = 10;
const pointsMax = 100;

/** A field of an answer, however it is capitalised: the published types have Go's names, and Go reads them in any case. */
function field(answer: unknown, name: string): unknown {
  if (typeof answer !== "object" || answer === null) return undefined;
  const found = Object.entries(answer).find(([key]) => key.toLowerCase() === name.toLowerCase());
  return found?.[1] ?? undefined;
}

function textOf(answer: unknown, name: string): string {
  const found = field(answer, name);
  return typeof found === "string" ? found : "";
}

function recordOf(answer: unknown, name: string): Readonly<Record<string, unknown>> {
  const found = field(answer, name);
  return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : {};
}

function listOf(answer: unknown, name: string): readonly unknown[] {
  const found = field(answer, name);
  return Array.isArray(found) ? found : [];
}

/** One extender: asks it, and reads its answers with suspicion. Never rejects. */
export class Extender {
  readonly settings: ExtenderSettings;
  readonly #options: ExtenderOptions;

  constructor(options: ExtenderOptions) {
    this.#options = options;
    this.settings = options.settings;
  }

  isInterestedIn(pod: Pod): boolean {
    const { managedResources } = this.settings;
    if (managedResources.size === 0) return true;
    const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
    return containers.some(({ resources }) =>
      [resources?.requests, resources?.limits].some((amounts) =>
        Object.keys(amounts ?? {}).some((name) => managedResources.has(name)),
      ),
    );
  }

  /** Which of the nodes it leaves. Without a filter verb: all. */
  async filter(pod: Pod, names: readonly string[], nodes: readonly Node[]): Promise<Filtered> {
    const { filterVerb, nodeCacheCapable } = this.settings;
    if (filterVerb === undefined) return { kind: "left", nodes: new Set(names), refused: new Map() };
    const asked = await this.#ask(filterVerb, this.#arguments(pod, names, nodes));
    if (!asked.ok) return { kind: "failed", message: asked.message };
    const answer = asked.body;
    const problem = textOf(answer, "error");
    if (problem !== "") return { kind: "failed", message: `extender ${this.settings.urlPrefix}: ${problem}` };
    const left = nodeCacheCapable
      ? listOf(answer, "nodenames").map(String)
      : listOf(field(answer, "nodes"), "items").map((node) => textOf(recordOf(node, "metadata"), "name"));
    const known = new Set(names);
    const refused = { ...recordOf(answer, "failednodes"), ...recordOf(answer, "failedandunresolvablenodes") };
    return {
      kind: "left",
      nodes: new Set(left.filter((name) => known.has(name))),
      refused: new Map(Object.entries(refused).map(([name, why]) => [name, String(why)])),
    };
  }

  /** Points to add for each node. What it does not answer counts nothing, as upstream. */
  async prioritize(pod: Pod, names: readonly string[], nodes: readonly Node[]): Promise<ReadonlyMap<string, number>> {
    const { prioritizeVerb, weight } = this.settings;
    const points = new Map<string, number>();
    if (prioritizeVerb === undefined) return points;
    const asked = await this.#ask(prioritizeVerb, this.#arguments(pod, names, nodes));
    if (!asked.ok || !Array.isArray(asked.body)) return points;
    for (const one of asked.body as unknown[]) {
      const score = Math.min(extenderPointsMax, Math.max(0, Number(field(one, "score")) || 0));
      points.set(textOf(one, "host"), score * weight * (pointsMax / extenderPointsMax));
    }
    return points;
  }

  /** Uids of those of the victims that would have to go as it sees it; undefined: it does not help, whoever goes there. */
  async preempt(pod: Pod, node: string, victims: readonly Pod[]): Promise<ReadonlySet<string> | undefined> {
    const { preemptVerb, ignorable, nodeCacheCapable } = this.settings;
    const all = new Set(victims.map(({ metadata }) => metadata.uid ?? ""));
    if (preemptVerb === undefined) return all;
    // Who knows the cluster gets names only, others whole pods.
    const given = nodeCacheCapable
      ? { NodeNameToMetaVictims: { [node]: { Pods: [...all].map((uid) => ({ UID: uid })), NumPDBViolations: 0 } } }
      : { NodeNameToVictims: { [node]: { Pods: victims, NumPDBViolations: 0 } } };
    const asked = await this.#ask(preemptVerb, { Pod: pod, ...given });
    if (!asked.ok) return ignorable ? all : undefined;
    const answer = recordOf(asked.body, "nodenametometavictims")[node];
    if (answer === undefined) return undefined;
    const uids = listOf(answer, "pods").map((one) => textOf(one, "uid"));
    return new Set(uids.filter((uid) => all.has(uid)));
  }

  /** Binds the pod in our place; undefined when it did, else what went wrong. */
  async bind(pod: Pod, node: string): Promise<string | undefined> {
    const { name, namespace, uid } = pod.metadata;
    const asked = await this.#ask(this.settings.bindVerb ?? "", {
      PodName: name,
      PodNamespace: namespace,
      PodUID: uid,
      Node: node,
    });
    if (!asked.ok) return asked.message;
    const problem = textOf(asked.body, "error");
    return problem === "" ? undefined : problem;
  }

  #arguments(pod: Pod, names: readonly string[], nodes: readonly Node[]): object {
    if (this.settings.nodeCacheCapable) return { Pod: pod, NodeNames: names };
    const wanted = new Set(names);
    const items = nodes.filter(({ metadata }) => wanted.has(metadata.name ?? ""));
    return { Pod: pod, Nodes: { apiVersion: "v1", kind: "NodeList", metadata: {}, items } };
  }

  async #ask(
    verb: string,
    body: object,
  ): Promise<{ readonly ok: true; readonly body: unknown } | { readonly ok: false; readonly message: string }> {
    const { transport, path, timers, settings } = this.#options;
    const target = `${path}/${verb}`;
    const abort = new AbortController();
    const timer = timers.after(settings.timeoutMs, () => abort.abort());
    try {
      const response = await transport.send({
        method: "POST",
        target,
        headers: { "content-type": "application/json", accept: "application/json" },
        body: new TextEncoder().encode(JSON.stringify(body)),
        signal: abort.signal,
      });
      if (response.status !== 200)
        return { ok: false, message: `extender ${settings.urlPrefix}: ${verb} answered ${response.status}` };
      if (!(response.body instanceof Uint8Array) || response.body.length > limits.extenderAnswerBytesMax)
        return { ok: false, message: `extender ${settings.urlPrefix}: the answer to ${verb} cannot be read` };
      return { ok: true, body: JSON.parse(new TextDecoder().decode(response.body)) as unknown };
    } catch (error) {
      const why = abort.signal.aborted ? `no answer within ${settings.timeoutMs} ms` : String(error);
      return { ok: false, message: `extender ${settings.urlPrefix}: ${verb}: ${why}` };
    } finally {
      timer.cancel();
    }
  }
}

/** What a chain of extenders leaves of the candidates, with their points. */
export type Extended =
  | { readonly kind: "chosen"; readonly candidates: readonly Candidate[] }
  | { readonly kind: "none"; readonly refused: ReadonlyMap<string, string> }
  | { readonly kind: "failed"; readonly message: string };

/** Asks the extenders in their order, each about what those before left; then all for their points. */
export async function askExtenders(
  extenders: readonly Extender[],
  pod: Pod,
  candidates: readonly Candidate[],
  nodes: readonly Node[],
): Promise<Extended> {
  let left = candidates;
  const refused = new Map<string, string>();
  for (const extender of extenders) {
    const names = left.map(({ node }) => node);
    const filtered = await extender.filter(pod, names, nodes);
    if (filtered.kind === "failed") {
      if (extender.settings.ignorable) continue;
      return filtered;
    }
    left = left.filter(({ node }) => filtered.nodes.has(node));
    for (const name of names)
      if (!filtered.nodes.has(name)) refused.set(name, filtered.refused.get(name) ?? "an extender said no");
    if (left.length === 0) return { kind: "none", refused };
  }
  const names = left.map(({ node }) => node);
  const points = await Promise.all(extenders.map((extender) => extender.prioritize(pod, names, nodes)));
  const total = (node: string): number => points.reduce((sum, one) => sum + (one.get(node) ?? 0), 0);
  return { kind: "chosen", candidates: left.map(({ node, score }) => ({ node, score: score + total(node) })) };
}
