import type { Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import {
  allocatableOf,
  controllerOf,
  isReady,
  isTerminal,
  objectOfUid,
  oldestViewMsOf,
  podKeyOf,
  repelling,
  requestOf,
} from "./facts.ts";
import { share } from "./rollout-bounds.ts";

interface BudgetSpec {
  readonly minAvailable?: number | string;
  readonly maxUnavailable?: number | string;
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
}

/**
 * 53: an eviction leaves as many healthy pods as the budget wants, and preemption takes a pod whose budget allows none only where
 * nothing else would make room. 56: no pod goes for one that matters less.
 */
export function disruptionChecker(view: View, report: Report): Checker {
  return new DisruptionChecker(view, report);
}

class DisruptionChecker implements Checker {
  readonly name = "disruptions";
  readonly #view: View;
  readonly #report: Report;
  /** When a pod was ready last, by uid; Infinity: it is. */
  readonly #readyUntilMs = new Map<string, number>();
  /** Keys of pods that somebody asked to evict. */
  readonly #evicted = new Set<string>();
  /** Keys of pods that somebody asked to delete. */
  readonly #deleted = new Set<string>();
  /** When pods of a node came or went last. */
  readonly #changedMs = new Map<string, number>();

  constructor(view: View, report: Report) {
    this.#view = view;
    this.#report = report;
  }

  requested(client: string, { method, target }: Parameters<NonNullable<Checker["requested"]>>[1]): void {
    const evicted = method === "POST" ? podKeyOf(target, "eviction") : undefined;
    if (evicted !== undefined) this.#evicted.add(evicted);
    const deleted = method === "DELETE" ? podKeyOf(target) : undefined;
    if (deleted === undefined) return;
    this.#deleted.add(deleted);
    if (client === "scheduler") this.#preempted(deleted);
  }

  changed(changes: Parameters<NonNullable<Checker["changed"]>>[0]): void {
    for (const { resource, key, before, current } of changes) {
      if (resource === "policy/poddisruptionbudgets" && current !== undefined) this.#checkCounts(key, current);
      if (resource === "nodes") this.#changedMs.set((current ?? before)?.metadata.name ?? "", this.#view.now());
      if (resource !== "pods") continue;
      const wasThere = before !== undefined && before.metadata.deletionTimestamp === undefined;
      const isThere = current !== undefined && current.metadata.deletionTimestamp === undefined;
      if (this.#evicted.has(key) && wasThere && !isThere && before !== undefined) this.#checkEviction(key, before);
      const node = String((current ?? before)?.spec?.["nodeName"] ?? "");
      if (node !== "" && (before?.spec?.["nodeName"] !== current?.spec?.["nodeName"] || wasThere !== isThere))
        this.#changedMs.set(node, this.#view.now());
      const { uid } = (current ?? before)!.metadata;
      if (isThere && isReady(current)) this.#readyUntilMs.set(uid, Infinity);
      else if (this.#readyUntilMs.get(uid) === Infinity) this.#readyUntilMs.set(uid, this.#view.now());
    }
  }

  #checkCounts(key: string, { status = {} }: Stored): void {
    const count = (name: string): number => Number(status[name] ?? 0);
    const names = ["currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed"];
    const spare = Math.max(0, count("currentHealthy") - count("desiredHealthy"));
    if (names.some((name) => count(name) < 0) || count("disruptionsAllowed") > spare)
      this.#report("53 budgets", `${key} counts ${JSON.stringify(status)}`);
  }

  #budgetsOf(pod: Stored): Stored[] {
    return [...this.#view.history.all("policy/poddisruptionbudgets").values()].filter((budget) => {
      const { matchLabels = {} } = (budget.spec as BudgetSpec).selector ?? {};
      const isOurs = Object.entries(matchLabels).every(([label, value]) => pod.metadata.labels?.[label] === value);
      return isOurs && budget.metadata.namespace === pod.metadata.namespace;
    });
  }

  #budgetOf(pod: Stored): Stored | undefined {
    return this.#budgetsOf(pod)[0];
  }

  /** The pod whose end an eviction began is not counted; those that were healthy a moment ago are: nobody may know better. */
  #checkEviction(key: string, pod: Stored): void {
    this.#evicted.delete(key);
    const [budget, other] = this.#budgetsOf(pod);
    if (budget === undefined || !isReady(pod) || isTerminal(pod)) return;
    if (other !== undefined) {
      if (!this.#deleted.has(key)) this.#report("53 eviction", `${key} was evicted, and two budgets are for it`);
      return;
    }
    // Who was refused may delete it: that is no eviction, as long as the budget was not asked.
    const spent = (budget.status?.["disruptedPods"] ?? {}) as Readonly<Record<string, string>>;
    if (this.#deleted.has(key) && spent[pod.metadata.name] === undefined) return;
    const { minAvailable, maxUnavailable } = budget.spec as BudgetSpec;
    const sinceMs = this.#view.now() - oldestViewMsOf(this.#view.swarm);
    const healthy = [...this.#view.history.all("pods").values()].filter(
      (other) =>
        other.metadata.uid !== pod.metadata.uid &&
        this.#budgetOf(other)?.metadata.uid === budget.metadata.uid &&
        (this.#readyUntilMs.get(other.metadata.uid) ?? -1) >= sinceMs,
    ).length;
    const expected = this.#expectedOf(pod);
    const least =
      minAvailable === undefined
        ? expected - share(maxUnavailable ?? 0, expected, Math.ceil)
        : share(minAvailable, expected, Math.ceil);
    if (healthy < least)
      this.#report(
        "53 eviction",
        `${key} was evicted, and leaves ${healthy} healthy pods of the ${least} of its budget`,
      );
  }

  #expectedOf(pod: Stored): number {
    const set = objectOfUid(this.#view.history.all("apps/replicasets").values(), controllerOf(pod));
    const owner =
      set === undefined
        ? undefined
        : objectOfUid(this.#view.history.all("apps/deployments").values(), controllerOf(set));
    return Number((owner ?? set)?.spec?.["replicas"] ?? 0);
  }

  #preempted(key: string): void {
    const victim = this.#view.history.get(key);
    if (victim === undefined || victim.metadata.deletionTimestamp !== undefined) return;
    const waiting = [...this.#view.history.all("pods").values()].filter(
      (pod) => pod.spec?.["nodeName"] === undefined && pod.metadata.deletionTimestamp === undefined,
    );
    const rivals = waiting.filter((pod) => priorityOf(pod) > priorityOf(victim));
    // Who it was for may be gone or placed by now; that somebody who matters less gets the place would be wrong.
    if (rivals.length === 0 && waiting.length > 0 && oldestViewMsOf(this.#view.swarm) < 2_000)
      this.#report("56 priority", `${key} is preempted, and nobody who waits matters more`);
    const budget = this.#budgetOf(victim);
    if (budget === undefined || Number(budget.status?.["disruptionsAllowed"] ?? 0) > 0) return;
    const rival = rivals.toSorted((a, b) => priorityOf(b) - priorityOf(a))[0];
    const better = rival === undefined ? undefined : this.#roomWithoutBudgets(rival);
    if (better !== undefined)
      this.#report("53 preemption", `${key} goes although its budget allows none, and ${better} has room without it`);
  }

  /** A node that has been as it is for a while, where pods that no budget protects make enough room. */
  #roomWithoutBudgets(rival: Stored): string | undefined {
    const sinceMs = this.#view.now() - oldestViewMsOf(this.#view.swarm);
    for (const node of this.#view.history.all("nodes").values()) {
      const { name } = node.metadata;
      if ((this.#changedMs.get(name) ?? 0) >= sinceMs || repelling(node, rival).length > 0) continue;
      if (node.spec?.["unschedulable"] === true) continue;
      const stay = [...this.#view.history.all("pods").values()].filter(
        (pod) =>
          pod.spec?.["nodeName"] === name &&
          !isTerminal(pod) &&
          (priorityOf(pod) >= priorityOf(rival) || this.#budgetOf(pod) !== undefined),
      );
      const used = stay.reduce((sum, pod) => sum + requestOf(pod, "cpu"), 0);
      if (used + requestOf(rival, "cpu") <= allocatableOf(node, "cpu")) return name;
    }
    return undefined;
  }
}

function priorityOf({ spec }: Stored): number {
  return Number(spec?.["priority"] ?? 0);
}
