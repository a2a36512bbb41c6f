import type { ConfigMap, Namespace, NamespaceCondition, ServiceAccount } from "#api/generated/core-v1.ts";
import { configmaps, namespaces, serviceaccounts } from "#api/generated/resources.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

export interface NamespaceView extends ObjectView {
  readonly phase: string;
  /** `spec.finalizers`, not those of the metadata. */
  readonly specFinalizers: readonly string[];
  readonly conditions: readonly NamespaceCondition[];
}

export interface ConfigMapView extends ObjectView {
  /** `data` of kube-root-ca.crt; nothing of others. */
  readonly rootCa: string | undefined;
}

export const rootCaName = "kube-root-ca.crt";

export const namespaceDeclaration: InformerDeclaration<Namespace, NamespaceView> = {
  resource: namespaces,
  indexes: objectIndexes,
  project: (namespace) => ({
    ...objectView(namespace.metadata),
    phase: namespace.status?.phase ?? "",
    specFinalizers: namespace.spec?.finalizers ?? [],
    conditions: namespace.status?.conditions ?? [],
  }),
};

export const serviceAccountDeclaration: InformerDeclaration<ServiceAccount, ObjectView> = {
  resource: serviceaccounts,
  indexes: objectIndexes,
  project: (account) => objectView(account.metadata),
};

export const configMapDeclaration: InformerDeclaration<ConfigMap, ConfigMapView> = {
  resource: configmaps,
  indexes: objectIndexes,
  project: (map) => ({
    ...objectView(map.metadata),
    rootCa: map.metadata.name === rootCaName ? map.data?.["ca.crt"] : undefined,
  }),
};
