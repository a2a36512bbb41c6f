export interface HistoryConfig {
  /** `https://192.168.0.1:6443`. */
  readonly server: string;
  readonly caFile: string;
  /** Holds the token of Prometheus' own service account; read again at each use. */
  readonly tokenFile: string;
  /** Debian's build of Prometheus has no Kubernetes discovery: it asks the server for the same targets over HTTP. */
  readonly discovery: "kubernetes" | "http";
}

const intervalSeconds = 15;
const timeoutSeconds = 5;
/**
 * What a hostile pod can cost: bytes and series of a scrape, labels of a series, their lengths, targets of a job. When something was is
 * the scrape's business: a pod's clock may be anything.
 */
const bounds = `    body_size_limit: 8MB
    sample_limit: 10000
    label_limit: 60
    label_name_length_limit: 200
    label_value_length_limit: 1000
    target_limit: 2000
    honor_timestamps: false`;

/**
 * Prometheus' configuration: everything is found by its own discovery against our API. Pods and Services ask to be
 * scraped with the annotations prometheus.io/scrape, /path, /port and /scheme.
 */
export function renderHistoryConfig(config: HistoryConfig): string {
  return `global:
  scrape_interval: ${intervalSeconds}s
  scrape_timeout: ${timeoutSeconds}s
scrape_configs:
${serverJob(config, "apiserver", "/metrics", false)}
${serverJob(config, "kube-state-metrics", "/metrics/kube-state", true)}
${nodeJob(config, "kubelet", "/metrics")}
${nodeJob(config, "cadvisor", "/metrics/cadvisor")}
${nodeJob(config, "probes", "/metrics/probes")}
${annotatedJob(config, "pods", "pod", "pod")}
${annotatedJob(config, "services", "endpointslice", "service")}
`;
}

/** TLS of web.yml: only who holds a client certificate of the cluster may ask. */
export function renderHistoryWeb(files: {
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
}): string {
  return `tls_server_config:
  cert_file: ${files.certificate}
  key_file: ${files.key}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ${files.ca}
`;
}

function access({ caFile, tokenFile }: HistoryConfig, indent: string): string {
  return `${indent}authorization:
${indent}  type: Bearer
${indent}  credentials_file: ${tokenFile}
${indent}tls_config:
${indent}  ca_file: ${caFile}`;
}

function discovery(config: HistoryConfig, role: string): string {
  if (config.discovery === "http") {
    return `    http_sd_configs:
      - url: ${config.server}/metrics/targets/${role}
        refresh_interval: ${intervalSeconds}s
${access(config, "        ")}`;
  }
  return `    kubernetes_sd_configs:
      - role: ${role}
        api_server: ${config.server}
${access(config, "        ")}`;
}

function serverJob(config: HistoryConfig, name: string, path: string, honorLabels: boolean): string {
  return `  - job_name: ${name}
    scheme: https
    metrics_path: ${path}
    honor_labels: ${honorLabels}
${access(config, "    ")}
${discovery(config, "endpointslice")}
    relabel_configs:
      - source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_service_name, __meta_kubernetes_endpointslice_port_name]
        regex: default;kubernetes;https
        action: keep`;
}

function nodeJob(config: HistoryConfig, name: string, path: string): string {
  return `  - job_name: ${name}
    scheme: https
    metrics_path: ${path}
    honor_labels: ${name === "cadvisor" || name === "probes"}
    honor_timestamps: false
${access(config, "    ")}
${discovery(config, "node")}
    relabel_configs:
      - source_labels: [__meta_kubernetes_node_name]
        target_label: node`;
}

function annotatedJob(config: HistoryConfig, name: string, role: string, kind: "pod" | "service"): string {
  const annotation = `__meta_kubernetes_${kind}_annotation_prometheus_io`;
  // A pod has a target for each of its ports: only the one that the annotation names is kept, or the first when it names none.
  return `  - job_name: ${name}
${discovery(config, role)}
${bounds}
    relabel_configs:
      - source_labels: [${annotation}_scrape]
        regex: "true"
        action: keep
      - source_labels: [__meta_kubernetes_pod_phase]
        regex: Failed|Succeeded
        action: drop
      - source_labels: [${annotation}_scheme]
        regex: (https?)
        target_label: __scheme__
      - source_labels: [${annotation}_path]
        regex: (/.*)
        target_label: __metrics_path__
      - source_labels: [__address__, ${annotation}_port]
        regex: ([^:]+)(?::\\d+)?;(\\d+)
        replacement: $1:$2
        target_label: __address__
      - source_labels: [__meta_kubernetes_namespace]
        target_label: namespace
      - source_labels: [__meta_kubernetes_service_name]
        target_label: service
      - source_labels: [__meta_kubernetes_pod_name]
        target_label: pod
      - source_labels: [__meta_kubernetes_pod_node_name]
        target_label: node
      - source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_version, __meta_kubernetes_pod_label_version]
        regex: (.*);(.*)
        replacement: $1$2
        target_label: version`;
}

/** Files of the history below its folder. */
export function historyFiles(folder: string): {
  readonly config: string;
  readonly web: string;
  readonly token: string;
  readonly data: string;
} {
  return {
    config: `${folder}/prometheus.yml`,
    web: `${folder}/web.yml`,
    token: `${folder}/token`,
    data: `${folder}/data`,
  };
}

/** Prometheus' arguments: data below the data dir, bounded in time and bytes, on loopback only. */
export function historyArguments(folder: string, port: number): readonly string[] {
  const files = historyFiles(folder);
  return [
    `--config.file=${files.config}`,
    `--web.config.file=${files.web}`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--storage.tsdb.path=${files.data}`,
    "--storage.tsdb.retention.time=15d",
    "--storage.tsdb.retention.size=1GB",
    "--query.timeout=30s",
    "--query.max-samples=5000000",
    "--query.max-concurrency=8",
    "--log.level=warn",
  ];
}
