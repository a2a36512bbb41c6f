/** The state of all objects as kube-state-metrics tells it: its stable series, on a simulated cluster with objects of each kind. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startSimulatedCluster, type TestCluster } from "../cluster/harness.ts";
import { readExposition } from "./exposition.ts";
import { eventually } from "../eventually.ts";

/**
 * Stable series of kube-state-metrics 2 by their beginning, each with its labels; `+` are those of the object itself. Not among them:
 * `_labels` (by default it shows none), and what only cloud volumes have.
 */
const stable: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "kube_pod namespace pod uid": {
    info: "+ host_ip pod_ip node created_by_kind created_by_name priority_class host_network",
    created: "+",
    start_time: "+",
    owner: "+ owner_kind owner_name owner_is_controller",
    restart_policy: "+ type",
    status_phase: "+ phase",
    status_ready: "+ condition",
    status_scheduled: "+ condition",
    status_scheduled_time: "+",
    container_info: "+ container image",
    container_state_started: "+ container",
    container_status_ready: "+ container",
    container_status_restarts_total: "+ container",
    container_status_running: "+ container",
    container_status_terminated: "+ container",
    container_status_waiting: "+ container",
  },
  "kube_deployment namespace deployment": {
    created: "+",
    metadata_generation: "+",
    spec_paused: "+",
    spec_replicas: "+",
    spec_strategy_rollingupdate_max_surge: "+",
    spec_strategy_rollingupdate_max_unavailable: "+",
    status_condition: "+ condition status",
    status_observed_generation: "+",
    status_replicas: "+",
    status_replicas_available: "+",
    status_replicas_ready: "+",
    status_replicas_unavailable: "+",
    status_replicas_updated: "+",
  },
  "kube_replicaset namespace replicaset": {
    created: "+",
    metadata_generation: "+",
    owner: "+ owner_kind owner_name owner_is_controller",
    spec_replicas: "+",
    status_fully_labeled_replicas: "+",
    status_observed_generation: "+",
    status_ready_replicas: "+",
    status_replicas: "+",
  },
  "kube_replicationcontroller namespace replicationcontroller": {
    created: "+",
    metadata_generation: "+",
    spec_replicas: "+",
    status_available_replicas: "+",
    status_fully_labeled_replicas: "+",
    status_observed_generation: "+",
    status_ready_replicas: "+",
    status_replicas: "+",
  },
  "kube_statefulset namespace statefulset": {
    created: "+",
    metadata_generation: "+",
    replicas: "+",
    status_current_revision: "+ revision",
    status_observed_generation: "+",
    status_replicas: "+",
    status_replicas_current: "+",
    status_replicas_ready: "+",
    status_replicas_updated: "+",
    status_update_revision: "+ revision",
  },
  "kube_daemonset namespace daemonset": {
    created: "+",
    metadata_generation: "+",
    status_current_number_scheduled: "+",
    status_desired_number_scheduled: "+",
    status_number_available: "+",
    status_number_misscheduled: "+",
    status_number_ready: "+",
    status_number_unavailable: "+",
    status_observed_generation: "+",
    status_updated_number_scheduled: "+",
  },
  "kube_job namespace job_name": {
    created: "+",
    info: "+",
    owner: "+ owner_kind owner_name owner_is_controller",
    spec_completions: "+",
    spec_parallelism: "+",
    status_active: "+",
    status_failed: "+",
    status_start_time: "+",
    status_succeeded: "+",
  },
  "kube_cronjob namespace cronjob": {
    created: "+",
    info: "+ schedule concurrency_policy",
    metadata_resource_version: "+",
    next_schedule_time: "+",
    spec_suspend: "+",
    status_active: "+",
  },
  "kube_horizontalpodautoscaler namespace horizontalpodautoscaler": {
    metadata_generation: "+",
    spec_max_replicas: "+",
    spec_min_replicas: "+",
    status_condition: "+ condition status",
    status_current_replicas: "+",
    status_desired_replicas: "+",
  },
  "kube_poddisruptionbudget namespace poddisruptionbudget": {
    created: "+",
    status_current_healthy: "+",
    status_desired_healthy: "+",
    status_expected_pods: "+",
    status_observed_generation: "+",
    status_pod_disruptions_allowed: "+",
  },
  "kube_node node": {
    info:
      "+ kernel_version os_image container_runtime_version kubelet_version kubeproxy_version provider_id pod_cidr system_uuid " +
      "internal_ip",
    created: "+",
    spec_unschedulable: "+",
    status_allocatable: "+ resource unit",
    status_capacity: "+ resource unit",
    status_condition: "+ condition status",
  },
  "kube_namespace namespace": { created: "+", status_phase: "+ phase" },
  "kube_service namespace service uid": {
    created: "+",
    info: "+ cluster_ip external_name load_balancer_ip",
    spec_type: "+ type",
  },
  "kube_endpoint namespace endpoint": { created: "+", info: "+", ports: "+ port_name port_protocol port_number" },
  "kube_ingress namespace ingress": {
    created: "+",
    info: "+ ingressclass",
    path: "+ host path service_name service_port",
  },
  "kube_resourcequota namespace resourcequota": { created: "+", "": "+ resource type" },
  "kube_limitrange namespace limitrange": { created: "+", "": "+ resource type constraint" },
  "kube_configmap namespace configmap": { created: "+", info: "+" },
  "kube_secret namespace secret": { created: "+", info: "+", type: "+ type" },
  "kube_storageclass storageclass": { created: "+", info: "+ provisioner reclaim_policy volume_binding_mode" },
  "kube_persistentvolume persistentvolume": {
    capacity_bytes: "+",
    info: "+ storageclass csi_driver csi_volume_handle nfs_server nfs_path local_path local_fs host_path host_path_type",
    status_phase: "+ phase",
  },
  "kube_persistentvolumeclaim namespace persistentvolumeclaim": {
    access_mode: "+ access_mode",
    info: "+ storageclass volumename",
    resource_requests_storage_bytes: "+",
    status_phase: "+ phase",
  },
  "kube_certificatesigningrequest certificatesigningrequest signer_name": {
    cert_length: "+",
    condition: "+ condition",
    created: "+",
  },
};

