import { column, nameColumn } from "#api/columns.ts";
import type { ApiObject } from "#api/kind.ts";
import {
  notFound,
  unknownResource,
  virtualResource,
  type VirtualAnswer,
  type VirtualGroup,
  type VirtualRequest,
} from "#api/virtual-group.ts";
import type { Explanation } from "./explain.ts";

const group = "scheduling.steersman.dev";
const version = "v1";
const kind = "Placement";
const resource = "placements";

/**
 * `kubectl get placements`: why pods have no node, as the scheduler judged them last: per node the filters that said no and the
 * smallest change that would make the pod fit. A pod that has a node, or was not tried yet, has no placement.
 */
export function createPlacements(explanations: () => ReadonlyMap<string, Explanation>): VirtualGroup {
  return {
    group,
    version,
    kinds: [
      {
        resource: virtualResource({ group, version, resource, kind, namespaced: true }),
        singular: "placement",
        columns: [
          nameColumn,
          column("Message", "What the pod's condition says."),
          column("Smallest change", "The change that asks for the fewest things."),
        ],
        cells: (object) => {
          const { message, changes } = object as ApiObject & Explanation;
          return [object.metadata.name, message, changes[0]?.change ?? ""];
        },
      },
    ],
    answer: (request) => Promise.resolve(answer(explanations(), request)),
  };
}

function answer(explanations: ReadonlyMap<string, Explanation>, request: VirtualRequest): VirtualAnswer {
  const { namespace, name, verb } = request;
  if (request.resource !== resource || request.subresource !== "") return unknownResource();
  if (verb === "list") {
    const items = [...explanations.values()].map(placement);
    const wanted = namespace === "" ? items : items.filter(({ metadata }) => metadata.namespace === namespace);
    return { kind: "list", listKind: `${kind}List`, items: wanted };
  }
  const found = explanations.get(`${namespace}/${name}`);
  if (found === undefined) return notFound(group, resource, name);
  return { kind: "object", object: placement(found) };
}

function placement({ pod, message, nodes, changes }: Explanation): ApiObject {
  const [namespace = "", name = ""] = pod.split("/");
  return { kind, apiVersion: `${group}/${version}`, metadata: { namespace, name }, message, nodes, changes };
}
