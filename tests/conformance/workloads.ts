import type { Json } from "./cluster.ts";

/** Image names are only names on simulated nodes. */
export const image = "localhost/pause:3.10";

export function pod(name: string, extra: Json = {}, metadata: Json = {}): Json {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...metadata },
    spec: { containers: [{ name: "main", image }], terminationGracePeriodSeconds: 0, ...extra },
  };
}

export function deployment(name: string, replicas = 1, metadata: Json = {}): Json {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, ...metadata },
    spec: { replicas, ...template(name) },
  };
}

export function replicationController(name: string, replicas = 1): Json {
  const { template: podTemplate } = template(name);
  return {
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata: { name },
    spec: { replicas, selector: { app: name }, template: podTemplate },
  };
}

export function template(name: string): Json {
  return {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "main", image }], terminationGracePeriodSeconds: 0 },
    },
  };
}

export interface DefinitionOptions {
  readonly schema?: Json;
  readonly versions?: readonly Json[];
  readonly extra?: Json;
  readonly subresources?: Json;
}

/** A CustomResourceDefinition of its own group: `{plural}.{group}`. */
export function definition(plural: string, group: string, options: DefinitionOptions = {}): Json {
  const schema = options.schema ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const version = {
    name: "v1",
    served: true,
    storage: true,
    schema: { openAPIV3Schema: schema },
    ...(options.subresources && { subresources: options.subresources }),
  };
  const kind = plural.charAt(0).toUpperCase() + plural.slice(1, -1);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural, singular: plural.slice(0, -1), kind, listKind: `${kind}List` },
      versions: options.versions ?? [version],
      ...options.extra,
    },
  };
}
