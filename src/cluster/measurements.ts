import { builtInResources } from "#api/generated/resources.ts";
import type { VirtualGroup } from "#api/virtual-group.ts";
import type { NodeConnector } from "#apiserver/node-connector.ts";
import { readText } from "#client/body.ts";
import { parseQuantity, quantityToNumber } from "#codec/quantity.ts";
import { nodeDeclaration, type NodeView } from "#controllers/views/node.ts";
import { podDeclaration } from "#controllers/views/pod.ts";
import { createCustomMetrics } from "#observability/custom-metrics/groups.ts";
import { createObservabilityGroup } from "#observability/group.ts";
import { createHistory } from "#observability/history/history.ts";
import { historyPart } from "#observability/history/part.ts";
import { createResourceMetrics } from "#observability/resource-metrics/group.ts";
import { UsageCache } from "#observability/resource-metrics/usage-cache.ts";
import { activityPart } from "#observability/traffic/activity.ts";
import type { AskedNode } from "#observability/traffic/nodes.ts";
import { usersPart } from "#observability/traffic/users.ts";
import { useParts } from "#observability/use/parts.ts";
import type { UsedNode } from "#observability/use/scene.ts";
import type { Informers } from "#reconcile/informers.ts";
import { timeOf } from "#reconcile/object-view.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Transport } from "#world/http.ts";

export interface MeasurementsOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly nodes: NodeConnector;
  /** Asked for once the server has made them: the groups are needed before. */
  readonly informers: () => Informers;
  /** How to reach the history of metrics; absent: none is kept. */
  readonly history?: Transport | undefined;
  readonly onProblem: (problem: string, error: unknown) => void;
}

/** The API groups that are answered from measurements of the nodes and from their history. */
export function createMeasurements(options: MeasurementsOptions): readonly VirtualGroup[] {
  const { clock, timers, nodes, informers, onProblem } = options;
  const pods = () => informers().of(podDeclaration);
  const ask = async (node: string, target: string, signal: AbortSignal): Promise<string> => {
    const response = await nodes.request(node, {
      method: "GET",
      target,
      headers: {},
      body: new Uint8Array(0),
      signal,
    });
    const text = await readText(response.body);
    if (response.status !== 200) throw new Error(`The agent answered ${response.status}: ${text.slice(0, 200)}`);
    return text;
  };
  const cache = new UsageCache({
    clock,
    timers,
    podsOfNode: (node) => pods().by("node", node),
    ask,
    onProblem,
  });
  const resourceMetrics = createResourceMetrics({
    clock,
    cache,
    pods: (namespace) => (namespace === "" ? pods().list() : pods().by("namespace", namespace)),
    nodes: () => informers().of(nodeDeclaration).list(),
  });
  const history =
    options.history === undefined ? undefined : createHistory({ transport: options.history, clock, timers });
  const uses = useParts({
    clock,
    cache,
    history,
    pods: () => pods().list(),
    nodes: () => informers().of(nodeDeclaration).list().map(usedNode),
  });
  const asked = { clock, timers, nodes: () => informers().of(nodeDeclaration).list().map(askedNode), ask };
  const now = [...uses, activityPart(asked), usersPart(asked)];
  if (history === undefined) return [resourceMetrics, createObservabilityGroup(now)];
  const podsOf = (namespace: string) => pods().by("namespace", namespace);
  const customMetrics = createCustomMetrics({ history, pods: podsOf, resources: () => builtInResources });
  return [resourceMetrics, createObservabilityGroup([historyPart(history), ...now]), ...customMetrics];
}

/** A node that never was ready is silent since it was made. */
function askedNode({ name, conditions, createdMs }: NodeView): AskedNode {
  const ready = conditions.find(({ type }) => type === "Ready");
  if (ready === undefined) return { name, silentSinceMs: createdMs };
  return { name, silentSinceMs: ready.status === "Unknown" ? timeOf(ready.lastTransitionTime) : undefined };
}

function usedNode({ name, allocatable }: NodeView): UsedNode {
  return { name, allocatable: { cpu: numberOf(allocatable["cpu"]), memory: numberOf(allocatable["memory"]) } };
}

function numberOf(text: string | undefined): number {
  const parsed = parseQuantity(text ?? "");
  return parsed.ok ? quantityToNumber(parsed.quantity) : 0;
}
