import type { History } from "../history/history.ts";
import { sparkMs, sparkStepMs } from "../limits.ts";
import type { Measured, Percentiles } from "./advise.ts";
import type { Amount } from "./scene.ts";

/** CPU in cores over the last half hour, oldest first: of each `namespace/pod`, and of all pods of each node. */
export interface RecentCpu {
  readonly pods: ReadonlyMap<string, readonly number[]>;
  readonly nodes: ReadonlyMap<string, readonly number[]>;
}

/** Rejects with `HistoryError`. */
export async function recentCpu(history: History, nowMs: number): Promise<RecentCpu> {
  const by = async (...names: string[]): Promise<ReadonlyMap<string, readonly number[]>> => {
    const expression = `sum by (${names.join(", ")}) (rate(container_cpu_usage_seconds_total[2m]))`;
    const lines = await history.queryRange(expression, { endMs: nowMs, lengthMs: sparkMs, stepMs: sparkStepMs });
    return new Map(lines.map(({ labels, values }) => [keyOf(labels, names), values]));
  };
  const [pods, nodes] = await Promise.all([by("namespace", "pod"), by("node")]);
  return { pods, nodes };
}

/** The workload (`deployment/web`) of each `namespace/pod` that there was in `window`. Rejects with `HistoryError`. */
export async function formerWorkloads(history: History, window: string): Promise<ReadonlyMap<string, string>> {
  const [ofPods, ofSets] = await Promise.all(
    ["kube_pod_owner", 'kube_replicaset_owner{owner_kind="Deployment"}'].map((series) =>
      history.query(`last_over_time(${series}[${window}])`),
    ),
  );
  const deployments = new Map(
    (ofSets ?? []).map(({ labels }) => [keyOf(labels, ["namespace", "replicaset"]), labels["owner_name"] ?? ""]),
  );
  return new Map(
    (ofPods ?? []).flatMap(({ labels }): [string, string][] => {
      const { namespace = "", owner_kind: kind = "", owner_name: owner = "" } = labels;
      if (owner === "" || owner === "<none>") return [];
      const deployment = kind === "ReplicaSet" ? deployments.get(`${namespace}/${owner}`) : undefined;
      const workload = deployment === undefined ? `${kind.toLowerCase()}/${owner}` : `deployment/${deployment}`;
      return [[keyOf(labels, ["namespace", "pod"]), workload]];
    }),
  );
}

/** What each container used over `window` (`1d`). Rejects with `HistoryError`. */
export async function percentiles(history: History, window: string): Promise<Measured> {
  const rates = `sum by (namespace, pod, container) (rate(container_cpu_usage_seconds_total[2m]))[${window}:1m]`;
  const memory = `container_memory_working_set_bytes[${window}]`;
  const over = (quantile: number, range: string): string => `quantile_over_time(${quantile}, ${range})`;
  const expressions = [0.5, 0.95, 1].flatMap((quantile) => [over(quantile, rates), over(quantile, memory)]);
  const answers = await Promise.all(expressions.map((expression) => byContainer(history, expression)));
  const found = new Map<string, Percentiles>();
  for (const key of new Set(answers.flatMap((answer) => [...answer.keys()]))) {
    const at = (index: number): Amount => ({
      cpu: answers[index]?.get(key) ?? 0,
      memory: answers[index + 1]?.get(key) ?? 0,
    });
    found.set(key, { half: at(0), most95: at(2), most: at(4) });
  }
  return found;
}

async function byContainer(history: History, expression: string): Promise<ReadonlyMap<string, number>> {
  const points = await history.query(expression);
  return new Map(points.map(({ labels, value }) => [keyOf(labels, ["namespace", "pod", "container"]), value]));
}

function keyOf(labels: Readonly<Record<string, string>>, names: readonly string[]): string {
  return names.map((name) => labels[name] ?? "").join("/");
}
