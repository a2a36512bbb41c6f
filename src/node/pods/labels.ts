import type { Container, EphemeralContainer, Pod } from "#api/generated/core-v1.ts";
import type { Crypto } from "#world/crypto.ts";
import type { Labels } from "#world/container-runtime.ts";
import { hex } from "../images/oci-archive.ts";

// The names that every CRI tool knows (crictl, cAdvisor, log shippers): containers are found again by them after a restart.
export const podNameLabel = "io.kubernetes.pod.name";
export const podNamespaceLabel = "io.kubernetes.pod.namespace";
export const podUidLabel = "io.kubernetes.pod.uid";
export const containerNameLabel = "io.kubernetes.container.name";
export const hashAnnotation = "io.kubernetes.container.hash";
export const restartCountAnnotation = "io.kubernetes.container.restartCount";
export const messagePathAnnotation = "io.kubernetes.container.terminationMessagePath";
export const messagePolicyAnnotation = "io.kubernetes.container.terminationMessagePolicy";
/** What a container was given, as the pod wrote it: told apart from what the pod asks for now (in-place resize). */
export const resourcesAnnotation = "steersman.dev/container.resources";
export const gracePeriodAnnotation = "io.kubernetes.pod.terminationGracePeriod";

export function podLabels(pod: Pod): Labels {
  return {
    ...pod.metadata.labels,
    [podNameLabel]: pod.metadata.name ?? "",
    [podNamespaceLabel]: pod.metadata.namespace ?? "",
    [podUidLabel]: pod.metadata.uid ?? "",
  };
}

export function containerLabels(pod: Pod, containerName: string): Labels {
  return {
    [podNameLabel]: pod.metadata.name ?? "",
    [podNamespaceLabel]: pod.metadata.namespace ?? "",
    [podUidLabel]: pod.metadata.uid ?? "",
    [containerNameLabel]: containerName,
  };
}

/** A pod is looked at many times; its containers are the same objects each time. */
const hashes = new WeakMap<Container | EphemeralContainer, string>();

/** Changes exactly when a running container no longer is what the pod asks for: name and image are all that may change. */
export function containerHash(container: Container | EphemeralContainer, crypto: Crypto): string {
  const known = hashes.get(container);
  if (known !== undefined) return known;
  const text = JSON.stringify([container.name, container.image ?? ""]);
  const hash = hex(crypto.sha256(new TextEncoder().encode(text)).subarray(0, 8));
  hashes.set(container, hash);
  return hash;
}

/** Where kubelet puts the logs of a pod; log shippers read the names. */
export function podLogDirectory(
  logRoot: string,
  pod: { readonly namespace: string; readonly name: string; readonly uid: string },
): string {
  return `${logRoot}/${pod.namespace}_${pod.name}_${pod.uid}`;
}
