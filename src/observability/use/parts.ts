import { column, nameColumn } from "#api/columns.ts";
import type { ApiObject, Cell } from "#api/kind.ts";
import type { AmountText, ClusterAdvice, NodeUsage, WorkloadAdvice, WorkloadUsage } from "#api/observability/usage.ts";
import { failure, type VirtualAnswer, type VirtualRequest } from "#api/virtual-group.ts";
import type { Clock } from "#world/clock.ts";
import { apiVersion, chosen, virtualKind, type Part } from "../group.ts";
import { HistoryError, type History } from "../history/history.ts";
import { adviceWindow, sampleAgeMaxMs } from "../limits.ts";
import type { UsageCache } from "../resource-metrics/usage-cache.ts";
import { advise, type Advice, type Advices } from "./advise.ts";
import { formerWorkloads, percentiles, recentCpu, type RecentCpu } from "./past.ts";
import { measureScene, type Amount, type Scene, type UsedNode, type UsingPod } from "./scene.ts";
import { nodeUses, workloadUses, type NodeUse, type WorkloadUse } from "./summary.ts";

export interface UseOptions {
  readonly clock: Clock;
  readonly cache: UsageCache;
  readonly pods: () => readonly UsingPod[];
  readonly nodes: () => readonly UsedNode[];
  /** Undefined: none is kept; there are no lines of the past then, and no advice. */
  readonly history: History | undefined;
}

/** What nodes and workloads use, and what they should ask for: the same that `./steer top` and `./steer advise` print. */
export function useParts(options: UseOptions): readonly Part[] {
  const { clock, cache, pods, nodes, history } = options;
  const scene = (): Promise<Scene> => measureScene(cache, nodes(), pods(), sampleAgeMaxMs);
  // A history that does not answer takes the lines of the past away, not what is known of now.
  const past = async (): Promise<RecentCpu> =>
    history === undefined ? noLines : recentCpu(history, clock.now()).catch(whyNoLines);
  const advices = async ({ query }: VirtualRequest): Promise<Advices | VirtualAnswer> => {
    const window = query.get("window") ?? adviceWindow;
    if (!/^[1-9][0-9]{0,3}[mhd]$/.test(window)) {
      return failure(400, "BadRequest", `window is "${window}": say for example 6h or 7d`);
    }
    if (history === undefined) throw new HistoryError("this cluster keeps no history of metrics");
    const [seen, measured, workloads] = await Promise.all([
      scene(),
      percentiles(history, window),
      formerWorkloads(history, window),
    ]);
    return advise(seen, { measured, workloads }, window);
  };
  return [
    {
      kind: nodeUsageKind,
      answer: async (request) => {
        const [seen, { nodes: lines }] = await Promise.all([scene(), past()]);
        return chosen(request, "NodeUsageList", nodeUses(seen, lines).map(nodeUsage));
      },
    },
    {
      kind: workloadUsageKind,
      answer: async (request) => {
        const [seen, { pods: lines }] = await Promise.all([scene(), past()]);
        return chosen(request, "WorkloadUsageList", workloadUses(seen, lines).map(workloadUsage));
      },
    },
    {
      kind: workloadAdviceKind,
      answer: async (request) => {
        const made = await advices(request);
        if ("kind" in made) return made;
        const groups = Map.groupBy(made.workloads, ({ namespace, workload }) => `${namespace}/${workload}`);
        return chosen(
          request,
          "WorkloadAdviceList",
          [...groups.values()].map((containers) => workloadAdvice(containers, made.window)),
        );
      },
    },
    {
      kind: clusterAdviceKind,
      answer: async (request) => {
        const made = await advices(request);
        return "kind" in made ? made : chosen(request, "ClusterAdviceList", [clusterAdvice(made)]);
      },
    },
  ];
}

const noLines: RecentCpu = { pods: new Map(), nodes: new Map() };

function whyNoLines(error: unknown): RecentCpu {
  if (error instanceof HistoryError) return noLines;
  throw error;
}

/** Cores to the millionth. */
function rounded(history: readonly number[]): number[] {
  return history.map((cores) => Math.round(cores * 1e6) / 1e6);
}

/** `deployment/web` as an object's name. */
function nameOf(workload: string): string {
  return workload.replace("/", ".");
}

function texts({ cpu, memory }: Partial<Amount>): AmountText {
  return {
    ...(cpu === undefined ? {} : { cpu: `${Math.round(cpu * 1000)}m` }),
    ...(memory === undefined ? {} : { memory: `${Math.round(memory / 1024)}Ki` }),
  };
}

