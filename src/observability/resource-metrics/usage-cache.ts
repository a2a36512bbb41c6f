import type { Clock, Timers } from "#world/clock.ts";
import { nodeAnswerMs, nodeRestMs, nodesAskedMax, podsNamedMax } from "../limits.ts";

/** CPU and memory of something over a window that ended at `atMs` (milliseconds since 1970, the server's clock). */
export interface Usage {
  readonly cpuNanoCores: number;
  readonly workingSetBytes: number;
  readonly atMs: number;
  readonly windowMs: number;
}

export type ContainerUsage = Usage & { readonly name: string };

/** What must be known of a pod to measure it. */
export interface MeasuredPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly phase: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface UsageCacheOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly podsOfNode: (node: string) => readonly MeasuredPod[];
  /** GET at a node's agent: the text of its answer. Rejects when there is none. */
  readonly ask: (node: string, target: string, signal: AbortSignal) => Promise<string>;
  readonly onProblem: (problem: string, error: unknown) => void;
}

interface NodeState {
  usage: Usage | undefined;
  readonly pods: Map<string, readonly ContainerUsage[]>;
  /** When each pod was last asked for, monotonic; "" stands for the node. */
  readonly askedMs: Map<string, number>;
  restsUntilMs: number;
  under: Promise<void> | undefined;
}

/** The newest known usage of nodes and pods. Nodes are asked when somebody wants to know, each at most once at a time. */
export class UsageCache {
  readonly #options: UsageCacheOptions;
  readonly #nodes = new Map<string, NodeState>();

  constructor(options: UsageCacheOptions) {
    this.#options = options;
  }

  /** Usage of these pods' containers by uid, no older than `maxAgeMs` where their nodes answer in time. */
  async ofPods(
    pods: readonly MeasuredPod[],
    maxAgeMs: number,
  ): Promise<ReadonlyMap<string, readonly ContainerUsage[]>> {
    const byNode = Map.groupBy(pods, ({ node }) => node);
    byNode.delete("");
    await this.#inTurn([...byNode.keys()], async (node) => {
      const uids = byNode.get(node)!.map(({ uid }) => uid);
      await this.#refresh(node, uids, maxAgeMs);
    });
    const found = new Map<string, readonly ContainerUsage[]>();
    for (const { uid, node } of pods) {
      const usage = this.#nodes.get(node)?.pods.get(uid);
      if (usage !== undefined) found.set(uid, usage);
    }
    return found;
  }

  /** Usage of nodes by name. */
  async ofNodes(names: readonly string[], maxAgeMs: number): Promise<ReadonlyMap<string, Usage>> {
    await this.#inTurn(names, (node) => this.#refresh(node, [], maxAgeMs));
    return new Map(
      names.flatMap((name) => {
        const usage = this.#nodes.get(name)?.usage;
        return usage === undefined ? [] : [[name, usage] as const];
      }),
    );
  }

  /** Forgets a node that is gone. */
  forget(node: string): void {
    this.#nodes.delete(node);
  }

  async #inTurn(names: readonly string[], visit: (name: string) => Promise<void>): Promise<void> {
    let next = 0;
    const walk = async (): Promise<void> => {
      while (next < names.length) await visit(names[next++]!);
    };
    await Promise.all(Array.from({ length: Math.min(nodesAskedMax, names.length) }, walk));
  }

  /** Asks the node for what is older than `maxAgeMs`; joins a question that is under way first. */
  async #refresh(node: string, uids: readonly string[], maxAgeMs: number): Promise<void> {
    const state = this.#stateOf(node);
    while (state.under !== undefined) await state.under;
    const now = this.#options.clock.monotonic();
    if (now < state.restsUntilMs) return;
    const isDue = (key: string): boolean => now - (state.askedMs.get(key) ?? -Infinity) > maxAgeMs;
    const due = uids.filter(isDue);
    if (due.length === 0 && (uids.length > 0 || !isDue(""))) return;
    state.under = this.#ask(node, state, due, maxAgeMs).finally(() => (state.under = undefined));
    await state.under;
  }

  async #ask(node: string, state: NodeState, due: readonly string[], maxAgeMs: number): Promise<void> {
    const { clock, timers, podsOfNode, ask, onProblem } = this.#options;
    const present = podsOfNode(node).map(({ uid }) => uid);
    // No pods wanted: the node alone, which an empty name asks for.
    const named = due.length === 0 ? [""] : due.length > podsNamedMax ? undefined : due;
    const controller = new AbortController();
    const deadline = timers.after(nodeAnswerMs, () =>
      controller.abort(new Error(`No answer within ${nodeAnswerMs} ms`)),
    );
    const target = `/stats/usage?maxAgeMs=${Math.floor(maxAgeMs / 2)}${named === undefined ? "" : `&uid=${named.join(",")}`}`;
    try {
      const late = new Promise<never>((_resolve, reject) =>
        controller.signal.addEventListener("abort", () => reject(controller.signal.reason as Error), { once: true }),
      );
      const answer = readAnswer(await Promise.race([ask(node, target, controller.signal), late]), clock.now());
      const at = clock.monotonic();
      for (const key of ["", ...(named ?? present)]) state.askedMs.set(key, at);
      if (answer.node !== undefined) state.usage = answer.node;
      for (const uid of named ?? present) state.pods.delete(uid);
      for (const [uid, containers] of answer.pods) state.pods.set(uid, containers);
    } catch (error) {
      state.restsUntilMs = clock.monotonic() + nodeRestMs;
      state.pods.clear();
      state.usage = undefined;
      onProblem(`cannot measure node ${node}`, error);
    } finally {
      deadline.cancel();
      const known = new Set(["", ...present]);
      for (const key of state.askedMs.keys()) if (!known.has(key)) state.askedMs.delete(key);
      for (const key of state.pods.keys()) if (!known.has(key)) state.pods.delete(key);
    }
  }

  #stateOf(node: string): NodeState {
    const known = this.#nodes.get(node);
    if (known !== undefined) return known;
    const made: NodeState = {
      usage: undefined,
      pods: new Map(),
      askedMs: new Map(),
      restsUntilMs: 0,
      under: undefined,
    };
    this.#nodes.set(node, made);
    return made;
  }
}

/** Reads an agent's answer; numbers that are none, or below zero, are left out: nonsense must not reach a scaling decision. */
function readAnswer(
  text: string,
  now: number,
): { readonly node: Usage | undefined; readonly pods: ReadonlyMap<string, readonly ContainerUsage[]> } {
  const answer = JSON.parse(text) as { node?: unknown; pods?: unknown };
  const pods = new Map<string, readonly ContainerUsage[]>();
  for (const pod of Array.isArray(answer.pods) ? (answer.pods as { uid?: unknown; containers?: unknown }[]) : []) {
    if (typeof pod.uid !== "string" || !Array.isArray(pod.containers)) continue;
    const containers = (pod.containers as { name?: unknown }[]).flatMap((container): ContainerUsage[] => {
      const usage = readUsage(container, now);
      return usage === undefined || typeof container.name !== "string" ? [] : [{ name: container.name, ...usage }];
    });
    pods.set(pod.uid, containers);
  }
  return { node: readUsage(answer.node, now), pods };
}

function readUsage(value: unknown, now: number): Usage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { cpuNanoCores, workingSetBytes, ageMs, windowMs } = value as Record<string, unknown>;
  if (!isAmount(cpuNanoCores) || !isAmount(workingSetBytes) || !isAmount(ageMs) || !isAmount(windowMs))
    return undefined;
  return { cpuNanoCores, workingSetBytes, atMs: now - ageMs, windowMs };
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
