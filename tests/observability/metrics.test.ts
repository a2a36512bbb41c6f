/** Metrics and autoscaling of a fresh cluster with real containers, seen with kubectl and Prometheus. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { renderHistoryConfig } from "#observability/history/config.ts";
import { makeImages } from "#tools/make-images.ts";
import { buildGoProgram } from "../cluster/go-client.ts";
import { isRoot, projectRoot, startRealCluster, type TestCluster } from "../cluster/harness.ts";
import { autoscaled, exposer, hostile, shop } from "./manifests.ts";
import type { Asked } from "./ask-ingress.ts";
import { documentedFamilies, isNamedIn, servedFamilies } from "./documented.ts";
import { readExposition } from "./exposition.ts";
import { eventually } from "../eventually.ts";

const skip = isRoot ? false : "real containers need root";
const history = "/apis/observability.steersman.dev/v1/histories/prometheus/proxy/api/v1";
let cluster: TestCluster;

before(async () => {
  if (!isRoot) return;
  const archives = await makeImages();
  cluster = startRealCluster();
  assert.equal(cluster.steer("image", "load", ...archives).code, 0);
  for (const manifest of [autoscaled, exposer, hostile, shop]) {
    const applied = cluster.tryKubectl(["apply", "-f", "-"], { input: manifest });
    assert.equal(applied.code, 0, applied.stderr);
  }
});

after(() => cluster?.remove());

function raw(path: string): string {
  return cluster.kubectl("get", "--raw", path);
}

async function query(expression: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
  const answer = JSON.parse(raw(`${history}/query?${new URLSearchParams({ query: expression }).toString()}`)) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return answer.data.result;
}

test("kubectl top shows nodes, and pods with their containers, sorted", { skip }, async () => {
  const running = (): string => cluster.kubectl("get", "pods", "-o", "name", "--field-selector=status.phase=Running");
  await eventually("the pods run", () => running().split("\n").length > 3);
  const [head = "", busiest = ""] = await eventually("something was measured", () => {
    const { code, stdout } = cluster.tryKubectl(["top", "pods", "--containers", "--sort-by=memory"]);
    return code === 0 && stdout.includes("exposer") && stdout.split("\n");
  });
  assert.match(head, /^POD +NAME +CPU\(cores\) +MEMORY\(bytes\)/);
  assert.match(busiest, /\d+m +\d+Mi/);
  assert.match(cluster.kubectl("top", "nodes"), /\d+m +\d+% +\d+Mi +\d+%/);
  assert.match(cluster.kubectl("get", "pods.metrics.k8s.io"), /^NAME +CPU +MEMORY +WINDOW/);
  assert.equal(cluster.kubectl("top", "pods", "-l", "app=exposer", "--no-headers").trim().split("\n").length, 1);
});

test("whoever may view a namespace may see what its pods use, and nobody else", { skip }, async () => {
  cluster.kubectl("create", "serviceaccount", "viewer");
  cluster.kubectl("create", "rolebinding", "viewer", "--clusterrole=view", "--serviceaccount=default:viewer");
  const as = "--as=system:serviceaccount:default:viewer";
  await eventually("the role view was aggregated", () => cluster.tryKubectl(["top", "pods", as]).code === 0);
  assert.match(cluster.tryKubectl(["top", "pods", "-n", "kube-system", as]).stderr, /forbidden/);
  assert.match(cluster.tryKubectl(["get", "--raw", `${history}/query?query=up`, as]).stderr, /[Ff]orbidden/);
  assert.match(cluster.tryKubectl(["get", "--raw", "/metrics", as]).stderr, /[Ff]orbidden/);
});

test("a load step has new pods ready within seconds, and the autoscaler says why", { skip }, async () => {
  const ready = (): number =>
    Number(cluster.kubectl("get", "deploy", "load", "-o", "jsonpath={.status.readyReplicas}"));
  await eventually("the autoscaler has a number", () =>
    /ValidMetricFound/.test(cluster.kubectl("describe", "hpa", "load")),
  );
  assert.equal(ready(), 1);
  cluster.kubectl("exec", "deploy/load", "--", "touch", "/tmp/go");
  await eventually("more pods are ready", () => ready() > 1);
  const described = cluster.kubectl("describe", "hpa", "load");
  assert.match(
    described,
    /SuccessfulRescale .*New size: \d; reason: cpu resource utilization \(percentage of request\) above target/,
  );
  assert.match(described, /AbleToScale +True/);
  assert.match(cluster.kubectl("get", "hpa", "load"), /cpu: \d+%\/50%/);
  const old = JSON.parse(raw("/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/load")) as Record<
    string,
    unknown
  >;
  assert.equal((old["spec"] as Record<string, unknown>)["targetCPUUtilizationPercentage"], 50);
  assert.ok(Number((old["status"] as Record<string, unknown>)["currentCPUUtilizationPercentage"]) > 50);
});

test(
  "no series stands on two endpoints, every page is well formed and has what docs/metrics.md names",
  { skip },
  () => {
    cluster.kubectl("exec", "exposer", "--", "nslookup", "kubernetes.default.svc.cluster.local");
    const documented = readFileSync(join(projectRoot, "docs/metrics.md"), "utf8");
    const seen = new Map<string, string>();
    for (const path of endpoints()) {
      const page = raw(path);
      const { series, names } = readExposition(page);
      for (const key of series.keys()) {
        // Two processes, two of each: their endpoints tell them apart.
        if (/^(process|nodejs)_/.test(key)) continue;
        assert.equal(seen.get(key), undefined, `${key} stands on ${path} and ${seen.get(key) ?? ""}`);
        seen.set(key, path);
      }
      if (path === "/metrics/kube-state")
        for (const name of names) assert.ok(isNamedIn(documented, name), `docs/metrics.md does not name ${name}`);
      else assertDocumented(path, page);
    }
    for (const [path, name] of relied) {
      const found = seen.keys().find((key) => key.startsWith(`${name}{`) && seen.get(key)?.endsWith(path));
      assert.notEqual(found, undefined, `${path} has no sample of ${name}`);
    }
  },
);

/** What the section of a page names is served there, and nothing else is. */
function assertDocumented(path: string, page: string): void {
  const [, ofAgent] = /\/proxy(\/.*)$/.exec(path) ?? [];
  const heading = ofAgent === undefined ? `Server: \`${path}\`` : `Agent: \`${ofAgent}\``;
  assert.deepEqual([...servedFamilies(page)].toSorted(), [...documentedFamilies(heading)].toSorted(), path);
}

