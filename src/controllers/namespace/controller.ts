import type { Controller } from "#reconcile/controller.ts";
import type { Resource } from "#api/resource.ts";
import { objectView, type ObjectView } from "#reconcile/object-view.ts";
import type { PartialObjectMetadata } from "#api/generated/meta-v1.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import type { MetadataInformers } from "../views/metadata.ts";
import { namespaceDeclaration } from "../views/namespace.ts";
import { isPods, planNamespace, type Content } from "./plan.ts";

/** Empties and ends namespaces that are being deleted. */
export function createNamespaceController(dependencies: Dependencies, metadata: MetadataInformers): Controller {
  const { informers } = dependencies;
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
    needs: [namespaces, ...metadata.all().map(({ informer }) => informer)],
    watch: (enqueue) => {
      enqueueNamespace = enqueue;
      return [
        namespaces.handle((key, _old, current) => current?.deletionMs !== undefined && enqueue(key)),
        ...listen(),
      ];
    },
    async pass(key, context) {
      const namespace = namespaces.get(key);
      if (namespace?.deletionMs === undefined) return undefined;
      listen();
      return planNamespace({ namespace, content: await contentLeft(dependencies, metadata, key) }, context);
    },
  });
}

/**
 * What is left, as the informers show it. The server is asked for what they do not show: whether pods are left before anything
 * goes that may protect them, and in the end Events, which nobody remembers, and what is too new to be known.
 */
async function contentLeft(
  dependencies: Dependencies,
  metadata: MetadataInformers,
  namespace: string,
): Promise<Content[]> {
  const shown = contentOf(namespace, metadata);
  const resources = uniqueResources(dependencies.resources());
  if (shown.length === 0) return freshContent(dependencies, namespace, resources);
  if (shown.some(({ resource }) => isPods(resource))) return shown;
  return [...(await freshContent(dependencies, namespace, resources.filter(isPods))), ...shown];
}

function contentOf(namespace: string, metadata: MetadataInformers): Content[] {
  return metadata.all().flatMap(({ resource, informer }) => {
    if (!resource.namespaced) return [];
    const objects = informer.by("namespace", namespace);
    return objects.length === 0 ? [] : [{ resource, objects }];
  });
}

async function freshContent(
  { client }: Dependencies,
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
