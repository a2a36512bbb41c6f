/** Plays steps to a checker, as the simulator would. */
import type { CheckerFactory } from "#sim/checkers/checker.ts";
import { calmNetwork } from "#sim/faulty-transport.ts";
import type { History, Stored } from "#sim/history.ts";

/** Of a run in which nothing goes wrong. */
export const calmSwarm = {
  safetyMs: 0,
  commitMsMax: 0,
  crashAfterWrite: 0,
  loopNetwork: calmNetwork,
  agentNetwork: calmNetwork,
  strikes: {},
};

export type Body = Record<string, unknown>;
export interface Step {
  readonly at?: number;
  readonly put?: string;
  readonly remove?: string;
  readonly object?: Body;
  /** A controller deletes this path. */
  readonly deletes?: string;
  readonly uid?: string;
  readonly actor?: string;
  /** Who deletes it; the controllers otherwise. */
  readonly client?: string;
  /** A user asks to evict this pod. */
  readonly evicts?: string;
  /** The scheduler asks to bind this pod to the node `to`. */
  readonly binds?: string;
  readonly to?: string;
  /** The autoscaler `by` gives this Deployment `replicas` pods. */
  readonly scales?: string;
  readonly by?: string;
  readonly replicas?: number;
}

const rule = { "steersman-rule": "as played" };

/** Plays steps to one checker; answers the invariants that it says are broken. */
export function play(make: CheckerFactory, steps: readonly Step[]): string[] {
  const objects = new Map<string, Stored>();
  const broken: string[] = [];
  let nowMs = 0;
  let revision = 1_000_000_000_000;
  const resourceOf = (key: string): string => {
    const [, , group, resource] = key.split("/");
    return group === "core" ? (resource ?? "") : `${group}/${resource}`;
  };
  const history: Pick<History, "revision" | "get" | "all" | "resources"> = {
    revision,
    get: (key) => objects.get(key),
    all: (resource) => new Map([...objects].filter(([key]) => resourceOf(key) === resource)),
    resources: () => new Set([...objects.keys()].map(resourceOf)),
  };
  const view = {
    history,
    swarm: calmSwarm,
    hosts: [],
    server: { informers: undefined },
    isCalm: () => true,
    now: () => nowMs,
  };
  const checker = make(view, (name, what) => broken.push(`${name}: ${what}`));
  for (const step of steps) {
    nowMs = step.at ?? nowMs;
    if (step.deletes !== undefined) {
      const body = new TextEncoder().encode(JSON.stringify({ preconditions: { uid: step.uid } }));
      const headers = { "steersman-actor": encodeURIComponent(step.actor ?? "controllers/statefulset"), ...rule };
      const request = { method: "DELETE", target: step.deletes, headers, body };
      checker.asked?.(step.client ?? "controllers", request);
      checker.requested?.(step.client ?? "controllers", request);
      continue;
    }
    if (step.evicts !== undefined) {
      const target = `/api/v1/namespaces/default/pods/${step.evicts}/eviction`;
      checker.requested?.("user", { method: "POST", target, headers: {}, body: new Uint8Array(0) });
      continue;
    }
    if (step.binds !== undefined) {
      const target = `/api/v1/namespaces/default/pods/${step.binds}/binding`;
      const body = new TextEncoder().encode(JSON.stringify({ target: { kind: "Node", name: step.to } }));
      checker.asked?.("scheduler", { method: "POST", target, headers: {}, body });
      continue;
    }
    if (step.scales !== undefined) {
      const target = `/apis/apps/v1/namespaces/default/deployments/${step.scales}/scale`;
      const body = new TextEncoder().encode(JSON.stringify({ spec: { replicas: step.replicas } }));
      const because = `autoscaling/horizontalpodautoscalers/default/${step.by}@1`;
      const actor = encodeURIComponent("controllers/horizontal-pod-autoscaler");
      const headers = { "steersman-actor": actor, "steersman-because": encodeURIComponent(because), ...rule };
      checker.requested?.("controllers", { method: "PUT", target, headers, body });
      continue;
    }
    const key = step.put ?? step.remove ?? "";
    const before = objects.get(key);
    const name = key.split("/").at(-1) ?? "";
    const { metadata = {}, ...rest } = (step.object ?? {}) as { metadata?: Body };
    const current = { metadata: { namespace: "default", name, uid: name, ...metadata }, ...rest } as Stored;
    if (step.remove === undefined) objects.set(key, current);
    else objects.delete(key);
    revision += 1;
    const change = { revision, atMs: nowMs, resource: resourceOf(key), key, before, isSame: false };
    checker.changed?.([{ ...change, current: step.remove === undefined ? current : undefined }]);
  }
  return broken;
}
