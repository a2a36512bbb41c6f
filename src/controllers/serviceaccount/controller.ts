import { serviceaccounts } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { namespaceDeclaration, serviceAccountDeclaration } from "../views/namespace.ts";
import { planServiceAccount } from "./plan.ts";

/** Keeps a ServiceAccount `default` in each namespace. */
export function createServiceAccountController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const namespaces = informers.of(namespaceDeclaration);
  const accounts = informers.of(serviceAccountDeclaration);
  return createLoop(dependencies, {
    name: "serviceaccount",
    eventSource: "service-account-controller",
    needs: [namespaces, accounts],
    watch: (enqueue) => [
      namespaces.handle((key) => enqueue(key)),
      accounts.handle((_key, old, current) => {
        if (current === undefined && old?.name === "default") enqueue(old.namespace);
      }),
    ],
    pass(key) {
      const namespace = namespaces.get(key);
      if (namespace === undefined) return undefined;
      return planServiceAccount(
        serviceaccounts as Resource<unknown>,
        namespace,
        accounts.get(keyOf(key, "default")) !== undefined,
      );
    },
  });
}
