import {
  daemonsets,
  deployments,
  replicasets,
  replicationcontrollers,
  statefulsets,
} from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Informer } from "#reconcile/informer.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import {
  daemonSetDeclaration,
  deploymentDeclaration,
  replicaSetDeclaration,
  replicationControllerDeclaration,
  statefulSetDeclaration,
} from "../views/workload.ts";
import { overlapping, planSelectorOverlap, templateLabels, type Selecting, type SelectingView } from "./plan.ts";

/** Tells people of workloads that select each other's pods. Looks only at new specs; keys are `kind namespace/name`. */
export function createSelectorOverlapController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const kinds: Readonly<Record<string, { informer: Informer<SelectingView>; resource: Resource<unknown> }>> = {
    deployment: { informer: informers.of(deploymentDeclaration), resource: deployments as Resource<unknown> },
    statefulset: { informer: informers.of(statefulSetDeclaration), resource: statefulsets as Resource<unknown> },
    daemonset: { informer: informers.of(daemonSetDeclaration), resource: daemonsets as Resource<unknown> },
    replicaset: { informer: informers.of(replicaSetDeclaration), resource: replicasets as Resource<unknown> },
    replicationcontroller: {
      informer: informers.of(replicationControllerDeclaration),
      resource: replicationcontrollers as Resource<unknown>,
    },
  };
  const candidates = (own: SelectingView): Selecting[] => {
    const [first] = own.selector.pairs;
    const pairs = Object.entries(templateLabels(own));
    return Object.entries(kinds).flatMap(([kind, { informer }]) => {
      const found = pairs.flatMap((pair) => informer.by("selectorPair", pairText(own.namespace, pair)));
      if (first !== undefined) found.push(...informer.by("templatePair", pairText(own.namespace, first)));
      return found.map((view) => ({ kind, view }));
    });
  };
  return createLoop(dependencies, {
    name: "selector-overlap",
    needs: Object.values(kinds).map(({ informer }) => informer),
    watch: (enqueue) =>
      Object.entries(kinds).map(([kind, { informer }]) =>
        informer.handle((key, old, current) => {
          if (current === undefined || current.controller !== undefined || old?.generation === current.generation)
            return;
          enqueue(`${kind} ${key}`);
          // It is news for the others too.
          for (const { kind: other, view } of overlapping(current, candidates(current)))
            enqueue(`${other} ${keyOf(view.namespace, view.name)}`);
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
