import { column, nameColumn } from "#api/columns.ts";
import type { ApiObject } from "#api/kind.ts";
import type { IngressActivity, ServiceActivity } from "#api/observability/activity.ts";
import type { VirtualAnswer } from "#api/virtual-group.ts";
import { isRecord } from "#codec/record.ts";
import { apiVersion, chosen, virtualKind, type Part } from "../group.ts";
import { nodeLostMs } from "../limits.ts";
import { askNodes, type AskedNode, type NodesOptions } from "./nodes.ts";

/** When each Service was last asked through an Ingress, by all nodes. A node that does not tell is named, and is not silence. */
export function activityPart(options: NodesOptions): Part {
  return {
    kind,
    answer: async (request): Promise<VirtualAnswer> => {
      const { verb, namespace, name } = request;
      const { nodes, answers } = await askNodes(options, "/stats/ingress", readActivity);
      const now = options.clock.now();
      // A node object that nobody deletes must not keep workloads awake for ever: its pods were evicted long ago.
      const isLost = ({ silentSinceMs = now }: AskedNode): boolean => now - silentSinceMs >= nodeLostMs;
      const silent = nodes.filter((node) => !answers.has(node.name));
      const namesOf = (some: readonly AskedNode[]): string[] => some.map((node) => node.name).toSorted();
      const told = {
        nodes: answers.size,
        missingNodes: namesOf(silent.filter((node) => !isLost(node))),
        lostNodes: namesOf(silent.filter(isLost)),
      };
      const quiet = leastOf([...answers.values()]);
      // Where nobody leads to a Service, that is the answer about it, not an error.
      if (verb === "get" && namespace !== "" && !quiet.has(`${namespace}/${name}`))
        return { kind: "object", object: activity(`${namespace}/${name}`, undefined, told) };
      const all = [...quiet].map(([service, seconds]) => activity(service, seconds, told));
      return chosen(request, "ServiceActivityList", all);
    },
  };
}

function readActivity(told: unknown): IngressActivity | undefined {
  const quietSeconds = isRecord(told) ? told["quietSeconds"] : undefined;
  if (!isRecord(quietSeconds)) return undefined;
  const isSane = Object.values(quietSeconds).every((value) => Number.isFinite(value) && Number(value) >= 0);
  return isSane ? { quietSeconds: quietSeconds as IngressActivity["quietSeconds"] } : undefined;
}

function leastOf(answers: readonly IngressActivity[]): Map<string, number> {
  const least = new Map<string, number>();
  for (const { quietSeconds } of answers) {
    for (const [service, seconds] of Object.entries(quietSeconds))
      least.set(service, Math.min(seconds, least.get(service) ?? seconds));
  }
  return least;
}

function activity(
  service: string,
  quietSeconds: number | undefined,
  told: Pick<ServiceActivity, "nodes" | "missingNodes" | "lostNodes">,
): ApiObject & ServiceActivity {
  const [namespace = "", name = ""] = service.split("/");
  return {
    apiVersion,
    kind: "ServiceActivity",
    metadata: { namespace, name },
    ...(quietSeconds === undefined ? {} : { quietSeconds: Math.round(quietSeconds * 1000) / 1000 }),
    ...told,
  };
}

const kind = virtualKind(
  { resource: "serviceactivities", kind: "ServiceActivity", namespaced: true, subresources: [] },
  "serviceactivity",
  [
    nameColumn,
    column("Quiet", "Seconds since the last request through an Ingress."),
    column("Nodes", "Nodes whose ingress counted.", "integer"),
    column("Missing", "Nodes that do not tell.", "integer"),
  ],
  (object) => {
    const { quietSeconds, nodes, missingNodes } = object as ApiObject & ServiceActivity;
    const quiet = quietSeconds === undefined ? "<no ingress>" : `${Math.floor(quietSeconds)}s`;
    return [object.metadata.name, quiet, nodes, missingNodes.length];
  },
);
