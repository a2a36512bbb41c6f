import type { Served } from "../registry.ts";
import type { Verb } from "../stages/perform.ts";
import { get } from "../verbs/get.ts";
import { patch } from "../verbs/patch.ts";
import { update } from "../verbs/update.ts";

/** What a subresource can do, by verb. */
export type Subresource = Readonly<Record<string, Verb>>;

/** A subresource whose body is the object itself; the kind's rules keep apart what it may change. */
const ownKind: Subresource = { get, update, patch };

/** The subresource of a served resource; undefined: there is none of that name. */
export function findSubresource(served: Served, name: string): Subresource | undefined {
  const declared = served.resource.subresources.find((subresource) => subresource.name === name);
  if (declared === undefined) return undefined;
  return declared.kind === served.resource.kind ? ownKind : undefined;
}
