import { apiVersionOf, type Draft, type Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";

/** What a node's ingress says about an object of delivery. */
export interface Telling<S> {
  readonly about: { readonly kind: string; readonly namespace: string; readonly name: string; readonly uid: string };
  readonly nodeName: string;
  /** Why it is said: the record's rule. */
  readonly rule: string;
  readonly spec: S;
  /** Fields of the spec that are not to stay from what was said before. */
  readonly cleared?: readonly (keyof S & string)[];
}

/** Writes a telling: named after the object and the node, gone with the object, made when it is missing. Rejects as the client does. */
export async function tell<S>(
  client: Client,
  resource: Resource<{ readonly spec: S }>,
  { about, nodeName, rule, spec, cleared = [] }: Telling<S>,
): Promise<void> {
  const { kind: ownerKind, namespace, name: owner, uid } = about;
  const name = `${owner}.${nodeName}`;
  const apiVersion = apiVersionOf(resource);
  const cause = { actor: `network/${nodeName}`, rule };
  const metadata = { name, ownerReferences: [{ apiVersion, kind: ownerKind, name: owner, uid }] };
  const nothing = Object.fromEntries(cleared.map((field) => [field, null]));
  try {
    const patch = { metadata, spec: { ...nothing, ...spec } };
    await client.patch(resource, { namespace, name }, patch, { type: "merge", cause });
  } catch (error) {
    if (!(error instanceof ApiStatusError) || error.code !== 404) throw error;
    const object: object = { apiVersion, kind: resource.kind, metadata, spec };
    await client.create(resource, { namespace }, object as Draft<{ readonly spec: S }>, { cause });
  }
}
