import type { Ingress } from "#api/generated/networking-v1.ts";
import { ingresses } from "#api/generated/resources.ts";
import type { Action } from "#reconcile/action.ts";
import type { Controller } from "#reconcile/controller.ts";
import { createLoop, type LoopDependencies } from "#reconcile/loop.ts";
import { nodesDeclaration, servicesDeclaration, slicesDeclaration } from "../observed.ts";
import { compile } from "./compile.ts";
import { classesDeclaration, ingressesDeclaration, splitsDeclaration } from "./declarations.ts";
import type { Compiled, Problem } from "./route-table.ts";

/** One pass looks at all Ingresses: who holds a route depends on all of them. */
const allIngresses = "ingresses";

/**
 * Writes where accepted Ingresses are served (`status.loadBalancer`: the addresses of the ready nodes) and tells, by Events, what of
 * them is not. Runs once, on the server; every node compiles the same table for itself.
 */
export function createIngressStatusController(dependencies: LoopDependencies): Controller {
  const { informers } = dependencies;
  const [all, classes] = [informers.of(ingressesDeclaration), informers.of(classesDeclaration)];
  const splits = informers.of(splitsDeclaration);
  const [services, slices, nodes] = [
    informers.of(servicesDeclaration),
    informers.of(slicesDeclaration),
    informers.of(nodesDeclaration),
  ];
  let told: ReadonlySet<string> = new Set();
  return createLoop(dependencies, {
    room: "network",
    name: "ingress",
    needs: [all, classes, splits, services, slices, nodes] as never,
    pass: () => {
      const compiled = compile({
        ingresses: all.list(),
        classes: classes.list(),
        service: (key) => services.get(key),
        slices: (key) => slices.by("service", key),
        // Secrets are read by the nodes only; what is wrong with one is told where it is used.
        secret: () => undefined,
        splits: splits.list(),
      });
      const problems = compiled.problems.filter(({ reason }) => reason !== "InvalidCertificate");
      const fresh = problems.filter((problem) => !told.has(textOf(problem)));
      told = new Set(problems.map(textOf));
      const addresses = nodes.list().flatMap((node) => (node.ready ? node.addresses.slice(0, 1) : []));
      return { actions: planIngressStatus(all.list(), compiled, fresh, addresses) };
    },
    watch: (enqueue) => {
      const again = (): void => enqueue(allIngresses);
      return [
        all.handle(again),
        classes.handle(again),
        splits.handle(again),
        services.handle(again),
        nodes.handle((_, old, current) => {
          if (JSON.stringify(old) !== JSON.stringify(current)) again();
        }),
      ];
    },
  });
}

/** The writes that say where Ingresses are served, and the Events about what is not. */
function planIngressStatus(
  all: readonly Ingress[],
  compiled: Pick<Compiled, "accepted">,
  problems: readonly Problem[],
  addresses: readonly string[],
): Action[] {
  const accepted = new Set(compiled.accepted);
  const wanted = addresses.toSorted().map((ip) => ({ ip }));
  return all.flatMap((ingress): Action[] => {
    const { namespace, name = "", uid = "" } = ingress.metadata;
    const key = `${namespace}/${name}`;
    if (!accepted.has(key)) return [];
    const about = {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      name,
      uid,
      ...(namespace === undefined ? {} : { namespace }),
    };
    const actions: Action[] = problems
      .filter((problem) => problem.ingress === key)
      .map(({ reason, message }) => ({ verb: "event", about, type: "Warning", eventReason: reason, message }));
    const present = (ingress.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? "").toSorted();
    if (present.join() !== addresses.toSorted().join()) {
      const patch = { metadata: { uid }, status: { loadBalancer: { ingress: wanted } } };
      const reason = `Ingress ${key} is served by ${wanted.length} ready nodes`;
      actions.push({
        verb: "patch",
        resource: ingresses,
        namespace,
        name,
        type: "merge",
        subresource: "status",
        patch,
        reason,
      });
    }
    return actions;
  });
}

function textOf({ ingress, reason, message }: Problem): string {
  return `${ingress} ${reason} ${message}`;
}
