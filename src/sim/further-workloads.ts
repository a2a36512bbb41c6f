import type { SeededRandom } from "#base/seeded-random.ts";
import {
  cronjobs,
  deployments,
  deviceclasses,
  jobs,
  poddisruptionbudgets,
  resourceclaimtemplates,
  resourceslices,
} from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { History, Stored } from "./history.ts";

/** What may run beside the rest, drawn from the seed: devices, clocks, work that waits for others. */
export interface FurtherWorkloads {
  /** A Deployment whose pods want a device each. */
  readonly devices: { readonly replicas: number } | undefined;
  readonly cronJob: { readonly policy: "Allow" | "Forbid" | "Replace"; readonly runsForMs: number } | undefined;
  /** A Deployment whose pods want no node together. */
  readonly apart: { readonly replicas: number } | undefined;
  /** A Deployment whose pods are spread over the nodes. */
  readonly spread: { readonly replicas: number } | undefined;
  /** A Job that depends on the Deployment. */
  readonly waiting: { readonly runsForMs: number } | undefined;
}

const driver = "gpu.test";
const devicesOfNode = 3;
const namespace = "default";

/** `share` is the probability of each. */
export function drawFurtherWorkloads(random: SeededRandom, share: number): FurtherWorkloads {
  return {
    devices: random.maybe("devices", share, (own) => ({ replicas: 1 + own.below(3) })),
    cronJob: random.maybe("cron job", share, (own) => ({
      policy: own.pick(["Allow", "Forbid", "Replace"] as const),
      runsForMs: 500 + own.below(100_000),
    })),
    apart: random.maybe("apart", share, (own) => ({ replicas: 1 + own.below(2) })),
    spread: random.maybe("spread", share, (own) => ({ replicas: 1 + own.below(6) })),
    waiting: random.maybe("waiting job", share, (own) => ({ runsForMs: 500 + own.below(5_000) })),
  };
}

export function describeFurtherWorkloads({ devices, cronJob, apart, spread, waiting }: FurtherWorkloads): string {
  return [
    devices === undefined ? [] : [`deployment gpu of ${devices.replicas} pods with a device each`],
    cronJob === undefined ? [] : [`cronjob tick (${cronJob.policy})`],
    apart === undefined ? [] : [`deployment apart of ${apart.replicas} pods on a node each`],
    spread === undefined ? [] : [`deployment spread of ${spread.replicas} pods over the nodes`],
    waiting === undefined ? [] : ["job late, which depends on deployment web"],
  ]
    .flat()
    .join(", ");
}

/** What the user creates, in order. */
export function furtherDrafts(further: FurtherWorkloads, nodes: readonly string[]): [Resource<unknown>, object][] {
  const { devices, cronJob, apart, spread, waiting } = further;
  const drafts: [Resource<unknown>, object][] = [];
  const add = (resource: Resource<unknown>, draft: object): void => void drafts.push([resource, draft]);
  if (devices !== undefined) {
    add(deviceclasses as Resource<unknown>, {
      metadata: { name: "gpu" },
      spec: { selectors: [{ cel: { expression: `device.driver == "${driver}"` } }] },
    });
    for (const node of nodes) add(resourceslices as Resource<unknown>, sliceOf(node));
    add(resourceclaimtemplates as Resource<unknown>, {
      metadata: { namespace, name: "gpu" },
      spec: { spec: { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu" } }] } } },
    });
    add(deployments as Resource<unknown>, deviceDeployment(devices.replicas));
    add(poddisruptionbudgets as Resource<unknown>, {
      metadata: { namespace, name: "gpu" },
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: "gpu" } } },
    });
  }
  if (cronJob !== undefined) add(cronjobs as Resource<unknown>, cronJobDraft(cronJob));
  if (apart !== undefined) add(deployments as Resource<unknown>, placedDraft("apart", apart.replicas, apartSpec));
  if (spread !== undefined) add(deployments as Resource<unknown>, placedDraft("spread", spread.replicas, spreadSpec));
  if (waiting !== undefined) {
    const spec = { backoffLimit: 1_000, template: jobTemplate("late", waiting.runsForMs) };
    const annotations = { "steersman.dev/depends-on": "deployment/web" };
    add(jobs as Resource<unknown>, { metadata: { namespace, name: "late", annotations }, spec });
  }
  return drafts;
}

