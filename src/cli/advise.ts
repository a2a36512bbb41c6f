import type { Client } from "#client/client.ts";
import { table } from "./top.ts";
import { amountOf, bytesText, coresText, partialOf, usageApi, type Amount, type AmountTexts } from "./usage.ts";

/** Use over the history: the half, the busiest twentieth, the most. */
export interface Percentiles {
  readonly half: Amount;
  readonly most95: Amount;
  readonly most: Amount;
}

/** Advice for one container of a workload. */
export interface Advice {
  readonly namespace: string;
  readonly workload: string;
  readonly container: string;
  readonly pods: number;
  readonly requested: Partial<Amount>;
  /** Of the pod that used most. Undefined: nothing was measured. */
  readonly used: Percentiles | undefined;
  readonly advised: Amount | undefined;
}

export interface NodeLoss {
  readonly node: string;
  /** Pods that would find no place: `namespace/name`. */
  readonly homeless: readonly string[];
}

export interface Advices {
  readonly window: string;
  readonly workloads: readonly Advice[];
  /** Nodes of the present mean size that the requests fill, now and as advised. */
  readonly nodesNow: number;
  readonly nodesAdvised: number;
  /** The node whose loss would push out most. */
  readonly worstLoss: NodeLoss | undefined;
}

interface AdviceObject {
  readonly metadata: { readonly namespace?: string };
  readonly workload: string;
  readonly pods: number;
  readonly containers: readonly {
    readonly name: string;
    readonly requested: AmountTexts;
    readonly used?: { readonly p50: AmountTexts; readonly p95: AmountTexts; readonly max: AmountTexts };
    readonly advised?: AmountTexts;
  }[];
}

interface ClusterAdviceObject {
  readonly nodesNow: number;
  readonly nodesAdvised: number;
  readonly worstNodeLoss?: { readonly node: string; readonly homelessPods: readonly string[] };
}

/** What the cluster concludes from the history of `window` (`1d`, `7d`). Rejects as the client does. */
export async function collectAdvices(client: Client, window: string): Promise<Advices> {
  const [workloads, cluster] = await Promise.all([
    client.request("GET", `${usageApi}/workloadadvices?window=${window}`) as Promise<{
      items: readonly AdviceObject[];
    }>,
    client.request("GET", `${usageApi}/clusteradvices/cluster?window=${window}`) as Promise<ClusterAdviceObject>,
  ]);
  const { nodesNow, nodesAdvised, worstNodeLoss: loss } = cluster;
  return {
    window,
    workloads: workloads.items.flatMap(advicesOf),
    nodesNow,
    nodesAdvised,
    worstLoss: loss && { node: loss.node, homeless: loss.homelessPods },
  };
}

function advicesOf({ metadata, workload, pods, containers }: AdviceObject): Advice[] {
  return containers.map(({ name, requested, used, advised }) => ({
    namespace: metadata.namespace ?? "",
    workload,
    container: name,
    pods,
    requested: partialOf(requested),
    used: used && { half: amountOf(used.p50), most95: amountOf(used.p95), most: amountOf(used.max) },
    advised: advised && amountOf(advised),
  }));
}

/** A table, then what it comes to. */
export function renderAdvices({ window, workloads, nodesNow, nodesAdvised, worstLoss: loss }: Advices): string {
  const percentiles = ["P50", "P95", "MAX", "ADVISED"];
  const head = ["NAMESPACE", "WORKLOAD", "CONTAINER", "PODS", "CPU ASKED", ...percentiles, "MEM ASKED", ...percentiles];
  const title = `Use over the last ${window}, of the pod of each workload that used most:`;
  const lines = [title, "", table([head, ...workloads.map(row)]), ""];
  lines.push(`The requests fill ${count(nodesNow)}; as advised they would fill ${count(nodesAdvised)}.`);
  if (loss !== undefined) {
    lines.push(
      loss.homeless.length === 0
        ? "If any one node were lost, all its pods would find a place."
        : `If node ${loss.node} were lost, ${loss.homeless.length} of its pods would find no place: ${named(loss.homeless)}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function named(pods: readonly string[]): string {
  return pods.length <= 20 ? pods.join(", ") : `${pods.slice(0, 20).join(", ")} and others`;
}

function count(nodes: number): string {
  return nodes === 1 ? "1 node" : `${nodes} nodes`;
}

function row({ namespace, workload, container, pods, requested, used, advised }: Advice): string[] {
  const of = (name: keyof Amount, text: (value: number) => string): string[] => {
    const asked = requested[name];
    return [
      asked === undefined ? "-" : text(asked),
      ...[used?.half, used?.most95, used?.most, advised].map((amount) =>
        amount === undefined ? "?" : text(amount[name]),
      ),
    ];
  };
  return [namespace, workload, container, String(pods), ...of("cpu", coresText), ...of("memory", bytesText)];
}
