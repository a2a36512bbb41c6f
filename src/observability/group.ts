import type { ApiObject, Cell, Column } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import {
  notFound,
  unknownResource,
  virtualResource,
  type VirtualAnswer,
  type VirtualGroup,
  type VirtualKind,
  type VirtualRequest,
} from "#api/virtual-group.ts";
import { answerFromHistory } from "./history/history.ts";

export const group = "observability.steersman.dev";
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
      if (part === undefined) return unknownResource();
      return answerFromHistory(() => part.answer(request));
    },
  };
}

/** Describes a kind of the group. */
export function virtualKind(
  named: Pick<Resource<ApiObject>, "resource" | "kind" | "namespaced" | "subresources">,
  singular: string,
  columns: readonly Column[],
  cells: (object: ApiObject) => Cell[],
): VirtualKind {
  return { resource: virtualResource({ group, version, ...named }), singular, columns, cells };
}

/** The part of all that a request names. */
export function chosen(request: VirtualRequest, listKind: string, all: readonly ApiObject[]): VirtualAnswer {
  const { verb, namespace, name, subresource, labels } = request;
  const found = all.filter(
    ({ metadata }) =>
      (namespace === "" || metadata.namespace === namespace) &&
      (name === "" || metadata.name === name) &&
      (labels === undefined || labels.matches(metadata.labels ?? {})),
  );
  if (verb === "list") return { kind: "list", listKind, items: found };
  const [object] = found;
  return object === undefined || subresource !== "" || (object.metadata.namespace ?? "") !== namespace
    ? notFound(group, request.resource, request.name)
    : { kind: "object", object };
}
