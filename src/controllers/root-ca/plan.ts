import { configmaps, namespaces } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Plan } from "#reconcile/controller.ts";
import { referenceOf } from "../ownership.ts";
import { rootCaName, type ConfigMapView, type NamespaceView } from "../views/namespace.ts";

const resource = configmaps as Resource<unknown>;

/** Every namespace has the certificate authority that pods check the API server with. */
export function planRootCa(
  namespace: NamespaceView,
  current: ConfigMapView | undefined,
  certificate: string,
): Plan | undefined {
  if (namespace.deletionMs !== undefined || namespace.phase === "Terminating") return undefined;
  const because = referenceOf(namespaces as Resource<unknown>, namespace);
  const data = { "ca.crt": certificate };
  if (current === undefined) {
    const annotations = {
      "kubernetes.io/description":
        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service " +
        "IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
    };
    const metadata = { name: rootCaName, namespace: namespace.name, annotations };
    const reason = `namespace ${namespace.name} has no ConfigMap ${rootCaName}`;
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data };
    return {
      because,
      actions: [{ verb: "create", resource, namespace: namespace.name, object, existingIsFine: true, reason }],
    };
  }
  if (current.rootCa === certificate) return undefined;
  const patch = { metadata: { uid: current.uid }, data };
  const reason = `ConfigMap ${rootCaName} does not hold the cluster's certificate authority`;
  return {
    because,
    actions: [{ verb: "patch", resource, namespace: namespace.name, name: rootCaName, type: "merge", patch, reason }],
  };
}