function endpoints(): string[] {
  const [node = ""] = cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split(" ");
  const agent = ["/metrics", "/metrics/cadvisor", "/metrics/resource", "/metrics/probes"].map(
    (path) => `/api/v1/nodes/${node}/proxy${path}`,
  );
  return ["/metrics", "/metrics/resources", "/metrics/kube-state", ...agent];
}

/** Series that dashboards rely on and that every cluster has samples of, with the end of their endpoint's path. */
const relied: readonly (readonly [string, string])[] = [
  ["/metrics", "apiserver_request_total"],
  ["/metrics", "apiserver_request_sli_duration_seconds_bucket"],
  ["/metrics", "apiserver_longrunning_requests"],
  ["/metrics", "workqueue_queue_duration_seconds_bucket"],
  ["/metrics", "scheduler_scheduling_attempt_duration_seconds_bucket"],
  ["/metrics", "scheduler_pending_pods"],
  ["/metrics", "apiserver_storage_size_bytes"],
  ["/metrics", "apiserver_audit_event_total"],
  ["/metrics", "apiserver_client_certificate_expiration_seconds_bucket"],
  ["/metrics", "node_collector_zone_health"],
  ["/metrics/resources", "kube_pod_resource_request"],
  ["/metrics/kube-state", "kube_pod_info"],
  ["/metrics/kube-state", "kube_pod_container_resource_requests"],
  ["/metrics/kube-state", "kube_deployment_status_replicas_available"],
  ["/proxy/metrics", "kubelet_node_name"],
  ["/proxy/metrics", "kubelet_running_pods"],
  ["/proxy/metrics", "kubelet_started_pods_total"],
  ["/proxy/metrics", "kubelet_pod_start_duration_seconds_count"],
  ["/proxy/metrics", "kubelet_runtime_operations_duration_seconds_bucket"],
  ["/proxy/metrics", "rest_client_requests_total"],
  ["/proxy/metrics", "kubelet_pod_start_sli_duration_seconds_bucket"],
  ["/proxy/metrics", "kubelet_pleg_relist_duration_seconds_bucket"],
  ["/proxy/metrics", "kubelet_cgroup_manager_duration_seconds_bucket"],
  ["/proxy/metrics", "kubelet_certificate_manager_client_ttl_seconds"],
  ["/proxy/metrics", "kubelet_volume_stats_available_bytes"],
  ["/proxy/metrics", "volume_manager_total_volumes"],
  ["/proxy/metrics", "storage_operation_duration_seconds_count"],
  ["/proxy/metrics", "kubeproxy_sync_proxy_rules_duration_seconds_bucket"],
  ["/proxy/metrics", "kubeproxy_network_programming_duration_seconds_bucket"],
  ["/proxy/metrics", "coredns_dns_requests_total"],
  ["/proxy/metrics/cadvisor", "container_cpu_usage_seconds_total"],
  ["/proxy/metrics/cadvisor", "container_memory_rss"],
  ["/proxy/metrics/cadvisor", "container_cpu_cfs_periods_total"],
  ["/proxy/metrics/cadvisor", "container_network_receive_bytes_total"],
  ["/proxy/metrics/cadvisor", "container_memory_working_set_bytes"],
  ["/proxy/metrics/resource", "pod_memory_working_set_bytes"],
  ["/proxy/metrics/probes", "prober_probe_total"],
];

