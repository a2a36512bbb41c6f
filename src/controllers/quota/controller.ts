import { persistentvolumeclaims, pods, services } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import type { Resource } from "#api/resource.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import type { MetadataInformers } from "../views/metadata.ts";
import { isFinished, podDeclaration } from "../views/pod.ts";
import { quotaDeclaration, type QuotaView } from "../views/policy.ts";
import { planQuota } from "./plan.ts";
import type { Counted } from "./usage.ts";

/** Recounts quotas when something they count has come or gone. */
export function createQuotaController(dependencies: Dependencies, metadata: MetadataInformers): Controller {
  const { client, informers } = dependencies;
  const quotas = informers.of(quotaDeclaration);
  const podViews = informers.of(podDeclaration);
  return createLoop(dependencies, {
    name: "quota",
    eventSource: "resourcequota-controller",
    needs: [quotas, podViews, ...metadata.own()],
    watch: (enqueue, enqueueAfter) => {
      // Many go at once: one count at the end of a burst.
      const recount = (namespace: string): void => {
        for (const quota of quotas.by("namespace", namespace)) enqueueAfter(quota.key, limits.quotaSettleMs);
      };
      const onChange = (_key: string, old: ObjectView | undefined, current: ObjectView | undefined): void => {
        const changed = old === undefined ? current : current === undefined ? old : undefined;
        if (changed !== undefined) recount(changed.namespace);
      };
      return [
        quotas.handle((key) => enqueue(key)),
        podViews.handle((_key, old, current) => {
          if (old !== undefined && current !== undefined && !isFinished(old) && isFinished(current))
            recount(current.namespace);
        }),
        ...metadata.all().map(({ informer }) => informer.handle(onChange)),
      ];
    },
    async pass(key, { now }) {
      const quota = quotas.get(key);
      if (quota === undefined) return undefined;
      return planQuota(quota, await countedIn(client, metadata, quota), now);
    },
  });
}

/** Objects are asked for, not remembered: only namespaces with quotas need them, and only now and then. */
async function countedIn(
  client: Client,
  metadata: MetadataInformers,
  { namespace, spec }: QuotaView,
): Promise<Counted> {
  const names = Object.keys(spec.hard ?? {});
  const all = async <T>(resource: Resource<T>, isNeeded: boolean): Promise<T[]> =>
    isNeeded ? (await client.list(resource, { namespace })).items : [];
  const numbers = new Map<string, number>();
  for (const { resource, informer } of metadata.all()) {
    if (!resource.namespaced) continue;
    const count = informer.by("namespace", namespace).length;
    numbers.set(resource.group === "" ? resource.resource : `${resource.resource}.${resource.group}`, count);
  }
  // Pods count by what they ask for, and not at all when they have ended: their number is no measure.
  numbers.delete("pods");
  return {
    pods: await all(pods, names.some(isAboutPods)),
    services: await all(
      services,
      names.some((name) => name.startsWith("services.")),
    ),
    claims: await all(
      persistentvolumeclaims,
      names.some((name) => name.includes("storage")),
    ),
    numbers,
  };
}

function isAboutPods(name: string): boolean {
  return (
    name === "count/pods" ||
    !(name.startsWith("count/") || name.startsWith("services") || name.includes("storageclass"))
  );
}
