import type { SeededRandom } from "#base/seeded-random.ts";
import {
  configmaps,
  deployments,
  jobs,
  namespaces,
  networkpolicies,
  persistentvolumes,
  poddisruptionbudgets,
  priorityclasses,
  statefulsets,
} from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import { isReady, isTrue } from "./checkers/facts.ts";
import type { History } from "./history.ts";

/** What asks more of a cluster than to run, drawn from the seed. */
export interface DemandingWorkloads {
  /** A StatefulSet with claims of its own, some of whose pods keep their revision. */
  readonly kept:
    | {
        replicas: number;
        image: string;
        /** Those of before anybody had looked at the set: one of them is its first revision. */
        readonly firstImages: string[];
        readonly partition: number;
        readonly whenScaled: "Retain" | "Delete";
        /** Volumes are not used twice: so often it may still be scaled. */
        scalesLeft: number;
      }
    | undefined;
  /** A Job that can only fail. */
  readonly failing: { readonly isPerIndex: boolean; readonly replacesFailed: boolean } | undefined;
  /** A namespace that goes again. */
  readonly brief: { readonly afterMs: number } | undefined;
  /** Pods that fill the nodes, and others that matter more. */
  readonly rivals: { readonly replicas: number } | undefined;
  /** Nodes are emptied one after another. */
  readonly drains: { readonly everyMs: number } | undefined;
}

const namespace = "default";
export const briefNamespace = "brief";
const bigCpu = "4500m";
/**
 * Of these, which matter alike, some find no room once the rivals are there: who came first decides. And what two autoscalers want
 * has the size that the first gave it before it knew of the other.
 */
export const contenders: ReadonlySet<string> = new Set(["filler", "guarded", "torn"]);
const scalesMax = 4;
const volumesCount = 16;
const firstImage = "registry.test/kept:1";

/** `share` is the probability of each. */
export function drawDemandingWorkloads(random: SeededRandom, share: number): DemandingWorkloads {
  return {
    kept: random.maybe("kept", share, (own) => ({
      replicas: 1 + own.below(3),
      image: firstImage,
      firstImages: [firstImage],
      partition: own.below(3),
      whenScaled: own.pick(["Retain", "Delete"] as const),
      scalesLeft: scalesMax,
    })),
    failing: random.maybe("failing", share, (own) => ({
      isPerIndex: own.chance(0.5),
      replacesFailed: own.chance(0.5),
    })),
    brief: random.maybe("brief", share, (own) => ({ afterMs: 5_000 + own.float() * 60_000 })),
    rivals: random.maybe("rivals", share, (own) => ({ replicas: 1 + own.below(4) })),
    drains: random.maybe("drains", share, (own) => ({ everyMs: 20_000 + own.float() * 80_000 })),
  };
}

export function describeDemandingWorkloads({ kept, failing, brief, rivals, drains }: DemandingWorkloads): string {
  return [
    kept === undefined
      ? []
      : [`statefulset keep of ${kept.replicas} with claims (${kept.whenScaled}), partition ${kept.partition}`],
    failing === undefined ? [] : [`job fail${failing.isPerIndex ? " with retries of each index" : ""}`],
    brief === undefined ? [] : ["namespace brief"],
    rivals === undefined ? [] : [`deployments filler and guarded, and ${rivals.replicas} pods that matter more`],
    drains === undefined ? [] : ["drains nodes"],
  ]
    .flat()
    .join(", ");
}

/** What the user creates, in order. */
export function demandingDrafts(
  workloads: DemandingWorkloads,
  nodes: readonly string[],
): [Resource<unknown>, object][] {
  const { kept, failing, brief, rivals } = workloads;
  const drafts: [Resource<unknown>, object][] = [];
  const add = (resource: object, draft: object): void => void drafts.push([resource as Resource<unknown>, draft]);
  if (kept !== undefined) {
    for (let index = 0; index < volumesCount; index += 1) add(persistentvolumes, volumeDraft(index));
    add(statefulsets, keptDraft(kept));
  }
  if (failing !== undefined) add(jobs, failingDraft(failing));
  if (brief !== undefined) {
    add(namespaces, { metadata: { name: briefNamespace } });
    const inside = { namespace: briefNamespace, name: "inside" };
    add(networkpolicies, { metadata: inside, spec: { podSelector: {}, policyTypes: ["Ingress"] } });
    add(configmaps, { metadata: inside, data: { a: "b" } });
    add(deployments, deploymentDraft("inside", 2, "10m", undefined, briefNamespace));
  }
  if (rivals !== undefined) {
    for (const [name, value] of Object.entries({ more: 1_000, less: 10 }))
      add(priorityclasses, { metadata: { name }, value });
    // Three fill a node, but for what the rest of the work needs; the guarded ones may not be disturbed.
    add(deployments, deploymentDraft("filler", 2 * nodes.length, bigCpu, "less"));
    add(deployments, deploymentDraft("guarded", nodes.length, bigCpu, "less"));
    add(poddisruptionbudgets, {
      metadata: { namespace, name: "guarded" },
      spec: { maxUnavailable: 0, selector: { matchLabels: { app: "guarded" } } },
    });
    add(deployments, deploymentDraft("rival", rivals.replicas, bigCpu, "more"));
  }
  return drafts;
}

