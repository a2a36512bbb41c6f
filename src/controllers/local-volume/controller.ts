import type { Controller } from "#reconcile/controller.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { nodeDeclaration } from "../views/node.ts";
import { volumeDeclaration } from "../views/storage.ts";
import { nodeAnnotation, planFolders } from "./plan.ts";

/** Removes the folders of deleted local volumes. Keys: names of nodes. */
export function createLocalVolumeController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const nodes = informers.of(nodeDeclaration);
  const volumes = informers.of(volumeDeclaration);
  return createLoop(dependencies, {
    name: "local-volume",
    needs: [nodes, volumes],
    watch: (enqueue) => [
      nodes.handle((key, old, current) => {
        const isNews = old === undefined || current === undefined || old.annotations !== current.annotations;
        if (isNews && volumes.by("node", key).length > 0) enqueue(key);
      }),
      volumes.handle((_key, old, current) => {
        const view = current ?? old;
        const node = view?.annotations[nodeAnnotation];
        if (node !== undefined && view?.deletionMs !== undefined) enqueue(node);
      }),
    ],
    pass: (key) => planFolders(key, nodes.get(key), volumes.by("node", key)),
  });
}
