import type { AmountText, NodeUsage, WorkloadUsage } from "#api/observability/usage.ts";
import type { Client } from "#client/client.ts";
import { bytesText, coresText, numberOf, usageApi } from "./usage.ts";

const barWidth = 20;
const workloadsMax = 200;

export interface Top {
  readonly nodes: readonly NodeUsage[];
  readonly workloads: readonly WorkloadUsage[];
}

/** The cluster as people look at it. Rejects as the client does. */
export async function collectTop(client: Client): Promise<Top> {
  const read = (resource: string): Promise<unknown> => client.request("GET", `${usageApi}/${resource}`);
  const [nodes, workloads] = await Promise.all([read("nodeusages"), read("workloadusages")]);
  return {
    nodes: (nodes as { readonly items: readonly NodeUsage[] }).items,
    workloads: (workloads as { readonly items: readonly WorkloadUsage[] }).items,
  };
}

/** Bars and sparklines for a terminal. */
export function renderTop({ nodes, workloads }: Top): string {
  const lines: string[] = [];
  for (const { metadata, pods, allocatable, requested, used, cpuHistory } of nodes) {
    lines.push(`${metadata.name}  ${pods} pods`);
    const line = (name: keyof AmountText, text: (value: number) => string): string => {
      const whole = numberOf(allocatable[name]) ?? 0;
      const asked = numberOf(requested[name]) ?? 0;
      const use = numberOf(used?.[name]);
      return `${bar(use, asked, whole)}  ${shares(use, asked, whole, text)}`;
    };
    lines.push(`  cpu     ${line("cpu", coresText)}`, `  memory  ${line("memory", bytesText)}`);
    if (cpuHistory.length > 0) {
      const most = coresText(Math.max(...cpuHistory));
      lines.push(`  30 min  ${sparkline(cpuHistory, numberOf(allocatable.cpu))}  cpu of its pods, ${most} at most`);
    }
  }
  const head = ["NAMESPACE", "WORKLOAD", "PODS", "CPU", "ASKED", "MEMORY", "ASKED", "CPU, 30 MIN"];
  lines.push("", table([head, ...workloads.slice(0, workloadsMax).map(row)]));
  if (workloads.length === 0) lines.push("No workload has pods yet.");
  if (workloadsMax < workloads.length) lines.push(`and ${workloads.length - workloadsMax} workloads that use less`);
  const notes = [
    ...(nodes.length === 0 ? [] : ["█ used  ░ asked for by pods, not used"]),
    ...(workloads.some(({ cpuHistory }) => cpuHistory.length > 0)
      ? ["30 min: full height is what is there, or was asked for; or the most used where that is more"]
      : []),
    ...(workloads.some(({ used }) => used === undefined) ? ["? not measured yet"] : []),
    ...(workloads.some(({ requested }) => Object.keys(requested).length < 2) ? ["- nothing asked for"] : []),
  ];
  if (notes.length > 0) lines.push("", notes.join("   "));
  return `${lines.join("\n")}\n`;
}

function row({ metadata, workload, pods, used, requested, cpuHistory }: WorkloadUsage): string[] {
  const of = (name: keyof AmountText, text: (value: number) => string): string[] => {
    const asked = numberOf(requested[name]) ?? 0;
    const use = numberOf(used?.[name]);
    return [use === undefined ? "?" : text(use), asked === 0 ? "-" : text(asked)];
  };
  const figures = [...of("cpu", coresText), ...of("memory", bytesText)];
  const most = cpuHistory.length === 0 ? "" : `  ${coresText(Math.max(...cpuHistory))} at most`;
  const line = sparkline(cpuHistory, numberOf(requested.cpu));
  return [metadata.namespace, workload, String(pods), ...figures, `${line}${most}`];
}

function shares(used: number | undefined, requested: number, whole: number, text: (value: number) => string): string {
  const percent = (part: number): string => (whole === 0 ? "-" : `${Math.round((part / whole) * 100)} %`);
  const use = used === undefined ? "not measured" : `${text(used)} used (${percent(used)})`;
  return `${use}, ${text(requested)} asked for (${percent(requested)}), ${text(whole)} there`;
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

/** Each value as a height: the largest of them, or `full` where that is more, as the highest. */
export function sparkline(values: readonly number[], full = 0): string {
  const highest = Math.max(...values, full);
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
