import { apiVersionOf, type Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Controller } from "#reconcile/controller.ts";
import { objectView, type ObjectView } from "#reconcile/object-view.ts";
import type { PartialObjectMetadata } from "#api/generated/meta-v1.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import type { MetadataInformers } from "../views/metadata.ts";
import { namespaceDeclaration } from "../views/namespace.ts";
import { isPods, planNamespace, type Content, type ObservedNamespace } from "./plan.ts";

/** Empties and ends namespaces that are being deleted. */
export function createNamespaceController(dependencies: Dependencies, metadata: MetadataInformers): Controller {
  const { aggregated, informers } = dependencies;
  const namespaces = informers.of(namespaceDeclaration);
  let enqueueNamespace: (key: string) => void = () => {};
  const listened = new Set<unknown>();
  const listen = (): { close(): void }[] =>
    metadata.all().flatMap(({ informer }) => {
      if (listened.has(informer)) return [];
      listened.add(informer);
      const tell = (view: ObjectView | undefined): void => {
        if (view !== undefined && namespaces.get(view.namespace)?.deletionMs !== undefined)
          enqueueNamespace(view.namespace);
      };
      return [informer.handle((_key, old, current) => tell(current ?? old))];
    });
  return createLoop(dependencies, {
    name: "namespace",
    needs: [namespaces, ...metadata.own()],
    watch: (enqueue) => {
      enqueueNamespace = enqueue;
      const subscriptions = [
        namespaces.handle((key, _old, current) => current?.deletionMs !== undefined && enqueue(key)),
        aggregated?.onChange(() => {
          for (const { name, deletionMs } of namespaces.list()) if (deletionMs !== undefined) enqueue(name);
        }),
        ...listen(),
      ];
      return subscriptions.filter((subscription) => subscription !== undefined);
    },
    async pass(key, context) {
      const namespace = namespaces.get(key);
      if (namespace?.deletionMs === undefined) return undefined;
      listen();
      return planNamespace({ namespace, ...(await contentLeft(dependencies, metadata, key)) }, context);
    },
  });
}

type Found = Omit<ObservedNamespace, "namespace">;

/**
 * What is left, as the informers show it. The server is asked for what they do not show: whether pods are left before anything
 * goes that may protect them, and in the end Events, which nobody remembers, what is too new to be known, and what other servers
 * keep, which may show it late.
 */
async function contentLeft(
  { aggregated, client, resources }: Dependencies,
  metadata: MetadataInformers,
  namespace: string,
): Promise<Found> {
  const elsewhere = aggregated?.all() ?? [];
  const answering = elsewhere.filter(({ isAnswering }) => isAnswering);
  const undiscovered = elsewhere.filter(({ isAnswering }) => !isAnswering).map(({ apiVersion }) => apiVersion);
  const others = new Set(elsewhere.map(({ apiVersion }) => apiVersion));
  const isElsewhere = (resource: Resource<unknown>): boolean => others.has(apiVersionOf(resource));
  const shown = contentOf(namespace, metadata).filter(({ resource }) => !undiscovered.includes(apiVersionOf(resource)));
  const here = uniqueResources(resources());
  if (shown.every(({ resource }) => isElsewhere(resource))) {
    const there = uniqueResources(answering.flatMap((api) => api.resources));
    const unlisted: string[] = [];
    const content = await freshContent(client, namespace, here);
    for (const resource of there) {
      try {
        content.push(...(await freshContent(client, namespace, [resource])));
      } catch (error) {
        if (!isUnserved(error)) unlisted.push(error instanceof Error ? error.message : String(error));
      }
    }
    return { content, undiscovered, unlisted };
  }
  const asked = shown.some(({ resource }) => isPods(resource)) ? [] : here.filter(isPods);
  return { content: [...(await freshContent(client, namespace, asked)), ...shown], undiscovered, unlisted: [] };
}

/** It does not keep such objects, or not any more. */
function isUnserved(error: unknown): boolean {
  return error instanceof ApiStatusError && (error.code === 404 || error.code === 405);
}

function contentOf(namespace: string, metadata: MetadataInformers): Content[] {
  return metadata.all().flatMap(({ resource, informer }) => {
    if (!resource.namespaced) return [];
    const objects = informer.by("namespace", namespace);
    return objects.length === 0 ? [] : [{ resource, objects }];
  });
}

async function freshContent(
  client: Client,
  namespace: string,
  resources: readonly Resource<unknown>[],
): Promise<Content[]> {
  const content: Content[] = [];
  for (const resource of resources) {
    const page = await client.list(resource as Resource<PartialObjectMetadata>, {
      namespace,
      limit: 500,
      metadataOnly: true,
    });
    if (page.items.length > 0)
      content.push({ resource, objects: page.items.map((object) => objectView(object.metadata)) });
  }
  return content;
}

function uniqueResources(resources: readonly Resource<unknown>[]): Resource<unknown>[] {
  const seen = new Set<string>();
  return resources.filter((resource) => {
    // Both groups show the same Events.
    const id = resource.resource === "events" ? "events" : `${resource.group}/${resource.resource}`;
    if (!resource.namespaced || seen.has(id) || !resource.verbs.includes("list") || !resource.verbs.includes("delete"))
      return false;
    seen.add(id);
    return true;
  });
}
