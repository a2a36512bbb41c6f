/**
 * What a client must know to address a resource, and its Go type's name among the facts (`apps/v1.Deployment`).
 * `T` is the TypeScript type of its objects; it exists only for the compiler.
 */
export interface Resource<T> {
  readonly group: string;
  readonly version: string;
  /** Plural, lower case, as in URLs. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: readonly { readonly name: string; readonly kind: string; readonly verbs: readonly string[] }[];
  /** Name among the facts; empty for custom resources. */
  readonly type: string;
  /** Never set: carries `T`. */
  readonly objects?: T;
}

/** A group version that another server answers through this one. */
export interface AggregatedApi {
  /** `metrics.k8s.io/v1beta1`. */
  readonly apiVersion: string;
  /** Whether its server answered when it was asked last. */
  readonly isAnswering: boolean;
  /** What it served when it answered last; nothing before it did. */
  readonly resources: readonly Resource<unknown>[];
}

/** Those group versions, as they are now. */
export interface AggregatedApis {
  all(): readonly AggregatedApi[];
  /** Calls `changed` after what they serve, or whether they answer, has changed. */
  onChange(changed: () => void): { close(): void };
}

/** A part of an object, to create or apply: what is left out is defaulted by the server. */
export type Draft<T> = T extends readonly (infer U)[]
  ? Draft<U>[]
  : T extends object
    ? { [K in keyof T]?: Draft<T[K]> }
    : T;

/** `v1`, `apps/v1`. */
export function apiVersionOf(resource: { readonly group: string; readonly version: string }): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** `/api/v1/namespaces/x/pods/y`, `/apis/apps/v1/deployments`; `namespace` is left out for cluster-wide lists. */
export function pathOf(
  resource: { readonly group: string; readonly version: string; readonly resource: string },
  at: {
    readonly namespace?: string | undefined;
    readonly name?: string | undefined;
    readonly subresource?: string | undefined;
  },
): string {
  const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const namespace = at.namespace === undefined ? "" : `/namespaces/${encodeURIComponent(at.namespace)}`;
  const name = at.name === undefined ? "" : `/${encodeURIComponent(at.name)}`;
  const subresource = at.subresource === undefined ? "" : `/${at.subresource}`;
  return `${root}${namespace}/${resource.resource}${name}${subresource}`;
}
