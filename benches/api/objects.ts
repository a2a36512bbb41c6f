import type { ApiObject } from "#api/kind.ts";

/** A pod of 3.5 KB as clients send it. It is held back by a gate: no loop does anything for it. */
export function pod(name: string): Record<string, unknown> {
  const env = Array.from({ length: 20 }, (_, index) => ({
    name: `VARIABLE_${index}`,
    value: `value-${index}`.padEnd(40, "x"),
  }));
  const resources = { requests: { cpu: "100m", memory: "64Mi" } };
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name, labels: { app: "web", tier: "front" } },
    spec: {
      schedulingGates: [{ name: "bench/held" }],
      containers: [{ name: "main", image: "registry.example/app:1", env, resources }],
    },
  };
}

/** A pod as it is stored, about 3.5 KB with its managedFields. */
export function storedPod(index: number, namespace: string): ApiObject {
  const given = pod(`pod-${String(index).padStart(6, "0")}`) as ApiObject & { spec: Record<string, unknown> };
  const spec = {
    ...given.spec,
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    serviceAccountName: "default",
    serviceAccount: "default",
    securityContext: {},
    schedulerName: "default-scheduler",
    enableServiceLinks: true,
    preemptionPolicy: "PreemptLowerPriority",
    priority: 0,
  };
  const owned = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`k:{"name":"VARIABLE_${i}"}`, { ".": {}, "f:name": {}, "f:value": {} }]),
  );
  const fieldsV1 = {
    "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
    "f:spec": { "f:env": { ".": {}, ...owned } },
  };
  const entry = { manager: "bench", operation: "Update", apiVersion: "v1", fieldsType: "FieldsV1", fieldsV1 };
  const labels = { app: `app-${index % 500}`, tier: "front" };
  const metadata = { ...given.metadata, namespace, labels, generation: 1, managedFields: [entry] };
  return { kind: "Pod", apiVersion: "v1", metadata, spec, status: { phase: "Pending", qosClass: "Burstable" } };
}

/** 1 KB. */
export function storedConfigMap(index: number, namespace: string): ApiObject {
  const labels = { app: `app-${index % 500}`, serial: String(index) };
  const metadata = { name: `map-${String(index).padStart(6, "0")}`, namespace, labels };
  return { kind: "ConfigMap", apiVersion: "v1", metadata, data: { text: "x".repeat(700) } };
}
