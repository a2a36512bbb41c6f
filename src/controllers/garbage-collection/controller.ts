import { customresourcedefinitions } from "#api/generated/resources.ts";
import type { OwnerReference, PartialObjectMetadata } from "#api/generated/meta-v1.ts";
import { apiVersionOf, type AggregatedApis, type Resource } from "#api/resource.ts";
import type { Client, ObjectName } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Action } from "#reconcile/action.ts";
import type { Controller } from "#reconcile/controller.ts";
import { keyOf, type ObjectView } from "#reconcile/object-view.ts";
import { aboutOf } from "../ownership.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import type { MetadataInformers } from "../views/metadata.ts";
import { createGraph, isElsewhere, type Graph } from "./graph.ts";
import { foregroundFinalizer, planCollection, type Dependent, type OwnerState } from "./plan.ts";

/** Deletes what nobody owns any more, and carries out foreground and orphaning deletions. */
export function createGarbageCollector(dependencies: Dependencies, metadata: MetadataInformers): Controller {
  const { aggregated, timers } = dependencies;
  const graph = createGraph(metadata);
  const judge = createOwnerJudge(dependencies, metadata, graph);
  const definitions = metadata.all().find(({ resource }) => isCustomDefinition(resource));
  return createLoop(dependencies, {
    name: "garbage-collection",
    eventSource: "garbage-collector-controller",
    // Before every kind was seen, an owner that merely is not known yet would look gone.
    needs: metadata.own(),
    watch: (enqueue) => {
      const servedChanged = (): void => {
        metadata.refresh();
        // Owners of a new kind may have come and gone before anybody looked at them.
        for (const informer of graph.follow(enqueue)) void informer.synced().then(() => graph.lookAtUnknown(enqueue));
      };
      graph.follow(enqueue);
      const subscriptions = [
        graph,
        definitions?.informer.handle(() => void timers.after(limits.servedSettleMs, servedChanged)),
        aggregated?.onChange(() => {
          servedChanged();
          // A server that answers again may know the owners that could not be asked for.
          graph.lookAtUnknown(enqueue);
        }),
      ];
      return subscriptions.filter((subscription) => subscription !== undefined);
    },
    async pass(uid) {
      const found = graph.find(uid);
      if (found === undefined) return undefined;
      const { resource, view: item } = found;
      const owners: { reference: OwnerReference; state: OwnerState }[] = [];
      for (const reference of item.owners) {
        const state = await judge(item, reference);
        if (state === undefined) return undefined;
        owners.push({ reference, state });
      }
      const plan = planCollection({ resource, item, owners, dependents: graph.dependentsOf(uid) });
      const actions = [...complaints(found, graph), ...plan.actions];
      return actions.length === 0 ? undefined : { ...plan, actions };
    },
  });
}

/** What people should know of owners that make no sense. */
function complaints({ resource, view }: Dependent, graph: Graph): Action[] {
  const about = aboutOf(resource, view);
  const complaint = (eventReason: string, message: string): Action => {
    return { verb: "event", about, type: "Warning", eventReason, message };
  };
  const found = view.owners.flatMap(({ apiVersion, kind, name, uid }): Action[] => {
    const owner = graph.find(uid)?.view;
    if (owner === undefined || !isElsewhere(owner, view)) return [];
    const reference = `ownerRef [${apiVersion}/${kind}, namespace: ${view.namespace}, name: ${name}, uid: ${uid}]`;
    return [complaint("OwnerRefInvalidNamespace", `${reference} does not exist in namespace "${view.namespace}"`)];
  });
  const cycle = view.owners.length === 0 ? undefined : graph.cycleOf(view.uid);
  if (cycle === undefined) return found;
  const way = [...cycle, view.name].join(" -> ");
  return [...found, complaint("OwnerCycle", `it is owned by itself: ${way}; nothing but its deletion ends that`)];
}

function isCustomDefinition(resource: Resource<unknown>): boolean {
  return resource.group === customresourcedefinitions.group && resource.resource === customresourcedefinitions.resource;
}

/** Finds out whether an owner exists. Undefined: it cannot be known, so the dependent is left alone. */
type OwnerJudge = (item: ObjectView, reference: OwnerReference) => Promise<OwnerState | undefined>;

function createOwnerJudge({ client, aggregated }: Dependencies, metadata: MetadataInformers, graph: Graph): OwnerJudge {
  const absent = new Set<string>();
  return async (item, reference) => {
    const known = graph.find(reference.uid)?.view;
    if (
      known !== undefined &&
      known.name === reference.name &&
      (known.namespace === "" || known.namespace === item.namespace)
    ) {
      return stateOf(known.deletionMs !== undefined, known.finalizers);
    }
    const namespace = item.namespace;
    const identity = `${reference.apiVersion}/${reference.kind}/${keyOf(namespace, reference.name)}/${reference.uid}`;
    if (absent.has(identity)) return "absent";
    const resource = metadata.ofKind(reference.apiVersion, reference.kind);
    // Nothing of that kind is served (now): whether the owner exists cannot be known.
    if (resource === undefined || (resource.namespaced && namespace === "")) return undefined;
    if (isSilent(aggregated, resource)) return undefined;
    const at = { ...(resource.namespaced ? { namespace } : {}), name: reference.name };
    const owner = await lookUp(client, resource as Resource<PartialObjectMetadata>, at);
    if (owner === "unserved") return undefined;
    if (owner?.metadata.uid === reference.uid) {
      return stateOf(owner.metadata.deletionTimestamp !== undefined, owner.metadata.finalizers ?? []);
    }
    // A uid never comes back, so this answer stays true.
    if (absent.size >= limits.absentOwnersMax) absent.clear();
    absent.add(identity);
    return "absent";
  };
}

/** Whether another server keeps the objects and does not answer: that says nothing about them. */
function isSilent(aggregated: AggregatedApis | undefined, resource: Resource<unknown>): boolean {
  const apiVersion = apiVersionOf(resource);
  return aggregated?.all().some((api) => api.apiVersion === apiVersion && !api.isAnswering) === true;
}

/** Undefined: there is no object of this name. A kind that is not served now says nothing about its objects. */
async function lookUp<T>(client: Client, resource: Resource<T>, at: ObjectName): Promise<T | undefined | "unserved"> {
  try {
    return await client.get(resource, at);
  } catch (error) {
    if (!(error instanceof ApiStatusError) || error.code !== 404) throw error;
    return (error.details as { name?: string } | undefined)?.name === at.name ? undefined : "unserved";
  }
}

function stateOf(isDeleting: boolean, finalizers: readonly string[]): OwnerState {
  return isDeleting && finalizers.includes(foregroundFinalizer) ? "waiting" : "solid";
}
