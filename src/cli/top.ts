import type { Client } from "#client/client.ts";
import { amountOf, bytesText, coresText, usageApi, type Amount, type AmountTexts } from "./usage.ts";

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

interface UsageObject {
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly workload?: string;
  readonly pods: number;
  readonly allocatable?: AmountTexts;
  readonly requested: AmountTexts;
  readonly used?: AmountTexts;
  readonly cpuHistory?: readonly number[];
}

/** The cluster as people look at it. Rejects as the client does. */
export async function collectTop(client: Client): Promise<Top> {
  const [nodes, workloads] = await Promise.all([
    readUsages(client, "nodeusages"),
    readUsages(client, "workloadusages"),
  ]);
  return {
    nodes: nodes.map(({ metadata, pods, allocatable, requested, used }) => ({
      name: metadata.name,
      pods,
      allocatable: amountOf(allocatable),
      requested: amountOf(requested),
      used: used && amountOf(used),
    })),
    workloads: workloads
      .slice(0, workloadsMax)
      .map(({ metadata, workload = "", pods, requested, used, cpuHistory = [] }) => ({
        namespace: metadata.namespace ?? "",
        workload,
        pods,
        requested: amountOf(requested),
        used: amountOf(used),
        history: cpuHistory,
      })),
  };
}

async function readUsages(client: Client, resource: string): Promise<readonly UsageObject[]> {
  return ((await client.request("GET", `${usageApi}/${resource}`)) as { items: readonly UsageObject[] }).items;
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
