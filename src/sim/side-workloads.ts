import type { SeededRandom } from "#base/seeded-random.ts";

/** What may run beside the Deployment, drawn from the seed. */
export interface SideWorkloads {
  readonly statefulSet: { replicas: number; image: string; readonly isOrdered: boolean } | undefined;
  readonly daemonSet: { image: string } | undefined;
  readonly job:
    | {
        readonly completions: number;
        readonly parallelism: number;
        readonly runsForMs: number;
        readonly isIndexed: boolean;
      }
    | undefined;
}

/** `share` is the probability of each. */
export function drawSideWorkloads(random: SeededRandom, share: number): SideWorkloads {
  return {
    statefulSet: random.maybe("stateful set", share, (own) => ({
      replicas: 1 + own.below(3),
      image: "registry.test/db:1",
      isOrdered: own.chance(0.6),
    })),
    daemonSet: random.maybe("daemon set", share, () => ({ image: "registry.test/log:1" })),
    job: random.maybe("job", share, (own) => ({
      completions: 1 + own.below(6),
      parallelism: 1 + own.below(3),
      runsForMs: 500 + own.below(20_000),
      isIndexed: own.chance(0.5),
    })),
  };
}

export function describeSideWorkloads({ statefulSet, daemonSet, job }: SideWorkloads): string {
  const ordered = statefulSet?.isOrdered === true ? "ordered" : "parallel";
  return [
    statefulSet === undefined ? [] : [`statefulset db with ${statefulSet.replicas} ${ordered} replicas`],
    daemonSet === undefined ? [] : ["daemonset log"],
    job === undefined ? [] : [`job sum with ${job.completions} completions, ${job.parallelism} at a time`],
  ]
    .flat()
    .join(", ");
}

export function statefulSetDraft({ replicas, image, isOrdered }: NonNullable<SideWorkloads["statefulSet"]>): object {
  return {
    metadata: { namespace: "default", name: "db" },
    spec: {
      replicas,
      serviceName: "db",
      podManagementPolicy: isOrdered ? "OrderedReady" : "Parallel",
      selector: { matchLabels: { app: "db" } },
      template: template("db", image, { terminationGracePeriodSeconds: 2 }),
    },
  };
}

export function daemonSetDraft({ image }: NonNullable<SideWorkloads["daemonSet"]>): object {
  return {
    metadata: { namespace: "default", name: "log" },
    spec: {
      selector: { matchLabels: { app: "log" } },
      template: template("log", image, { terminationGracePeriodSeconds: 1 }),
    },
  };
}

export function jobDraft({
  completions,
  parallelism,
  runsForMs,
  isIndexed,
}: NonNullable<SideWorkloads["job"]>): object {
  const annotations = { "simulated.steersman.dev/runs-for-ms": String(runsForMs) };
  return {
    metadata: { namespace: "default", name: "sum" },
    spec: {
      completions,
      parallelism,
      completionMode: isIndexed ? "Indexed" : "NonIndexed",
      // Faults end pods too: the job must not give up because of them.
      backoffLimit: 1_000,
      template: template("sum", "registry.test/sum:1", { restartPolicy: "Never" }, annotations),
    },
  };
}

function template(
  name: string,
  image: string,
  spec: object,
  annotations: Readonly<Record<string, string>> = {},
): object {
  const container = { name, image, resources: { requests: { cpu: "50m", memory: "32Mi" } } };
  return { metadata: { labels: { app: name }, annotations }, spec: { ...spec, containers: [container] } };
}