const container = `{name: main, image: "local/a:1", resources: {requests: {cpu: 10m}}}`;
const template = `{metadata: {labels: {app: a}}, spec: {containers: [${container}]}}`;
const job = `{template: {spec: {restartPolicy: Never, containers: [${container}]}}}`;
const one = (apiVersion: string, kind: string, name: string, more: string): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: "${name}"}\n${more}\n`;
const workload = `selector: {matchLabels: {app: a}}, template: ${template}`;
const manifests = [
  one("apps/v1", "Deployment", "a", `spec: {replicas: 1, ${workload}}`),
  one("v1", "ReplicationController", "b", `spec: {replicas: 0, selector: {app: a}, template: ${template}}`),
  one("apps/v1", "StatefulSet", "c", `spec: {serviceName: a, ${workload}}`),
  one("apps/v1", "DaemonSet", "d", `spec: {${workload}}`),
  one("batch/v1", "Job", "e", `spec: ${job}`),
  one("batch/v1", "CronJob", "f", `spec: {schedule: "0 5 1 1 *", jobTemplate: {spec: ${job}}}`),
  one(
    "autoscaling/v1",
    "HorizontalPodAutoscaler",
    "g",
    "spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}, targetCPUUtilizationPercentage: 50}",
  ),
  one("policy/v1", "PodDisruptionBudget", "h", "spec: {minAvailable: 1, selector: {matchLabels: {app: a}}}"),
  one("v1", "Service", "a", "spec: {selector: {app: a}, ports: [{port: 80}]}"),
  one(
    "networking.k8s.io/v1",
    "Ingress",
    "i",
    "spec: {rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]}",
  ),
  one("v1", "ResourceQuota", "j", "spec: {hard: {pods: 50}}"),
  one("v1", "LimitRange", "k", "spec: {limits: [{type: Container, default: {memory: 1Gi}}]}"),
  one("v1", "Secret", "l", "type: Opaque\nstringData: {a: b}"),
  one("storage.k8s.io/v1", "StorageClass", "m", "provisioner: example.com/none"),
  one(
    "v1",
    "PersistentVolume",
    "n",
    "spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /var/empty}}",
  ),
  one(
    "v1",
    "PersistentVolumeClaim",
    "o",
    "spec: {storageClassName: m, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
  ),
].join("---\n");

let cluster: TestCluster;

before(() => {
  cluster = startSimulatedCluster(1);
});

after(() => cluster?.remove());

/** Names of labels by series. */
function labelsOf(page: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const key of readExposition(page).series.keys()) {
    const [, name = "", labels = ""] = /^([^{]+)\{(.*)\}$/.exec(key) ?? [];
    const names = [...labels.matchAll(/([a-z_]+)="(?:[^"\\]|\\.)*"/g)].map(([, label = ""]) => label);
    found.set(name, new Set([...(found.get(name) ?? []), ...names]));
  }
  return found;
}

test("the stable series of kube-state-metrics are there with their labels", async () => {
  const applied = cluster.tryKubectl(["apply", "-f", "-"], { input: manifests });
  assert.equal(applied.code, 0, applied.stderr);
  const keys = cluster.run(
    "openssl",
    "req -new -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=somebody".split(" "),
  );
  const request = Buffer.from(keys.stdout).toString("base64");
  const asked = one(
    "certificates.k8s.io/v1",
    "CertificateSigningRequest",
    "p",
    `spec: {request: ${request}, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}`,
  );
  assert.equal(cluster.tryKubectl(["apply", "-f", "-"], { input: asked }).code, 0);
  const wanted = Object.entries(stable).flatMap(([beginning, series]) => {
    const [prefix = "", ...own] = beginning.split(" ");
    return Object.entries(series).map(([ending, labels]) => {
      const names = labels.split(" ").flatMap((label) => (label === "+" ? own : [label]));
      return { name: ending === "" ? prefix : `${prefix}_${ending}`, names };
    });
  });
  assert.ok(wanted.length > 100);
  let missing: string[] = [];
  const look = (): boolean => {
    const found = labelsOf(cluster.kubectl("get", "--raw", "/metrics/kube-state"));
    missing = wanted.flatMap(({ name, names }) => {
      const present = found.get(name);
      return present === undefined
        ? [name]
        : names.filter((label) => !present.has(label)).map((label) => `${name}{${label}}`);
    });
    return missing.length === 0;
  };
  await eventually("all series are there", look).catch((error: unknown) => {
    throw new Error(`missing: ${missing.join(", ")}`, { cause: error });
  });
});
