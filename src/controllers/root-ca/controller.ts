import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { configMapDeclaration, namespaceDeclaration, rootCaName } from "../views/namespace.ts";
import { planRootCa } from "./plan.ts";

/** Keeps ConfigMap kube-root-ca.crt in each namespace. */
export function createRootCaController(dependencies: Dependencies, certificate: string): Controller {
  const { informers } = dependencies;
  const namespaces = informers.of(namespaceDeclaration);
  const configMaps = informers.of(configMapDeclaration);
  return createLoop(dependencies, {
    name: "root-ca",
    eventSource: "root-ca-certificate-publisher",
    needs: [namespaces, configMaps],
    watch: (enqueue) => [
      namespaces.handle((key) => enqueue(key)),
      configMaps.handle((_key, old, current) => {
        const view = current ?? old;
        if (view?.name === rootCaName) enqueue(view.namespace);
      }),
    ],
    pass(key) {
      const namespace = namespaces.get(key);
      if (namespace === undefined) return undefined;
      return planRootCa(namespace, configMaps.get(keyOf(key, rootCaName)), certificate);
    },
  });
}