/** Volumes that any node reaches: pods of the set may move when a node goes. */
function volumeDraft(index: number): object {
  return {
    metadata: { name: `shared-${index}` },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      storageClassName: "shared",
      hostPath: { path: `/shared/${index}`, type: "DirectoryOrCreate" },
    },
  };
}

export function keptDraft({ replicas, image, partition, whenScaled }: NonNullable<DemandingWorkloads["kept"]>): object {
  const resources = { requests: { storage: "1Gi" } };
  const container = { name: "keep", image, volumeMounts: [{ name: "data", mountPath: "/data" }] };
  return {
    metadata: { namespace, name: "keep" },
    spec: {
      replicas,
      serviceName: "keep",
      podManagementPolicy: "Parallel",
      selector: { matchLabels: { app: "keep" } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition } },
      persistentVolumeClaimRetentionPolicy: { whenScaled, whenDeleted: "Retain" },
      template: {
        metadata: { labels: { app: "keep" } },
        spec: { terminationGracePeriodSeconds: 1, containers: [container] },
      },
      volumeClaimTemplates: [
        { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], storageClassName: "shared", resources } },
      ],
    },
  };
}

function failingDraft({ isPerIndex, replacesFailed }: NonNullable<DemandingWorkloads["failing"]>): object {
  const annotations = {
    "simulated.steersman.dev/runs-for-ms": "700",
    "simulated.steersman.dev/exit-code": "3",
  };
  const spec = {
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "fail", image: "registry.test/fail:1" }],
  };
  const rules = [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }];
  return {
    metadata: { namespace, name: "fail" },
    spec: {
      parallelism: 2,
      completions: 2,
      ...(isPerIndex ? { completionMode: "Indexed", backoffLimitPerIndex: 1 } : { backoffLimit: 2 }),
      ...(replacesFailed ? { podReplacementPolicy: "Failed", podFailurePolicy: { rules } } : {}),
      template: { metadata: { labels: { app: "fail" }, annotations }, spec },
    },
  };
}

function deploymentDraft(
  name: string,
  replicas: number,
  cpu: string,
  priorityClassName: string | undefined,
  inside = namespace,
): object {
  const container = { name, image: `registry.test/${name}:1`, resources: { requests: { cpu } } };
  const priority = priorityClassName === undefined ? {} : { priorityClassName };
  return {
    metadata: { namespace: inside, name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 1, ...priority, containers: [container] },
      },
    },
  };
}

/** What is still missing, a sentence each. */
export function missingOfDemanding(history: History, { kept, failing, brief, rivals }: DemandingWorkloads): string[] {
  const found: string[] = [];
  const podsOf = (app: string) =>
    [...history.all("pods").values()].filter(({ metadata }) => metadata.labels?.["app"] === app);
  if (kept !== undefined) {
    const pods = podsOf("keep");
    if (pods.length !== kept.replicas) found.push(`statefulset keep has ${pods.length} pods of ${kept.replicas}`);
    for (const pod of pods) {
      const ordinal = Number(pod.metadata.name.slice("keep-".length));
      const [container] = (pod.spec?.["containers"] ?? []) as readonly { readonly image?: string }[];
      const wanted = ordinal < kept.partition ? kept.firstImages : [kept.image];
      if (!isReady(pod)) found.push(`pod ${pod.metadata.name} is not ready`);
      if (!wanted.includes(container?.image ?? ""))
        found.push(`pod ${pod.metadata.name} has ${container?.image}, not ${wanted.join(" or ")}`);
    }
  }
  if (failing !== undefined) {
    const job = history.get("/registry/batch/jobs/default/fail");
    if (job === undefined || !isTrue(job, "Failed")) found.push("job fail has not failed");
  }
  if (brief !== undefined && history.get(`/registry/core/namespaces/${briefNamespace}`) !== undefined)
    found.push("namespace brief is still there");
  if (rivals !== undefined) {
    const ready = podsOf("rival").filter(isReady).length;
    if (ready !== rivals.replicas) found.push(`${ready} of ${rivals.replicas} pods that matter more are ready`);
  }
  return found;
}
