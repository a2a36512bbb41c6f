import type { ApiObject, Cell, Column } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import type { VirtualAnswer, VirtualGroup, VirtualKind, VirtualRequest } from "#api/virtual-group.ts";
import { HistoryError } from "./history/history.ts";

const group = "observability.steersman.dev";
const version = "v1";
export const apiVersion = `${group}/${version}`;

/** One kind of the group, and who answers for it. Rejects with `HistoryError` when the history cannot tell. */
export interface Part {
  readonly kind: VirtualKind;
  answer(request: VirtualRequest): Promise<VirtualAnswer>;
}

/** observability.steersman.dev/v1: what the measurements come to, read only. */
export function createObservabilityGroup(parts: readonly Part[]): VirtualGroup {
  return {
    group,
    version,
    kinds: parts.map(({ kind }) => kind),
    answer: async (request) => {
      const part = parts.find(({ kind }) => kind.resource.resource === request.resource);
      if (part === undefined) return failure(404, "NotFound", "the server could not find the requested resource");
      try {
        return await part.answer(request);
      } catch (error) {
        if (error instanceof HistoryError) return failure(503, "ServiceUnavailable", error.message);
        throw error;
      }
    },
  };
}

export function failure(code: number, reason: string, message: string): VirtualAnswer {
  return { kind: "failure", code, reason, message };
}

export function notFound({ resource, name }: VirtualRequest): VirtualAnswer {
  return failure(404, "NotFound", `${resource}.${group} "${name}" not found`);
}

/** Describes a kind that is never stored. */
export function virtualKind(
  named: Pick<Resource<ApiObject>, "resource" | "kind" | "namespaced" | "subresources">,
  singular: string,
  columns: readonly Column[],
  cells: (object: ApiObject) => Cell[],
): VirtualKind {
  const resource: Resource<ApiObject> = {
    group,
    version,
    ...named,
    shortNames: [],
    categories: [],
    verbs: ["get", "list"],
    type: "",
  };
  return { resource, singular, columns, cells };
}
