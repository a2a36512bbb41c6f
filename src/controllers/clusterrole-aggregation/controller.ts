import type { ClusterRole } from "#api/generated/rbac-v1.ts";
import { clusterroles } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { aggregate } from "./plan.ts";

interface RoleView extends ObjectView {
  readonly role: Pick<ClusterRole, "aggregationRule" | "rules"> & {
    readonly metadata: Pick<ClusterRole["metadata"], "name" | "labels">;
  };
}

const clusterRoleDeclaration: InformerDeclaration<ClusterRole, RoleView> = {
  resource: clusterroles,
  indexes: objectIndexes,
  project: ({ metadata, rules, aggregationRule }) => {
    const { name = "", labels = {} } = metadata;
    const role = {
      metadata: { name, labels },
      rules: rules ?? [],
      ...(aggregationRule === undefined ? {} : { aggregationRule }),
    };
    return { ...objectView(metadata), role };
  },
};

/** Fills roles such as `admin`, `edit` and `view` with the rules of the roles that their selectors find. */
export function createClusterRoleAggregationController(dependencies: Dependencies): Controller {
  const roles = dependencies.informers.of(clusterRoleDeclaration);
  return createLoop(dependencies, {
    name: "clusterrole-aggregation",
    eventSource: "clusterrole-aggregation-controller",
    needs: [roles],
    watch: (enqueue) => [
      // Any role may belong to any aggregated one, before or after its change; aggregated ones are few.
      roles.handle(() => {
        for (const view of roles.list()) if (view.role.aggregationRule !== undefined) enqueue(view.key);
      }),
    ],
    pass(key) {
      const view = roles.get(key);
      if (view === undefined || view.deletionMs !== undefined) return undefined;
      const rules = aggregate(
        view.role,
        roles.list().map((one) => one.role),
      );
      if (rules === undefined) return undefined;
      const { name, uid, resourceVersion } = view;
      const patch = { metadata: { uid, resourceVersion }, rules };
      return {
        because: `rbac.authorization.k8s.io/clusterroles/${name}@${resourceVersion}`,
        actions: [
          {
            verb: "patch",
            resource: clusterroles as Resource<unknown>,
            name,
            type: "merge",
            patch,
            reason: `the roles that its selectors find have ${rules.length} rules, it has ${view.role.rules.length}`,
          },
        ],
      };
    },
  });
}