test("whoever may only pass requests on to a node may not read its metrics", { skip }, () => {
  cluster.kubectl("create", "serviceaccount", "proxier");
  cluster.kubectl("create", "clusterrole", "proxier", "--verb=get", "--resource=nodes/proxy");
  cluster.kubectl(
    "create",
    "clusterrolebinding",
    "proxier",
    "--clusterrole=proxier",
    "--serviceaccount=default:proxier",
  );
  const token = cluster.kubectl("create", "token", "proxier").trim();
  const [node = ""] = cluster.kubectl("get", "nodes", "-o", "name").trim().split("\n");
  const where = "{.status.addresses[0].address}:{.status.daemonEndpoints.kubeletEndpoint.Port}";
  const agent = cluster.kubectl("get", node, "-o", `jsonpath=${where}`);
  const status = (path: string): string => {
    const args = ["-sk", "-o", "/dev/null", "-w", "%{http_code}", "-H", `Authorization: Bearer ${token}`];
    return cluster.run("curl", [...args, `https://${agent}${path}`]).stdout;
  };
  assert.equal(status("/pods"), "200");
  for (const path of ["/metrics", "/metrics/cadvisor", "/metrics/probes", "/stats/summary"])
    assert.equal(status(path), "403", path);
});

function askShop(count: number): Asked[] {
  const [address = ""] = cluster
    .kubectl("get", "nodes", "-o", 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}')
    .split(" ");
  const script = join(import.meta.dirname, "ask-ingress.ts");
  const { stdout, stderr } = cluster.run(process.execPath, [script, address, "shop.example", String(count)]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as Asked[];
}

test(
  "golden signals of a Service come from the ingress, by version, and Prometheus computes with them",
  { skip },
  async () => {
    await eventually("the ingress serves it", () => askShop(1)[0]?.status === 200);
    const [bucket, labels] = [
      "steersman_traffic_request_duration_seconds_bucket",
      'service="shop",ingress="front",version="1.4"',
    ];
    const slowest = await eventually("two scrapes with requests between them are known", async () => {
      askShop(20);
      const [found] = await query(`histogram_quantile(0.9, sum by (le, version) (rate(${bucket}{${labels}}[2m])))`);
      const value = Number(found?.value[1]);
      return value > 0 && { value, version: found?.metric["version"] };
    });
    assert.equal(slowest.version, "1.4");
    assert.ok(slowest.value < 30, `${slowest.value} s`);
    const [rate] = await query(`sum(rate(steersman_traffic_requests_total{${labels},code="2xx"}[2m]))`);
    assert.ok(Number(rate?.value[1]) > 0);
    const [users] = await query(`steersman_traffic_users{${labels}}`);
    assert.equal(users?.value[1], "1", "all came from one address");
    assert.match(cluster.kubectl("get", "serviceusers", "shop"), /^NAME +USERS +NODES +MISSING\nshop +1 +1 +0/);
  },
);

test("a client cannot invent label values", { skip }, () => {
  for (const path of [
    "/apis/invented.example/v1/inventions",
    "/invented",
    "/api/v1/invented",
    "/api/v1/pods/x/invented",
  ]) {
    assert.notEqual(cluster.tryKubectl(["get", "--raw", path]).code, 0);
  }
  cluster.tryKubectl(["get", "--raw", "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/invented_metric"]);
  cluster.run("curl", [
    "-sk",
    "-H",
    "Host: invented.example",
    "-A",
    "invented",
    `https://127.0.0.1/invented?invented=1`,
  ]);
  for (const path of endpoints()) assert.doesNotMatch(raw(path), /invent/, path);
});

test(
  "Prometheus finds the server, the agents and annotated pods by itself; a hostile pod harms nobody",
  { skip },
  async () => {
    const up = await eventually("all targets were scraped", async () => {
      const found = await query("up");
      const pods = new Set(found.map(({ metric }) => metric["pod"]));
      return found.length >= 6 && pods.has("exposer") && pods.has("hostile") && found;
    });
    const of = (job: string, pod?: string): string | undefined =>
      up.find(({ metric }) => metric["job"] === job && (pod === undefined || metric["pod"] === pod))?.value[1];
    assert.deepEqual(
      ["apiserver", "kube-state-metrics", "kubelet", "cadvisor"].map((job) => of(job)),
      ["1", "1", "1", "1"],
    );
    assert.equal(of("pods", "exposer"), "1");
    assert.equal(of("pods", "hostile"), "0");
    const [pods] = await query('count(container_memory_working_set_bytes{namespace="default"})');
    assert.ok(Number(pods?.value[1]) >= 3);
  },
);

/** `JOB URL LABEL=VALUE…` of everything that the history scrapes now, as the program in tests/clients/prometheus tells it. */
function scrapedTargets(): string[] {
  interface Target {
    readonly scrapePool: string;
    readonly scrapeUrl: string;
    readonly labels: Readonly<Record<string, string>>;
  }
  const { data } = JSON.parse(raw(`${history}/targets?state=active`)) as { data: { activeTargets: Target[] } };
  return data.activeTargets.map(({ scrapePool, scrapeUrl, labels }) => {
    // Where nothing else is said an instance is named after its address.
    const { host } = new URL(scrapeUrl);
    const own = Object.entries(labels).filter(
      ([name, value]) => name !== "job" && !(name === "instance" && value === host),
    );
    return [scrapePool, scrapeUrl, ...own.map(([name, value]) => `${name}=${value}`).toSorted()].join(" ");
  });
}

test(
  "Prometheus' own Kubernetes discovery finds the same targets as Debian's build, which lacks it",
  { skip },
  async (context) => {
    const built = buildGoProgram("prometheus");
    if ("missing" in built) return context.skip(built.missing);
    const folder = join(cluster.dataDir, "prometheus");
    const [server = ""] = /https:\/\/[\d.]+:\d+/.exec(readFileSync(join(folder, "prometheus.yml"), "utf8")) ?? [];
    const [caFile, tokenFile] = [join(cluster.dataDir, "pki/ca.crt"), join(folder, "token")];
    const discovers = (config: string, expected: readonly string[]): void => {
      const file = join(folder, "kubernetes.yml");
      writeFileSync(file, config);
      const { code, stdout, stderr } = cluster.run(built.program, [file], `${expected.join("\n")}\n`);
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /ok all\n$/);
    };
    const scraped = await eventually("the annotated pods are found", () => {
      const found = scrapedTargets();
      return ["exposer", "hostile"].every((pod) => found.some((line) => line.includes(` pod=${pod}`))) && found;
    });
    discovers(renderHistoryConfig({ server, caFile, tokenFile, discovery: "kubernetes" }), scraped);
    const [, shown = ""] = /```yaml\n([^`]*)```/.exec(readFileSync(join(projectRoot, "docs/metrics.md"), "utf8")) ?? [];
    const written = shown
      .replaceAll("https://SERVER:PORT", server)
      .replaceAll(/\bTOKEN\b/g, tokenFile)
      .replaceAll(/\bCA\b/g, caFile);
    const jobs = scraped
      .filter((line) => /^(kubelet|apiserver) /.test(line))
      .map((line) => line.replace(/ node=\S+/, ""));
    discovers(written, jobs);
  },
);

test("custom and external metrics answer from the history, and autoscalers use them", { skip }, async () => {
  const rate = await eventually("a rate is known", () => {
    const { code, stdout } = cluster.tryKubectl([
      "get",
      "--raw",
      "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/http_requests_per_second?labelSelector=app%3Dexposer",
    ]);
    return code === 0 && (JSON.parse(stdout) as { items: { describedObject: { name: string }; value: string }[] });
  });
  assert.equal(rate.items[0]?.describedObject.name, "exposer");
  const external = JSON.parse(raw("/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue_length")) as {
    items: { value: string }[];
  };
  assert.equal(external.items[0]?.value, "30");
  const other = JSON.parse(raw("/apis/external.metrics.k8s.io/v1beta1/namespaces/kube-system/queue_length")) as {
    items: unknown[];
  };
  assert.deepEqual(other.items, [], "another namespace does not see it");
  await eventually("the autoscaler on the queue has scaled", () => {
    return cluster.kubectl("get", "deploy", "worker", "-o", "jsonpath={.spec.replicas}") === "3";
  });
});

test("top and advise show the same, for people and for scripts", { skip }, () => {
  const top = cluster.steer("top");
  assert.equal(top.code, 0, top.stderr);
  assert.match(top.stdout, /deployment\/load/);
  assert.match(top.stdout, /used \(\d+ %\), .* asked for/);
  const advice = JSON.parse(cluster.steer("advise", "--window", "10m", "-o", "json").stdout) as {
    workloads: { workload: string; containers: { advised?: { cpu: string } }[] }[];
    cluster: { nodesNow: number };
  };
  assert.equal(advice.cluster.nodesNow, 1);
  const load = advice.workloads.find(({ workload }) => workload === "deployment/load");
  assert.match(load?.containers[0]?.advised?.cpu ?? "", /^[1-9]\d*m$/);
});

test("the same data is an API: for kubectl, and for whoever may view the namespace", { skip }, () => {
  const mayView = ["--as=viewer", "--as-group=viewers"];
  cluster.kubectl("create", "rolebinding", "viewers", "--clusterrole=view", "--group=viewers");
  const usage = cluster.kubectl("get", "workloadusages", "deployment.load", ...mayView);
  assert.match(usage, /^NAME +PODS +CPU +CPU ASKED +MEMORY +MEMORY ASKED\ndeployment\.load +\d+ +\d+m /);
  assert.match(cluster.kubectl("get", "workloadadvices", ...mayView), /deployment\.load +\d+ +\S+: \d+m, \d+Ki/);
  assert.equal(
    cluster.tryKubectl(["get", "workloadusages", "-A", ...mayView]).code,
    1,
    "other namespaces are not shown",
  );
  const loss = cluster.kubectl("get", "clusteradvices", "cluster", "-o", "jsonpath={.nodesNow} {.worstNodeLoss.node}");
  assert.match(loss, /^1 \S+$/);
  assert.match(cluster.kubectl("get", "nodeusages"), /CPU ASKED/);
  const missing = cluster.tryKubectl(["get", "workloadusages", "deployment.nobody"]);
  assert.match(missing.stderr, /workloadusages\.observability\.steersman\.dev "deployment\.nobody" not found/);
});
