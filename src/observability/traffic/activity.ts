import { column, nameColumn } from "#api/columns.ts";
import type { ApiObject } from "#api/kind.ts";
import type { IngressActivity, ServiceActivity } from "#api/observability/activity.ts";
import type { VirtualAnswer } from "#api/virtual-group.ts";
import type { Clock, Timers } from "#world/clock.ts";
import { apiVersion, chosen, virtualKind, type Part } from "../group.ts";
import { nodeAnswerMs, nodeLostMs, nodesAskedMax } from "../limits.ts";

export interface ActiveNode {
  readonly name: string;
  /** Since when it gives no sign of life, milliseconds since 1970; undefined: it does. */
  readonly silentSinceMs: number | undefined;
}

export interface ActivityOptions {
  readonly timers: Timers;
  /** All nodes: each may have an ingress. */
  readonly nodes: () => readonly ActiveNode[];
  readonly clock: Pick<Clock, "now">;
  /** GET at a node's agent: the text of its answer. Rejects when there is none. */
  readonly ask: (node: string, target: string, signal: AbortSignal) => Promise<string>;
}

/** When each Service was last asked through an Ingress, by all nodes. A node that does not tell is named, and is not silence. */
export function activityPart(options: ActivityOptions): Part {
  return {
    kind,
    answer: async (request): Promise<VirtualAnswer> => {
      const { verb, namespace, name } = request;
      const nodes = options.nodes();
      const answers = await askAll(
        options,
        nodes.map((node) => node.name),
      );
      const now = options.clock.now();
      // A node object that nobody deletes must not keep workloads awake for ever: its pods were evicted long ago.
      const isLost = ({ silentSinceMs = now }: ActiveNode): boolean => now - silentSinceMs >= nodeLostMs;
      const silent = nodes.filter((node) => !answers.has(node.name));
      const namesOf = (some: readonly ActiveNode[]): string[] => some.map((node) => node.name).toSorted();
      const told = {
        nodes: answers.size,
        missingNodes: namesOf(silent.filter((node) => !isLost(node))),
        lostNodes: namesOf(silent.filter(isLost)),
      };
      const quiet = leastOf([...answers.values()]);
      // Where nobody leads to a Service, that is the answer about it, not an error.
      if (verb === "get" && namespace !== "" && !quiet.has(`${namespace}/${name}`))
        return { kind: "object", object: activity(`${namespace}/${name}`, undefined, told) };
      const all = [...quiet].map(([service, seconds]) => activity(service, seconds, told));
      return chosen(request, "ServiceActivityList", all);
    },
  };
}

async function askAll(
  options: ActivityOptions,
  names: readonly string[],
): Promise<ReadonlyMap<string, IngressActivity>> {
  const answers = new Map<string, IngressActivity>();
  let next = 0;
  const walk = async (): Promise<void> => {
    while (next < names.length) {
      const node = names[next++]!;
      const answer = await ask(options, node);
      if (answer !== undefined) answers.set(node, answer);
    }
  };
  await Promise.all(Array.from({ length: Math.min(nodesAskedMax, names.length) }, walk));
  return answers;
}

/** Undefined: the node does not tell, or nonsense. */
async function ask({ timers, ask: get }: ActivityOptions, node: string): Promise<IngressActivity | undefined> {
  const controller = new AbortController();
  const late = new Promise<never>((_resolve, reject) =>
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason as Error), { once: true }),
  );
  const deadline = timers.after(nodeAnswerMs, () => controller.abort(new Error(`No answer within ${nodeAnswerMs} ms`)));
  try {
    const text = await Promise.race([get(node, "/stats/ingress", controller.signal), late]);
    const { quietSeconds } = JSON.parse(text) as { quietSeconds?: unknown };
    if (typeof quietSeconds !== "object" || quietSeconds === null) return undefined;
    const isSane = Object.values(quietSeconds).every((value) => Number.isFinite(value) && Number(value) >= 0);
    return isSane ? { quietSeconds: quietSeconds as IngressActivity["quietSeconds"] } : undefined;
  } catch {
    // Whatever the reason, the node is named as one that does not tell.
    return undefined;
  } finally {
    deadline.cancel();
  }
}

function leastOf(answers: readonly IngressActivity[]): Map<string, number> {
  const least = new Map<string, number>();
  for (const { quietSeconds } of answers) {
    for (const [service, seconds] of Object.entries(quietSeconds))
      least.set(service, Math.min(seconds, least.get(service) ?? seconds));
  }
  return least;
}

function activity(
  service: string,
  quietSeconds: number | undefined,
  told: Pick<ServiceActivity, "nodes" | "missingNodes" | "lostNodes">,
): ApiObject & ServiceActivity {
  const [namespace = "", name = ""] = service.split("/");
  return {
    apiVersion,
    kind: "ServiceActivity",
    metadata: { namespace, name },
    ...(quietSeconds === undefined ? {} : { quietSeconds: Math.round(quietSeconds * 1000) / 1000 }),
    ...told,
  };
}

const kind = virtualKind(
  { resource: "serviceactivities", kind: "ServiceActivity", namespaced: true, subresources: [] },
  "serviceactivity",
  [
    nameColumn,
    column("Quiet", "Seconds since the last request through an Ingress."),
    column("Nodes", "Nodes whose ingress counted.", "integer"),
    column("Missing", "Nodes that do not tell.", "integer"),
  ],
  (object) => {
    const { quietSeconds, nodes, missingNodes } = object as ApiObject & ServiceActivity;
    const quiet = quietSeconds === undefined ? "<no ingress>" : `${Math.floor(quietSeconds)}s`;
    return [object.metadata.name, quiet, nodes, missingNodes.length];
  },
);
