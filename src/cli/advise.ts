import type { AmountText, ClusterAdvice, WorkloadAdvice } from "#api/observability/usage.ts";
import type { Client } from "#client/client.ts";
import { table } from "./top.ts";
import { bytesText, coresText, numberOf, usageApi } from "./usage.ts";

export interface Advices {
  readonly workloads: readonly WorkloadAdvice[];
  readonly cluster: ClusterAdvice;
}

/** What the cluster concludes from the history of `window` (`1d`, `7d`). Rejects as the client does. */
export async function collectAdvices(client: Client, window: string): Promise<Advices> {
  const read = (path: string): Promise<unknown> => client.request("GET", `${usageApi}/${path}?window=${window}`);
  const [workloads, cluster] = await Promise.all([read("workloadadvices"), read("clusteradvices/cluster")]);
  return {
    workloads: (workloads as { readonly items: readonly WorkloadAdvice[] }).items,
    cluster: cluster as ClusterAdvice,
  };
}

/** A table, then what it comes to. */
export function renderAdvices({ workloads, cluster }: Advices): string {
  const { window, nodesNow, nodesAdvised, nodesSaved, worstNodeLoss: loss } = cluster;
  const percentiles = ["P50", "P95", "MAX", "ADVISED"];
  const figures = ["CPU ASKED", ...percentiles, "MEM ASKED", ...percentiles];
  const head = ["NAMESPACE", "WORKLOAD", "CONTAINER", "PODS", ...figures, "NODES SAVED"];
  const title = `Use over the last ${window}, of the pod of each workload that used most:`;
  const lines = [title, "", table([head, ...workloads.flatMap(rows)])];
  if (workloads.length === 0) lines.push("No workload has pods yet.");
  lines.push(
    "",
    "P50, P95: half, and 19 of 20 parts, of the time it used no more. ADVISED: by the P95 of CPU and the most memory, with some",
    "to spare. NODES SAVED: parts of a node of the present mean size that the workload's pods would leave free; below zero, that",
    "they would take. m: thousandths of a core. -: nothing asked for. ?: not measured yet.",
    "",
  );
  const told = nodesSaved > 0 ? `, ${count(nodesSaved)} saved` : "";
  lines.push(`The requests fill ${count(nodesNow)}; as advised they would fill ${count(nodesAdvised)}${told}.`);
  if (loss !== undefined) {
    const homeless = loss.homelessPods;
    lines.push(
      homeless.length === 0
        ? "If any one node were lost, all its pods would find a place."
        : `If node ${loss.node} were lost, ${homeless.length} of its pods would find no place: ${named(homeless)}`,
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

/** A line a container. */
function rows({ metadata, workload, pods, containers, nodesSaved }: WorkloadAdvice): string[][] {
  return containers.map(({ name, requested, used, advised }, index) => {
    const of = (resource: keyof AmountText, text: (value: number) => string): string[] => {
      const shown = (amount: AmountText | undefined, otherwise: string): string => {
        const value = numberOf(amount?.[resource]);
        return value === undefined ? otherwise : text(value);
      };
      const told = [used?.p50, used?.p95, used?.max, advised].map((amount) => shown(amount, "?"));
      return [shown(requested, "-"), ...told];
    };
    // Of the whole workload, and so beside its first container alone.
    const saved = index > 0 ? "" : (nodesSaved?.toFixed(2) ?? "?");
    const figures = [...of("cpu", coresText), ...of("memory", bytesText)];
    return [metadata.namespace, workload, name, String(pods), ...figures, saved];
  });
}
