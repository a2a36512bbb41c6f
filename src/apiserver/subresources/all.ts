import { attachToPod, execInPod, forwardToPod, podLog } from "../connect/pods.ts";
import { nodeProxy, podProxy, serviceProxy } from "../connect/proxy.ts";
import type { Served } from "../registry.ts";
import type { Verb } from "../stages/perform.ts";
import { get } from "../verbs/get.ts";
import { patch } from "../verbs/patch.ts";
import { update } from "../verbs/update.ts";
import { bind } from "./binding.ts";
import { evict } from "./eviction.ts";
import { reviews } from "./reviews.ts";
import { scale } from "./scale.ts";
import { requestToken } from "./token.ts";

/** What a subresource can do, by verb. */
export type Subresource = Readonly<Record<string, Verb>>;

/** A subresource whose body is the object itself; the kind's rules keep apart what it may change. */
const ownKind: Subresource = { get, update, patch };

const proxied = (handler: Verb): Subresource => ({
  get: handler,
  create: handler,
  update: handler,
  patch: handler,
  delete: handler,
});

/** Subresources of the core group that are more than a part of their object. */
const special: Readonly<Record<string, Subresource>> = {
  "pods/binding": { create: bind },
  "pods/eviction": { create: evict },
  "pods/log": { get: podLog },
  "pods/exec": { get: execInPod, create: execInPod },
  "pods/attach": { get: attachToPod, create: attachToPod },
  "pods/portforward": { get: forwardToPod, create: forwardToPod },
  "pods/proxy": proxied(podProxy),
  "services/proxy": proxied(serviceProxy),
  "nodes/proxy": proxied(nodeProxy),
  "serviceaccounts/token": { create: requestToken },
};

/** The subresource of a served resource; undefined: there is none of that name. */
export function findSubresource(served: Served, name: string): Subresource | undefined {
  const { resource } = served;
  const declared = resource.subresources.find((subresource) => subresource.name === name);
  if (declared === undefined) return undefined;
  if (name === "scale") return scale;
  const known = resource.group === "" ? special[`${resource.resource}/${name}`] : undefined;
  if (known !== undefined) return known;
  return declared.kind === resource.kind ? ownKind : undefined;
}

/** Resources that are not stored: their only verb is a question or an order. */
export function unstored(served: Served): Subresource | undefined {
  const { group, resource } = served.resource;
  if (group === "" && resource === "bindings") return { create: bind };
  const question =
    group === "authentication.k8s.io" || group === "authorization.k8s.io" ? reviews[resource] : undefined;
  return question === undefined ? undefined : { create: question };
}
