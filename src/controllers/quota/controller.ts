import { persistentvolumeclaims, pods, resourceclaims, services } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import type { Resource } from "#api/resource.ts";
import { quotaOfDevicesSuffix } from "#api/quota-usage.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import type { MetadataInformers } from "../views/metadata.ts";
import { serviceDeclaration } from "../views/network.ts";
import { isFinished, podDeclaration, type PodView } from "../views/pod.ts";
import { quotaDeclaration, type QuotaView } from "../views/policy.ts";
import { claimDeclaration, type ClaimView } from "../views/storage.ts";
import { planQuota } from "./plan.ts";
import type { Counted } from "./usage.ts";

/** Recounts quotas when something they count has come or gone. */
export function createQuotaController(dependencies: Dependencies, metadata: MetadataInformers): Controller {
  const { client, informers } = dependencies;
  const quotas = informers.of(quotaDeclaration);
  const podViews = informers.of(podDeclaration);
  const claimViews = informers.of(claimDeclaration);
  const serviceViews = informers.of(serviceDeclaration);
  return createLoop(dependencies, {
    name: "quota",
    eventSource: "resourcequota-controller",
    needs: [quotas, podViews, claimViews, serviceViews, ...metadata.own()],
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
          if (old !== undefined && current !== undefined && takesOther(old, current)) recount(current.namespace);
        }),
        claimViews.handle((_key, old, current) => {
          if (old !== undefined && current !== undefined && !isEqual(asksOf(old), asksOf(current)))
            recount(current.namespace);
        }),
        serviceViews.handle((_key, old, current) => {
          if (old === undefined || current === undefined) return;
          if (old.type !== current.type || old.ports.length !== current.ports.length) recount(current.namespace);
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

/** It has ended, or was resized, or its resize has come to an end. */
function takesOther(old: PodView, current: PodView): boolean {
  const isResizing = ({ conditions }: PodView): boolean => conditions.some(({ type }) => type.startsWith("PodResize"));
  const isOther = old.requests !== current.requests || isResizing(old) !== isResizing(current);
  return isOther || (!isFinished(old) && isFinished(current));
}

/** What of a claim quotas look at. */
function asksOf({ spec, status }: ClaimView): unknown {
  return [
    spec.resources?.requests,
    spec.storageClassName,
    spec.volumeAttributesClassName,
    status.currentVolumeAttributesClassName,
    status.modifyVolumeStatus,
  ];
}

/** Objects are asked for, not remembered: only namespaces with quotas need them, and only now and then. */
async function countedIn(
  client: Client,
  metadata: MetadataInformers,
  { namespace, spec }: QuotaView,
): Promise<Counted> {
  const names = Object.keys(spec.hard ?? {});
  const isScoped = spec.scopeSelector !== undefined;
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
      names.some((name) => name.includes("storage") || (isScoped && name.endsWith("persistentvolumeclaims"))),
    ),
    deviceClaims: await all(
      resourceclaims,
      names.some((name) => name.endsWith(quotaOfDevicesSuffix)),
    ),
    numbers,
  };
}

function isAboutPods(name: string): boolean {
  return (
    name === "count/pods" ||
    !(
      name.startsWith("count/") ||
      name.startsWith("services") ||
      name.includes("storageclass") ||
      name.endsWith(quotaOfDevicesSuffix)
    )
  );
}
