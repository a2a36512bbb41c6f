import { clusterrolebindings, clusterroles, serviceaccounts } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import {
  historyArguments,
  historyFiles,
  renderHistoryConfig,
  renderHistoryWeb,
} from "#observability/history/config.ts";
import type { Timer, Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import type { Processes } from "#world/processes.ts";
import { clusterPaths, type ClusterSettings } from "./settings.ts";

const account = "prometheus";
const namespace = "kube-system";
const role = "system:steersman:prometheus";
/** How long a token of Prometheus' service account is good, and when the next is made. */
const tokenSeconds = 86_400;
const renewMs = 8 * 3_600_000;
const retryMs = 5_000;

const prometheusProgram = "/usr/bin/prometheus";
const checkProgram = "/usr/bin/promtool";

/** Folder of the history below the data dir. */
function historyFolder(dataDir: string): string {
  return `${dataDir}/prometheus`;
}

/** Writes Prometheus' configuration; answers the command that runs it, or undefined where the cluster keeps no history. */
export async function prepareHistory(
  { disk, processes }: { readonly disk: Disk; readonly processes: Processes },
  dataDir: string,
  settings: ClusterSettings,
): Promise<readonly string[] | undefined> {
  const { historyPort, serverAddress, apiPort } = settings;
  if (historyPort === undefined) return undefined;
  const folder = historyFolder(dataDir);
  const files = historyFiles(folder);
  const { pki } = clusterPaths(dataDir);
  await disk.makeDirectory(folder, 0o700);
  const server = `https://${serverAddress}:${apiPort}`;
  const config = { server, caFile: `${pki}/ca.crt`, tokenFile: files.token };
  await disk.writeAtomically(files.config, renderHistoryConfig({ ...config, discovery: "kubernetes" }), 0o600);
  // Distributions build Prometheus with and without Kubernetes discovery: its own checker knows.
  const checked = await processes.run(checkProgram, ["check", "config", "--syntax-only", files.config], {
    timeoutMs: 10_000,
  });
  if (checked.code !== 0)
    await disk.writeAtomically(files.config, renderHistoryConfig({ ...config, discovery: "http" }), 0o600);
  const web = { certificate: `${pki}/server.crt`, key: `${pki}/server.key`, ca: `${pki}/ca.crt` };
  await disk.writeAtomically(files.web, renderHistoryWeb(web), 0o600);
  return [prometheusProgram, ...historyArguments(folder, historyPort)];
}

export interface HistoryAccessOptions {
  readonly client: Client;
  readonly disk: Disk;
  readonly timers: Timers;
  readonly dataDir: string;
  readonly onProblem: (problem: string, error: unknown) => void;
}

/** Keeps Prometheus' own identity: its service account, what it may read, and a token that never ends while we run. */
export function keepHistoryAccess(options: HistoryAccessOptions): { stop(): void } {
  const { client, disk, timers, onProblem } = options;
  let timer: Timer | undefined;
  let isStopped = false;
  const renew = async (): Promise<void> => {
    let nextMs = renewMs;
    try {
      await makeAccount(client);
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
      const spec = { audiences: [], expirationSeconds: tokenSeconds };
      const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec };
      const answer = (await client.request("POST", path, body)) as { status: { token: string } };
      await disk.writeAtomically(historyFiles(historyFolder(options.dataDir)).token, answer.status.token, 0o600);
    } catch (error) {
      onProblem("cannot renew the identity of the history of metrics", error);
      nextMs = retryMs;
    }
    if (!isStopped) timer = timers.after(nextMs, () => void renew());
  };
  void renew();
  return {
    stop: () => {
      isStopped = true;
      timer?.cancel();
    },
  };
}

async function makeAccount(client: Client): Promise<void> {
  const cause = { actor: "metrics", rule: "Prometheus reads under a name of its own" };
  await ensure(client, serviceaccounts as Resource<unknown>, { metadata: { name: account, namespace } }, cause);
  const read = ["get", "list", "watch"];
  await ensure(
    client,
    clusterroles as Resource<unknown>,
    {
      metadata: { name: role, labels: { "kubernetes.io/bootstrapping": "rbac-defaults" } },
      rules: [
        { apiGroups: [""], resources: ["nodes", "nodes/metrics", "services", "endpoints", "pods"], verbs: read },
        { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: read },
        { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: read },
        { nonResourceURLs: ["/metrics", "/metrics/*"], verbs: ["get"] },
      ],
    },
    cause,
  );
  await ensure(
    client,
    clusterrolebindings as Resource<unknown>,
    {
      metadata: { name: role, labels: { "kubernetes.io/bootstrapping": "rbac-defaults" } },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [{ kind: "ServiceAccount", name: account, namespace }],
    },
    cause,
  );
}

interface Draft {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

async function ensure(
  client: Client,
  resource: Resource<unknown>,
  object: Draft,
  cause: { actor: string; rule: string },
): Promise<void> {
  const at = { ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }) };
  try {
    await client.create(resource, at, object as never, { cause });
  } catch (error) {
    if (!(error instanceof ApiStatusError) || error.reason !== "AlreadyExists") throw error;
  }
}
