import type { History } from "../history/history.ts";
import { sparkMs, sparkStepMs } from "../limits.ts";
import type { Measured, Percentiles } from "./advise.ts";
import type { Amount } from "./scene.ts";

/** CPU in cores of each `namespace/pod` over the last half hour, oldest first. Rejects with `HistoryError`. */
export async function recentCpu(history: History, nowMs: number): Promise<ReadonlyMap<string, readonly number[]>> {
  const expression = "sum by (namespace, pod) (rate(container_cpu_usage_seconds_total[2m]))";
  const lines = await history.queryRange(expression, { endMs: nowMs, lengthMs: sparkMs, stepMs: sparkStepMs });
  return new Map(lines.map(({ labels, values }) => [`${labels["namespace"] ?? ""}/${labels["pod"] ?? ""}`, values]));
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
  return new Map(
    points.map(({ labels, value }) => [
      `${labels["namespace"] ?? ""}/${labels["pod"] ?? ""}/${labels["container"] ?? ""}`,
      value,
    ]),
  );
}
