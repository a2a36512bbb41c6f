import type { ApiObject, Cell, Column } from "./kind.ts";
import type { Resource } from "./resource.ts";
import type { Selector } from "./selectors.ts";

/** A resource that is answered by a provider and never stored: measurements. */
export interface VirtualKind {
  readonly resource: Resource<ApiObject>;
  readonly singular: string;
  readonly columns: readonly Column[];
  cells(object: ApiObject, now: number): Cell[];
}

/** What a client asks a provider, after it was authenticated and authorized. */
export interface VirtualRequest {
  /** `create` only comes with the subresource `proxy`. */
  readonly verb: "get" | "list" | "create";
  /** "": across all namespaces, or cluster-scoped. */
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  /** "" for a list. */
  readonly name: string;
  /** Undefined: everything. */
  readonly labels: Selector | undefined;
  readonly query: URLSearchParams;
  /** What follows the subresource `proxy`, with its leading slash. */
  readonly rest: string;
  readonly body: Uint8Array;
  readonly contentType: string;
}

export type VirtualAnswer =
  | { readonly kind: "object"; readonly object: ApiObject }
  | { readonly kind: "list"; readonly listKind: string; readonly items: readonly ApiObject[] }
  /** Behind `proxy`: an answer that is passed on as it is. */
  | { readonly kind: "bytes"; readonly status: number; readonly contentType: string; readonly body: Uint8Array }
  | { readonly kind: "failure"; readonly code: number; readonly reason: string; readonly message: string };

/** One version of an API group that a provider answers. Read only, but for `proxy`: everything else is refused with 405. */
export interface VirtualGroup {
  readonly group: string;
  readonly version: string;
  /** What discovery lists. The provider may answer more than it lists (metrics by name). */
  readonly kinds: readonly VirtualKind[];
  /** Must not reject for what the client asked; a rejection becomes 500. */
  answer(request: VirtualRequest): Promise<VirtualAnswer>;
}

type Named = Pick<Resource<ApiObject>, "group" | "version" | "resource" | "kind" | "namespaced">;
type Offered = Partial<Pick<Resource<ApiObject>, "verbs" | "subresources">>;

/** The facts of a resource that is never stored: without short names, and it can only be read. */
export function virtualResource({
  verbs = ["get", "list"],
  subresources = [],
  ...named
}: Named & Offered): Resource<ApiObject> {
  return { ...named, verbs, subresources, shortNames: [], categories: [], type: "" };
}

export function failure(code: number, reason: string, message: string): VirtualAnswer {
  return { kind: "failure", code, reason, message };
}

/** The resource is known, and nothing of that name. */
export function notFound(group: string, resource: string, name: string): VirtualAnswer {
  return failure(404, "NotFound", `${resource}.${group} "${name}" not found`);
}

export function unknownResource(): VirtualAnswer {
  return failure(404, "NotFound", "the server could not find the requested resource");
}