function nodeUsage({ name, pods, allocatable, requested, used, history }: NodeUse): ApiObject & NodeUsage {
  return {
    apiVersion,
    kind: "NodeUsage",
    metadata: { name },
    pods,
    allocatable: texts(allocatable),
    requested: texts(requested),
    ...(used === undefined ? {} : { used: texts(used) }),
    cpuHistory: rounded(history),
  };
}

function workloadUsage({
  namespace,
  workload,
  pods,
  requested,
  used,
  history,
}: WorkloadUse): ApiObject & WorkloadUsage {
  return {
    apiVersion,
    kind: "WorkloadUsage",
    metadata: { name: nameOf(workload), namespace },
    workload,
    pods,
    requested: texts(requested),
    ...(used === undefined ? {} : { used: texts(used) }),
    cpuHistory: rounded(history),
  };
}

function workloadAdvice(containers: readonly Advice[], window: string): ApiObject & WorkloadAdvice {
  const [{ namespace, workload, pods }] = containers as [Advice];
  const saved = containers.flatMap(({ nodesSaved }) => nodesSaved ?? []);
  return {
    apiVersion,
    kind: "WorkloadAdvice",
    metadata: { name: nameOf(workload), namespace },
    workload,
    pods,
    window,
    ...(saved.length === 0 ? {} : { nodesSaved: hundredths(saved.reduce((sum, each) => sum + each, 0)) }),
    containers: containers.map(({ container, requested, used, advised }) => ({
      name: container,
      requested: texts(requested),
      ...(used === undefined
        ? {}
        : { used: { p50: texts(used.half), p95: texts(used.most95), max: texts(used.most) } }),
      ...(advised === undefined ? {} : { advised: texts(advised) }),
    })),
  };
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}

function clusterAdvice({ window, nodesNow, nodesAdvised, nodesSaved, worstLoss }: Advices): ApiObject & ClusterAdvice {
  return {
    apiVersion,
    kind: "ClusterAdvice",
    metadata: { name: "cluster" },
    window,
    nodesNow,
    nodesAdvised,
    nodesSaved,
    ...(worstLoss === undefined ? {} : { worstNodeLoss: { node: worstLoss.node, homelessPods: worstLoss.homeless } }),
  };
}

function cell(object: ApiObject, ...path: readonly string[]): Cell {
  let value: unknown = object;
  for (const key of path) value = (value as Record<string, unknown> | undefined)?.[key];
  return typeof value === "string" || typeof value === "number" ? value : "<unknown>";
}

const podsColumn = column("Pods", "How many pods.", "integer");
const useColumns = [
  column("CPU", "CPU that is used now."),
  column("CPU Asked", "CPU that was asked for."),
  column("Memory", "Memory that is used now."),
  column("Memory Asked", "Memory that was asked for."),
];
const useCells = (object: ApiObject): Cell[] => [
  cell(object, "used", "cpu"),
  cell(object, "requested", "cpu"),
  cell(object, "used", "memory"),
  cell(object, "requested", "memory"),
];

const nodeUsageKind = virtualKind(
  { resource: "nodeusages", kind: "NodeUsage", namespaced: false, subresources: [] },
  "nodeusage",
  [nameColumn, podsColumn, ...useColumns],
  (object) => [object.metadata.name, cell(object, "pods"), ...useCells(object)],
);
const workloadUsageKind = virtualKind(
  { resource: "workloadusages", kind: "WorkloadUsage", namespaced: true, subresources: [] },
  "workloadusage",
  [nameColumn, podsColumn, ...useColumns],
  (object) => [object.metadata.name, cell(object, "pods"), ...useCells(object)],
);
const workloadAdviceKind = virtualKind(
  { resource: "workloadadvices", kind: "WorkloadAdvice", namespaced: true, subresources: [] },
  "workloadadvice",
  [nameColumn, podsColumn, column("Containers", "What each container should ask for, CPU and memory.")],
  (object) => [object.metadata.name, cell(object, "pods"), advisedText(object)],
);
const clusterAdviceKind = virtualKind(
  { resource: "clusteradvices", kind: "ClusterAdvice", namespaced: false, subresources: [] },
  "clusteradvice",
  [
    nameColumn,
    column("Nodes", "Nodes that the requests fill.", "integer"),
    column("Advised", "Nodes that they would fill as advised.", "integer"),
  ],
  (object) => [object.metadata.name, cell(object, "nodesNow"), cell(object, "nodesAdvised")],
);

function advisedText(object: ApiObject): string {
  const containers = object["containers"] as readonly { name: string; advised?: Record<string, string> }[];
  return containers
    .map(({ name, advised }) => `${name}: ${advised === undefined ? "?" : `${advised["cpu"]}, ${advised["memory"]}`}`)
    .join("; ");
}
