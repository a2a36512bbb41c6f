import type { Clock, Timers } from "#world/clock.ts";
import { nodeAnswerMs, nodesAskedMax } from "../limits.ts";

export interface AskedNode {
  readonly name: string;
  /** Since when it gives no sign of life, milliseconds since 1970; undefined: it does. */
  readonly silentSinceMs: number | undefined;
}

export interface NodesOptions {
  readonly timers: Timers;
  /** All nodes: each may have an ingress. */
  readonly nodes: () => readonly AskedNode[];
  readonly clock: Pick<Clock, "now">;
  /** GET at a node's agent: the text of its answer. Rejects when there is none. */
  readonly ask: (node: string, target: string, signal: AbortSignal) => Promise<string>;
}

/** Asks every node's agent the same; `read` answers undefined for nonsense. Whoever does not tell in time has no answer. */
export async function askNodes<T>(
  options: NodesOptions,
  target: string,
  read: (told: unknown) => T | undefined,
): Promise<{ readonly nodes: readonly AskedNode[]; readonly answers: ReadonlyMap<string, T> }> {
  const nodes = options.nodes();
  const answers = new Map<string, T>();
  let next = 0;
  const walk = async (): Promise<void> => {
    while (next < nodes.length) {
      const { name } = nodes[next++]!;
      const answer = await ask(options, name, target, read);
      if (answer !== undefined) answers.set(name, answer);
    }
  };
  await Promise.all(Array.from({ length: Math.min(nodesAskedMax, nodes.length) }, walk));
  return { nodes, answers };
}

/** Undefined: the node does not tell, or nonsense. */
async function ask<T>(
  { timers, ask: get }: NodesOptions,
  node: string,
  target: string,
  read: (told: unknown) => T | undefined,
): Promise<T | undefined> {
  const controller = new AbortController();
  const late = new Promise<never>((_resolve, reject) =>
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason as Error), { once: true }),
  );
  const deadline = timers.after(nodeAnswerMs, () => controller.abort(new Error(`No answer within ${nodeAnswerMs} ms`)));
  try {
    return read(JSON.parse(await Promise.race([get(node, target, controller.signal), late])));
  } catch {
    // Whatever the reason, the node is named as one that does not tell.
    return undefined;
  } finally {
    deadline.cancel();
  }
}