function sliceOf(node: string): object {
  const devices = Array.from({ length: devicesOfNode }, (_, index) => ({ name: `gpu-${index}` }));
  const pool = { name: node, generation: 1, resourceSliceCount: 1 };
  return { metadata: { name: `${driver}-${node}` }, spec: { driver, nodeName: node, pool, devices } };
}

function deviceDeployment(replicas: number): object {
  const container = { name: "gpu", image: "registry.test/gpu:1", resources: { claims: [{ name: "gpu" }] } };
  const resourceClaims = [{ name: "gpu", resourceClaimTemplateName: "gpu" }];
  const spec = { terminationGracePeriodSeconds: 1, resourceClaims, containers: [container] };
  return {
    metadata: { namespace, name: "gpu" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "gpu" } },
      template: { metadata: { labels: { app: "gpu" } }, spec },
    },
  };
}

const perNode = "kubernetes.io/hostname";
const ofApp = (app: string): object => ({ labelSelector: { matchLabels: { app } } });
const apartSpec = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: perNode, ...ofApp("apart") }],
    },
  },
};
const spreadSpec = {
  topologySpreadConstraints: [
    { topologyKey: perNode, maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", ...ofApp("spread") },
  ],
};

/** A Deployment whose pods say where they want to be. */
function placedDraft(name: string, replicas: number, places: object): object {
  const labels = { app: name };
  const containers = [{ name, image: `registry.test/${name}:1` }];
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, ...places, containers } };
  return { metadata: { namespace, name }, spec: { replicas, selector: { matchLabels: labels }, template } };
}

function cronJobDraft({ policy, runsForMs }: NonNullable<FurtherWorkloads["cronJob"]>): object {
  const jobSpec = { backoffLimit: 1_000, template: jobTemplate("tick", runsForMs) };
  return {
    metadata: { namespace, name: "tick" },
    spec: {
      schedule: "* * * * *",
      concurrencyPolicy: policy,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 3,
      jobTemplate: { spec: jobSpec },
    },
  };
}

function jobTemplate(app: string, runsForMs: number): object {
  const annotations = { "simulated.steersman.dev/runs-for-ms": String(runsForMs) };
  const container = { name: app, image: `registry.test/${app}:1`, resources: { requests: { cpu: "50m" } } };
  return { metadata: { labels: { app }, annotations }, spec: { restartPolicy: "Never", containers: [container] } };
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

function isTrue(object: Stored | undefined, type: string): boolean {
  const conditions = (object?.status?.["conditions"] ?? []) as readonly Condition[];
  return conditions.some((condition) => condition.type === type && condition.status === "True");
}

/** What is still missing, a sentence each. */
export function missingOfFurther(history: History, further: FurtherWorkloads): string[] {
  const { devices, cronJob, apart, spread, waiting } = further;
  const found: string[] = [];
  for (const [name, wanted] of Object.entries({ gpu: devices, apart, spread })) {
    const ready = history.get(`/registry/apps/deployments/default/${name}`)?.status?.["availableReplicas"] ?? 0;
    if (wanted !== undefined && ready !== wanted.replicas)
      found.push(`deployment ${name} has ${String(ready)} of ${wanted.replicas} pods`);
  }
  if (devices !== undefined) {
    const claims = history.all("resource.k8s.io/resourceclaims").size;
    if (claims !== devices.replicas) found.push(`there are ${claims} resource claims for ${devices.replicas} pods`);
  }
  if (cronJob !== undefined) {
    for (const [key, job] of history.all("batch/jobs")) {
      const isOurs = job.metadata.ownerReferences?.some(({ kind }) => kind === "CronJob") === true;
      if (isOurs && !isTrue(job, "Complete") && !isTrue(job, "Failed")) found.push(`${key} has not ended`);
    }
  }
  if (waiting !== undefined && !isTrue(history.get("/registry/batch/jobs/default/late"), "Complete"))
    found.push("job late is not complete");
  return found;
}
