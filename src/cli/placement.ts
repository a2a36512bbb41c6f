import type { Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";

/** Why a pod has no node, as the scheduler tells it. */
export interface Placement {
  readonly message: string;
  readonly nodes: readonly { readonly node: string; readonly reasons: readonly string[]; readonly change: string }[];
  readonly changes: readonly { readonly change: string; readonly nodes: number; readonly example: string }[];
}

/** The scheduler's last judgement of a pod; undefined when it has a node, or was not judged. */
export async function placementOf(client: Client, namespace: string, name: string): Promise<Placement | undefined> {
  try {
    return (await client.request(
      "GET",
      `/apis/scheduling.steersman.dev/v1/namespaces/${namespace}/placements/${name}`,
    )) as Placement;
  } catch (error) {
    if (error instanceof ApiStatusError && error.code === 404) return undefined;
    throw error;
  }
}

/** A table: one line a node, and last the change that helps on most of them. */
export function renderPlacement({ message, nodes, changes }: Placement): string {
  const rows = [
    ["NODE", "SAID NO", "WOULD FIT WITH"],
    ...nodes.map((one) => [one.node, one.reasons.join(", "), one.change]),
  ];
  const widths = [0, 1].map((index) => Math.max(...rows.map((row) => row[index]!.length)));
  const lines = rows.map(
    ([node = "", reasons = "", change = ""]) => `${node.padEnd(widths[0]!)}  ${reasons.padEnd(widths[1]!)}  ${change}`,
  );
  const [first] = changes;
  const last =
    first === undefined
      ? ""
      : `Smallest change: ${first.change}, on ${first.nodes === 1 ? first.example : `any of ${first.nodes} nodes`}.\n`;
  return `It has no node: ${message}\n${nodes.length === 0 ? "" : `${lines.join("\n")}\n`}${last}`;
}
