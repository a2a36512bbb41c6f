import type { Client } from "#client/client.ts";
import {
  bytesText,
  coresText,
  historyPath,
  nothing,
  plus,
  readScene,
  requestOf,
  type Amount,
  type Scene,
  type SeenPod,
} from "./usage.ts";

/** Time that the sparklines show, and the length of one of their columns, in seconds. */
const sparkSeconds = 1800;
const sparkStepSeconds = 90;
const barWidth = 20;
const workloadsMax = 200;

export interface TopWorkload {
  readonly namespace: string;
  readonly workload: string;
  readonly pods: number;
  readonly requested: Amount;
  readonly used: Amount;
  /** CPU in cores over the last half hour, oldest first; empty without a history. */
  readonly history: readonly number[];
}

export interface TopNode {
  readonly name: string;
  readonly allocatable: Amount;
  readonly requested: Amount;
  readonly used: Amount | undefined;
  readonly pods: number;
}

export interface Top {
  readonly nodes: readonly TopNode[];
  readonly workloads: readonly TopWorkload[];
}

/** The cluster as people look at it; `now` in milliseconds since 1970. */
export async function collectTop(client: Client, now: number): Promise<Top> {
  const [scene, history] = await Promise.all([readScene(client), readHistory(client, now)]);
  return { nodes: topNodes(scene), workloads: topWorkloads(scene, history) };
}

function topNodes({ nodes, pods }: Scene): TopNode[] {
  return nodes.map(({ name, allocatable, used }) => {
    const here = pods.filter((pod) => pod.node === name);
    const requested = here.reduce((sum, pod) => plus(sum, requestOf(pod)), nothing);
    return { name, allocatable, requested, used, pods: here.length };
  });
}

function topWorkloads({ pods }: Scene, history: ReadonlyMap<string, readonly number[]>): TopWorkload[] {
  const groups = Map.groupBy(pods, ({ namespace, workload }) => `${namespace}/${workload}`);
  const all = [...groups.values()].map((members): TopWorkload => {
    const [{ namespace, workload }] = members as [SeenPod];
    return {
      namespace,
      workload,
      pods: members.length,
      requested: members.reduce((sum, pod) => plus(sum, requestOf(pod)), nothing),
      used: members
        .flatMap(({ containers }) => containers)
        .reduce((sum, { used }) => plus(sum, used ?? nothing), nothing),
      history: addedUp(members.map((pod) => history.get(`${pod.namespace}/${pod.name}`) ?? [])),
    };
  });
  return all
    .sort((left, right) => right.used.cpu - left.used.cpu || right.used.memory - left.used.memory)
    .slice(0, workloadsMax);
}

function addedUp(lines: readonly (readonly number[])[]): number[] {
  const length = Math.max(0, ...lines.map((line) => line.length));
  return Array.from({ length }, (_, index) =>
    lines.reduce((sum, line) => sum + (line[line.length - length + index] ?? 0), 0),
  );
}

interface RangeAnswer {
  readonly data?: {
    readonly result?: readonly {
      readonly metric: Record<string, string>;
      readonly values: readonly [number, string][];
    }[];
  };
}

async function readHistory(client: Client, now: number): Promise<ReadonlyMap<string, readonly number[]>> {
  const end = Math.floor(now / 1000);
  const query = new URLSearchParams({
    query: "sum by (namespace, pod) (rate(container_cpu_usage_seconds_total[2m]))",
    start: String(end - sparkSeconds),
    end: String(end),
    step: String(sparkStepSeconds),
  });
  try {
    const answer = (await client.request("GET", `${historyPath}/query_range?${query.toString()}`)) as RangeAnswer;
    return new Map(
      (answer.data?.result ?? []).map(({ metric, values }) => {
        return [`${metric["namespace"] ?? ""}/${metric["pod"] ?? ""}`, values.map(([, value]) => Number(value) || 0)];
      }),
    );
  } catch {
    // A cluster without a history has no sparklines.
    return new Map();
  }
}

/** Bars and sparklines for a terminal. */
export function renderTop({ nodes, workloads }: Top): string {
  const lines: string[] = [];
  for (const { name, allocatable, requested, used, pods } of nodes) {
    lines.push(`${name}  ${pods} pods`);
    lines.push(
      `  cpu     ${bar(used?.cpu, requested.cpu, allocatable.cpu)}  ${shares(used, requested, allocatable, "cpu", coresText)}`,
    );
    const memory = bar(used?.memory, requested.memory, allocatable.memory);
    lines.push(`  memory  ${memory}  ${shares(used, requested, allocatable, "memory", bytesText)}`);
  }
  lines.push(
    "",
    table([["NAMESPACE", "WORKLOAD", "PODS", "CPU", "ASKED", "MEMORY", "ASKED", "CPU, 30 MIN"], ...workloads.map(row)]),
  );
  return `${lines.join("\n")}\n`;
}

function row({ namespace, workload, pods, used, requested, history }: TopWorkload): string[] {
  const asked = (amount: number, text: (value: number) => string): string => (amount === 0 ? "-" : text(amount));
  return [
    namespace,
    workload,
    String(pods),
    coresText(used.cpu),
    asked(requested.cpu, coresText),
    bytesText(used.memory),
    asked(requested.memory, bytesText),
    sparkline(history),
  ];
}

function shares(
  used: Amount | undefined,
  requested: Amount,
  whole: Amount,
  name: keyof Amount,
  text: (value: number) => string,
): string {
  const percent = (part: number): string => (whole[name] === 0 ? "-" : `${Math.round((part / whole[name]) * 100)} %`);
  const use = used === undefined ? "not measured" : `${text(used[name])} used (${percent(used[name])})`;
  return `${use}, ${text(requested[name])} asked for (${percent(requested[name])}), ${text(whole[name])} there`;
}

/** What is used is full, what is only asked for is half. */
export function bar(used: number | undefined, requested: number, whole: number): string {
  const columns = (part: number): number =>
    whole <= 0 ? 0 : Math.min(barWidth, Math.round((part / whole) * barWidth));
  const full = columns(used ?? 0);
  const half = Math.max(0, columns(requested) - full);
  return `▕${"█".repeat(full)}${"░".repeat(half)}${" ".repeat(barWidth - full - half)}▏`;
}

const heights = "▁▂▃▄▅▆▇█";

/** Each value as a height, the largest as the highest. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values, 0);
  if (highest === 0) return values.map(() => heights[0]).join("");
  return values.map((value) => heights[Math.min(7, Math.floor((Math.max(0, value) / highest) * 7.999))]).join("");
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const cells of rows) cells.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  return rows
    .map((cells) =>
      cells
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
