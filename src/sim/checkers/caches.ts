import { builtInResources } from "#api/generated/resources.ts";
import type { Checker, Report, View } from "./checker.ts";

/** 25: what the informers of the server hold is what is stored. */
export function cacheChecker(view: View, report: Report): Checker {
  return {
    name: "caches",
    settled() {
      const informers = view.server.informers;
      if (informers === undefined) return;
      for (const resource of builtInResources) {
        const informer = informers.whole(resource);
        if (informer === undefined) continue;
        const id = resource.group === "" ? resource.resource : `${resource.group}/${resource.resource}`;
        const stored = new Map([...view.history.all(id).values()].map(({ metadata }) => [keyOf(metadata), metadata]));
        for (const { key, revision } of informer.entries()) {
          const known = stored.get(key);
          stored.delete(key);
          if (known?.resourceVersion !== String(revision)) {
            report(
              "25 caches",
              `the informer of ${id} holds ${key} at ${revision}, stored is ${known?.resourceVersion ?? "nothing"}`,
            );
          }
        }
        for (const key of stored.keys()) report("25 caches", `the informer of ${id} does not know ${key}`);
      }
    },
  };
}

function keyOf({ namespace, name }: { readonly namespace?: string; readonly name: string }): string {
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}
