import type { Resource } from "../resource.ts";

/** The facts of a namespaced kind of delivery.steersman.dev/v1. */
export function deliveryResource<T>(resource: string, kind: string): Resource<T> {
  return {
    group: "delivery.steersman.dev",
    version: "v1",
    resource,
    kind,
    namespaced: true,
    shortNames: [],
    categories: [],
    verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    subresources: [],
    type: "",
  };
}
