import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { configMapDeclaration, secretDeclaration } from "../views/namespace.ts";
import { deploymentDeclaration } from "../views/workload.ts";
import { configurationOf, optInAnnotation, planConfigurationRollout } from "./plan.ts";

/** Rolls Deployments that ask for it when a ConfigMap or Secret that they read changes. */
export function createConfigurationRolloutController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const deployments = informers.of(deploymentDeclaration);
  const configMaps = informers.of(configMapDeclaration);
  const secrets = informers.of(secretDeclaration);
  /** Deployments that asked, by `namespace/configmaps/name`: few, so that a change finds them without a scan. */
  const readers = new Map<string, Set<string>>();
  const read = (key: string, references: readonly string[], namespace: string): void => {
    for (const set of readers.values()) set.delete(key);
    for (const reference of references) {
      const at = `${namespace}/${reference}`;
      readers.set(at, (readers.get(at) ?? new Set()).add(key));
    }
    for (const [at, set] of readers) if (set.size === 0) readers.delete(at);
  };
  return createLoop(dependencies, {
    name: "configuration-rollout",
    needs: [deployments, configMaps, secrets],
    watch: (enqueue) => [
      deployments.handle((key, old, current) => {
        const asks = current?.annotations[optInAnnotation] === "true";
        if (!asks && old?.annotations[optInAnnotation] !== "true") return;
        const wanted = asks ? configurationOf(current?.spec.template?.spec) : [];
        read(
          key,
          wanted.map(({ reference }) => reference),
          (current ?? old)?.namespace ?? "",
        );
        if (asks) enqueue(key);
      }),
      ...(
        [
          ["configmaps", configMaps],
          ["secrets", secrets],
        ] as const
      ).map(([kind, informer]) =>
        informer.handle((_key, old, current) => {
          const view = current ?? old;
          if (view === undefined || old?.digest === current?.digest) return;
          for (const key of readers.get(`${view.namespace}/${kind}/${view.name}`) ?? []) enqueue(key);
        }),
      ),
    ],
    pass(key) {
      const deployment = deployments.get(key);
      if (deployment === undefined) return undefined;
      return planConfigurationRollout(deployment, (reference) => {
        const [kind, name = ""] = reference.split("/");
        const informer = kind === "secrets" ? secrets : configMaps;
        return informer.get(keyOf(deployment.namespace, name))?.digest ?? "";
      });
    },
  });
}
