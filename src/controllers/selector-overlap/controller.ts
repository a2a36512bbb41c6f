import { daemonsets, deployments, statefulsets } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Informer } from "#reconcile/informer.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { daemonSetDeclaration, deploymentDeclaration, statefulSetDeclaration } from "../views/workload.ts";
import { planSelectorOverlap, templateLabels, type Selecting, type SelectingView } from "./plan.ts";

/** Tells people of workloads that select each other's pods. Looks only at new specs; keys are `kind namespace/name`. */
export function createSelectorOverlapController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const kinds: Readonly<Record<string, { informer: Informer<SelectingView>; resource: Resource<unknown> }>> = {
    deployment: { informer: informers.of(deploymentDeclaration), resource: deployments as Resource<unknown> },
    statefulset: { informer: informers.of(statefulSetDeclaration), resource: statefulsets as Resource<unknown> },
    daemonset: { informer: informers.of(daemonSetDeclaration), resource: daemonsets as Resource<unknown> },
  };
  const candidates = (own: SelectingView): Selecting[] => {
    const [first] = Object.entries(own.spec.selector?.matchLabels ?? {});
    const pairs = Object.entries(templateLabels(own));
    return Object.entries(kinds).flatMap(([kind, { informer }]) => {
      const found = pairs.flatMap((pair) => informer.by("selectorPair", pairText(own.namespace, pair)));
      if (first !== undefined) found.push(...informer.by("templatePair", pairText(own.namespace, first)));
      return found.map((view) => ({ id: `${kind}/${view.name}`, view }));
    });
  };
  return createLoop(dependencies, {
    name: "selector-overlap",
    needs: Object.values(kinds).map(({ informer }) => informer),
    watch: (enqueue) =>
      Object.entries(kinds).map(([kind, { informer }]) =>
        informer.handle((key, old, current) => {
          if (current !== undefined && old?.generation !== current.generation) enqueue(`${kind} ${key}`);
        }),
      ),
    pass(key) {
      const [kind = "", name = ""] = key.split(" ");
      const { informer, resource } = kinds[kind]!;
      const own = informer.get(name);
      return own === undefined ? undefined : planSelectorOverlap(resource, own, candidates(own));
    },
  });
}

function pairText(namespace: string, [key, value]: readonly [string, string]): string {
  return `${namespace}/${key}=${value}`;
}
