import type { Container, Pod, ServiceAccount, Volume } from "#api/generated/core-v1.ts";
import { randomSuffix } from "#api/generate-name.ts";
import { pods, serviceaccounts } from "#api/generated/resources.ts";
import { freezeDeeply } from "#codec/record.ts";
import type { Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import { getStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { serviceAccountWaitMs } from "./limits.ts";
import { isMirrorPod } from "./mirror-pod.ts";
import { referencesOf } from "../authorize/pod-references.ts";
import { allow, forbid, isAbout, objectOf } from "./request.ts";

const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
const volumePrefix = "kube-api-access-";
const enforceAnnotation = "kubernetes.io/enforce-mountable-secrets";
/** A little over an hour: nodes ask for a new one after 80 percent of it. */
const tokenSeconds = 3607;

export interface ServiceAccountOptions {
  readonly objects: ObjectReader;
  readonly random: Pick<Random, "float">;
  readonly timers: Pick<Timers, "after">;
}

/**
 * Gives each pod a service account and, unless somebody said no, a volume with a bound token, the cluster's CA and the
 * namespace (Kubernetes: "Configure Service Accounts for Pods"). Legacy token Secrets are never made or mounted.
 */
export function serviceAccount(options: ServiceAccountOptions): AdmissionPlugin {
  return {
    name: "ServiceAccount",
    mutate(request) {
      const pod = podToJudge(request);
      if (pod === undefined || request.operation !== "CREATE" || isMirrorPod(pod)) return allow;
      const name = pod.spec.serviceAccountName || "default";
      pod.spec.serviceAccountName = name;
      pod.spec.serviceAccount = name;
      const account = getStored(options.objects, serviceaccounts, request.namespace, name);
      if (account !== undefined) return applyAccount(pod, account, options);
      if (name !== "default") return missing(request.namespace, name);
      return waitForDefault(request, options).then((found) =>
        found === undefined ? missing(request.namespace, name) : applyAccount(pod, found, options),
      );
    },
    validate(request) {
      const pod = podToJudge(request);
      if (pod === undefined) return allow;
      if (isMirrorPod(pod)) return request.operation === "CREATE" ? judgeMirrorPod(pod) : allow;
      const name = pod.spec.serviceAccountName ?? "";
      const account = getStored(options.objects, serviceaccounts, request.namespace, name);
      if (account === undefined) return request.operation === "CREATE" ? missing(request.namespace, name) : allow;
      return judgeSecrets(pod, account);
    },
  };
}

/** A new pod, or one that gets ephemeral containers: they may name Secrets too. */
function podToJudge(request: AdmissionRequest): Pod | undefined {
  const created = request.operation === "CREATE" && isAbout(request, pods);
  const extended = request.operation === "UPDATE" && isAbout(request, pods, "ephemeralcontainers");
  return created || extended ? objectOf(request, pods) : undefined;
}

function missing(namespace: string, name: string): Verdict {
  return forbid(`error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`);
}

/** The account of a new namespace is made by a controller a moment later: a pod that comes in between waits for it. */
function waitForDefault(
  request: AdmissionRequest,
  options: ServiceAccountOptions,
): Promise<ServiceAccount | undefined> {
  const { objects, timers } = options;
  return new Promise((resolve) => {
    const look = (): ServiceAccount | undefined => getStored(objects, serviceaccounts, request.namespace, "default");
    const finish = (found: ServiceAccount | undefined): void => {
      timer.cancel();
      subscription.close();
      resolve(found);
    };
    const timer = timers.after(serviceAccountWaitMs, () => finish(look()));
    const subscription = objects.onChange(serviceaccounts, () => {
      const found = look();
      if (found !== undefined) finish(found);
    });
  });
}

function applyAccount(pod: Pod, account: ServiceAccount, options: ServiceAccountOptions): Verdict {
  const automount = pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
  if (automount) mountToken(pod, options.random);
  const pullSecrets = account.imagePullSecrets ?? [];
  if ((pod.spec.imagePullSecrets ?? []).length === 0 && pullSecrets.length !== 0) {
    pod.spec.imagePullSecrets = pullSecrets.map((secret) => ({ ...secret }));
  }
  return allow;
}

function mountToken(pod: Pod, random: Pick<Random, "float">): void {
  const existing = pod.spec.volumes?.find((volume) => volume.name.startsWith(volumePrefix));
  const name = existing?.name ?? `${volumePrefix}${randomSuffix(random)}`;
  let mounted = false;
  for (const container of [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])]) {
    if (mountInto(container, name)) mounted = true;
  }
  if (mounted && existing === undefined) (pod.spec.volumes ??= []).push({ name, projected: tokenFiles });
}

/** False when the container has a volume of its own at that path. */
function mountInto(container: Container, name: string): boolean {
  if (container.volumeMounts?.some((mount) => mount.mountPath === mountPath) === true) return false;
  (container.volumeMounts ??= []).push({ name, readOnly: true, mountPath });
  return true;
}

/** The same one in all pods, with all its defaults: nobody may change it. */
const tokenFiles = freezeDeeply<NonNullable<Volume["projected"]>>({
  sources: [
    { serviceAccountToken: { expirationSeconds: tokenSeconds, path: "token" } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    {
      downwardAPI: {
        items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
      },
    },
  ],
  defaultMode: 0o644,
});

/** A mirror pod is written by a node: it must not be a way to other people's secrets (CVE-2025-4563's class). */
function judgeMirrorPod(pod: Pod): Verdict {
  if (pod.spec.serviceAccountName) return forbid("a mirror pod may not reference service accounts");
  const references = referencesOf(pod);
  if (references.secrets.size !== 0) return forbid("a mirror pod may not reference secrets");
  if (references.hasServiceAccountToken)
    return forbid("a mirror pod may not use ServiceAccountToken volume projections");
  return allow;
}

/** Accounts with this annotation let pods use only the Secrets that they list. */
function judgeSecrets(pod: Pod, account: ServiceAccount): Verdict {
  if (account.metadata.annotations?.[enforceAnnotation]?.toLowerCase() !== "true") return allow;
  const known = new Set(
    [...(account.secrets ?? []), ...(account.imagePullSecrets ?? [])].map((reference) => reference.name ?? ""),
  );
  for (const name of referencesOf(pod).secrets) {
    if (known.has(name)) continue;
    return forbid(
      `secret "${name}" is not allowed because service account ${account.metadata.name} does not reference that secret`,
    );
  }
  return allow;
}
