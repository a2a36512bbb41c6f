/** What the rules, alerts and dashboards of kubernetes-mixin ask for is served, or docs/metrics.md says why not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../cluster/harness.ts";
import { documentedFamilies, isNamedIn } from "./documented.ts";

/** Names alone, by who tells them upstream; without those of Windows' exporter and what the mixin's own rules record. */
const asked: Readonly<Record<string, string>> = {
  apiserver: `apiserver_client_certificate_expiration_seconds apiserver_request_sli_duration_seconds
    apiserver_request_slo_duration_seconds apiserver_request_terminations_total apiserver_request_total
    aggregator_unavailable_apiservice aggregator_unavailable_apiservice_total kubernetes_build_info
    workqueue_adds_total workqueue_depth workqueue_queue_duration_seconds`,
  everyProcess: `go_goroutines process_cpu_seconds_total process_resident_memory_bytes rest_client_request_duration_seconds
    rest_client_requests_total`,
  scheduler: `scheduler_binding_duration_seconds scheduler_e2e_scheduling_duration_seconds
    scheduler_scheduling_algorithm_duration_seconds scheduler_scheduling_attempt_duration_seconds
    scheduler_volume_scheduling_duration_seconds`,
  kubelet: `kubelet_certificate_manager_client_expiration_renew_errors kubelet_certificate_manager_client_ttl_seconds
    kubelet_certificate_manager_server_ttl_seconds kubelet_cgroup_manager_duration_seconds kubelet_evictions
    kubelet_node_config_error kubelet_node_name kubelet_pleg_relist_duration_seconds kubelet_pleg_relist_interval_seconds
    kubelet_pod_start_duration_seconds kubelet_pod_worker_duration_seconds kubelet_running_containers kubelet_running_pods
    kubelet_runtime_operations_duration_seconds kubelet_runtime_operations_errors_total kubelet_runtime_operations_total
    kubelet_server_expiration_renew_errors kubelet_volume_stats_available_bytes kubelet_volume_stats_capacity_bytes
    kubelet_volume_stats_inodes kubelet_volume_stats_inodes_free kubelet_volume_stats_inodes_used
    kubelet_volume_stats_used_bytes storage_operation_duration_seconds storage_operation_errors_total
    volume_manager_total_volumes`,
  proxy: `kubeproxy_network_programming_duration_seconds kubeproxy_sync_proxy_rules_duration_seconds`,
  cadvisor: `container_cpu_cfs_periods_total container_cpu_cfs_throttled_periods_total
    container_cpu_cfs_throttled_seconds_total container_cpu_usage_seconds_total container_fs_reads_bytes_total
    container_fs_reads_total container_fs_writes_bytes_total container_fs_writes_total container_memory_cache
    container_memory_rss container_memory_swap container_memory_working_set_bytes
    container_network_receive_bytes_total container_network_receive_packets_dropped_total
    container_network_receive_packets_total container_network_transmit_bytes_total
    container_network_transmit_packets_dropped_total container_network_transmit_packets_total`,
  kubeState: `kube_daemonset_status_current_number_scheduled kube_daemonset_status_desired_number_scheduled
    kube_daemonset_status_number_available kube_daemonset_status_number_misscheduled
    kube_daemonset_status_updated_number_scheduled kube_deployment_metadata_generation kube_deployment_spec_replicas
    kube_deployment_status_observed_generation kube_deployment_status_condition kube_deployment_status_replicas_available
    kube_deployment_status_replicas_updated kube_horizontalpodautoscaler_spec_max_replicas
    kube_horizontalpodautoscaler_spec_min_replicas kube_horizontalpodautoscaler_status_current_replicas
    kube_horizontalpodautoscaler_status_desired_replicas kube_job_failed kube_job_status_active
    kube_job_status_start_time kube_namespace_status_phase kube_node_info kube_node_spec_taint
    kube_node_spec_unschedulable kube_node_status_allocatable kube_node_status_capacity kube_node_status_condition
    kube_persistentvolume_status_phase kube_persistentvolumeclaim_access_mode kube_persistentvolumeclaim_labels
    kube_pod_container_resource_limits kube_pod_container_resource_requests kube_pod_container_status_last_terminated_reason
    kube_pod_container_status_restarts_total kube_pod_container_status_waiting_reason kube_pod_info kube_pod_owner
    kube_pod_status_phase kube_pod_status_reason kube_poddisruptionbudget_status_current_healthy
    kube_poddisruptionbudget_status_desired_healthy kube_replicaset_owner kube_resourcequota
    kube_statefulset_metadata_generation kube_statefulset_replicas kube_statefulset_status_current_revision
    kube_statefulset_status_observed_generation kube_statefulset_status_replicas kube_statefulset_status_replicas_ready
    kube_statefulset_status_replicas_updated kube_statefulset_status_update_revision`,
  machine: `machine_memory_bytes node_cpu_seconds_total node_memory_Buffers_bytes node_memory_Cached_bytes
    node_memory_MemAvailable_bytes node_memory_MemFree_bytes node_memory_MemTotal_bytes node_memory_Slab_bytes`,
};

const heading = "What kubernetes-mixin asks for";

test("every series that kubernetes-mixin asks for is served, or the document says why not", (context) => {
  const whole = readFileSync(join(projectRoot, "docs/metrics.md"), "utf8");
  const [before = "", rest = ""] = whole.split(`\n## ${heading}\n`);
  const served = before + rest.slice(rest.indexOf("\n## "));
  const names = Object.values(asked).flatMap((text) => text.split(/\s+/));
  const missing = names.filter((name) => !isNamedIn(served, name));
  context.diagnostic(`not served: ${missing.join(" ")}`);
  assert.deepEqual(missing.toSorted(), [...documentedFamilies(heading)].toSorted());
});
