import type { Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";

interface PodSpec {
  readonly nodeName?: string;
  readonly containers?: readonly { readonly resources?: { readonly requests?: Readonly<Record<string, string>> } }[];
}

/** Taints that stood this long before a bind, the scheduler has seen. Milliseconds. */
const seenByAllMs = 120_000;

/** 54: what the pods of a node ask for is never more than it has. 55: no pod is bound to a node that repels it. */
export function schedulingChecker(view: View, report: Report): Checker {
  /** Since when a node has a taint, by node and taint. */
  const taintedMs = new Map<string, number>();
  return {
    name: "scheduling",
    changed(changes) {
      for (const { resource, current, before, key, revision } of changes) {
        if (resource === "nodes") follow(current ?? before, current === undefined, taintedMs, view.now());
        if (resource !== "pods" || current === undefined) continue;
        const { nodeName } = current.spec as PodSpec;
        if (nodeName === undefined || before?.spec?.["nodeName"] === nodeName) continue;
        const node = view.history.get(`/registry/core/nodes/${nodeName}`);
        // The scheduler may not have seen yet that a node went.
        if (node === undefined) continue;
        for (const taint of repelling(node, current)) {
          if (view.now() - (taintedMs.get(`${nodeName} ${taint.key}:${taint.effect}`) ?? Infinity) > seenByAllMs)
            report(
              "55 taints",
              `${key} was bound to ${nodeName} at ${revision}, which has ${taint.key}:${taint.effect}`,
            );
        }
        const allocatable = (node.status?.["allocatable"] ?? {}) as Record<string, string>;
        const pods = [...view.history.all("pods").values()].filter(
          (pod) => pod.spec?.["nodeName"] === nodeName && !isTerminal(pod),
        );
        if (pods.length > amount(allocatable["pods"] ?? "0"))
          report("54 capacity", `${nodeName} has ${pods.length} pods with ${key} at ${revision}`);
        for (const name of ["cpu", "memory"]) {
          const asked = pods.reduce((sum, pod) => sum + requestOf(pod, name), 0);
          const most = amount(allocatable[name] ?? "0");
          if (asked > most)
            report(
              "54 capacity",
              `pods of ${nodeName} ask for ${asked} of ${name} with ${key} at ${revision}, it has ${most}`,
            );
        }
      }
    },
  };
}

interface Taint {
  readonly key: string;
  readonly effect: string;
}

interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly effect?: string;
}

function taintsOf(node: Stored): readonly Taint[] {
  return (node.spec?.["taints"] ?? []) as readonly Taint[];
}

function follow(node: Stored | undefined, isGone: boolean, taintedMs: Map<string, number>, now: number): void {
  if (node === undefined) return;
  const { name } = node.metadata;
  const taints = new Set(isGone ? [] : taintsOf(node).map(({ key, effect }) => `${name} ${key}:${effect}`));
  for (const known of taintedMs.keys()) if (known.startsWith(`${name} `) && !taints.has(known)) taintedMs.delete(known);
  for (const taint of taints) if (!taintedMs.has(taint)) taintedMs.set(taint, now);
}

/** Taints that keep a pod away. The simulation uses no values of taints. */
function repelling(node: Stored, pod: Stored): Taint[] {
  const tolerations = (pod.spec?.["tolerations"] ?? []) as readonly Toleration[];
  return taintsOf(node).filter(
    ({ key, effect }) =>
      effect !== "PreferNoSchedule" &&
      !tolerations.some(
        (one) =>
          (one.effect === undefined || one.effect === "" || one.effect === effect) &&
          (one.key === key || ((one.key ?? "") === "" && one.operator === "Exists")),
      ),
  );
}

function requestOf(pod: Stored, name: string): number {
  const { containers = [] } = pod.spec as PodSpec;
  return containers.reduce((sum, { resources }) => sum + amount(resources?.requests?.[name] ?? "0"), 0);
}

const units: Readonly<Record<string, number>> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A quantity as a number; enough for what the simulation uses. */
function amount(quantity: string): number {
  const [, number = "", unit = ""] = /^([0-9.]+)([A-Za-z]*)$/.exec(quantity) ?? [];
  const factor = units[unit];
  if (number === "" || factor === undefined) throw new Error(`Cannot read the quantity ${quantity}`);
  return Number(number) * factor;
}

function isTerminal({ status }: Stored): boolean {
  return status?.["phase"] === "Failed" || status?.["phase"] === "Succeeded";
}
