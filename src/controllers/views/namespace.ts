import type { ConfigMap, Namespace, NamespaceCondition, Secret, ServiceAccount } from "#api/generated/core-v1.ts";
import { configmaps, namespaces, secrets, serviceaccounts } from "#api/generated/resources.ts";
import { canonicalText, fnv32 } from "#reconcile/canonical.ts";
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
  /** Of all its data: equal digests, equal configuration. */
  readonly digest: string;
}

export interface SecretView extends ObjectView {
  readonly type: string;
  /** Of all its data; says nothing about it. */
  readonly digest: string;
  /** What a Secret that is to hold a token of a ServiceAccount holds of it already, in base64; undefined for all others. */
  readonly accountToken?: {
    readonly hasToken: boolean;
    readonly rootCa: string | undefined;
    readonly namespace: string | undefined;
  };
}

export const accountAnnotation = "kubernetes.io/service-account.name";
export const accountUidAnnotation = "kubernetes.io/service-account.uid";

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
    digest: digestOf(map.data, map.binaryData),
  }),
};

export const secretDeclaration: InformerDeclaration<Secret, SecretView> = {
  resource: secrets,
  indexes: objectIndexes,
  project: (secret) => ({
    ...objectView(secret.metadata),
    type: secret.type ?? "Opaque",
    digest: digestOf(secret.data),
    ...(secret.type === "kubernetes.io/service-account-token" ? { accountToken: accountTokenOf(secret) } : {}),
  }),
};

function accountTokenOf({ data }: Secret): NonNullable<SecretView["accountToken"]> {
  return { hasToken: (data?.["token"] ?? "") !== "", rootCa: data?.["ca.crt"], namespace: data?.["namespace"] };
}

function digestOf(...parts: readonly unknown[]): string {
  return fnv32(canonicalText(parts)).toString();
}
