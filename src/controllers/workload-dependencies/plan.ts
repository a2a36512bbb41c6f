import {
  dependenciesCondition,
  dependenciesMetAnnotation,
  dependenciesOf,
  dependencyGate,
  dependsOnAnnotation,
  mustWait,
  type Dependency,
} from "#api/apps/depends-on.ts";
import { pods as podResource } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action, EventText, PatchAction } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import { timeText, type ObjectView } from "#reconcile/object-view.ts";
import { aboutOf, referenceOf } from "../ownership.ts";
import type { PodView } from "../views/pod.ts";

const pods = podResource as Resource<unknown>;
/** Workloads on one way from a workload to what it depends on, followed at most. */
const pathMax = 100;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** A workload, as far as others wait for it, or it for others. */
export interface WaitingWorkload extends ObjectView {
  readonly status: { readonly conditions?: readonly Condition[] };
}

export interface ObservedWorkload {
  /** `deployment/web`. */
  readonly id: string;
  readonly resource: Resource<unknown>;
  readonly workload: WaitingWorkload;
  /** Its pods that carry the gate. */
  readonly gated: readonly PodView[];
  /** Why a dependency is not there yet, `1 of 3 pods are ready`; undefined when it is. */
  readonly missingOf: (dependency: Dependency) => string | undefined;
  /** The depends-on of another workload of the namespace. */
  readonly dependsOn: (id: string) => string | undefined;
}

/**
 * Lets the pods of a workload start once all that it depends on was there: the first time, not after every hiccup of a dependency.
 * Until then a condition says what it waits for; a cycle is said there and waits for a person. Pure.
 */
export function planWorkloadDependencies(observed: ObservedWorkload, now: number): Plan | undefined {
  const { workload, resource, gated } = observed;
  const text = workload.annotations[dependsOnAnnotation];
  if (workload.deletionMs !== undefined) return undefined;
  const because = referenceOf(resource, workload);
  if (text === undefined || !mustWait(workload.annotations)) {
    const told = text === undefined ? [] : tell(observed, met(text), now);
    return { because, actions: [...gated.map((pod) => release(pod, observed.id)), ...told] };
  }
  const waiting = whyWaiting(observed, text);
  if (waiting !== undefined) return { because, actions: tell(observed, waiting, now) };
  return { because, actions: [remember(observed, text)] };
}

type Wanted = Required<Condition>;

function met(text: string): Wanted {
  return { type: dependenciesCondition, status: "True", reason: "DependenciesMet", message: `${text} were there` };
}

function whyWaiting({ id, missingOf, dependsOn }: ObservedWorkload, text: string): Wanted | undefined {
  const waits = (reason: string, message: string): Wanted => {
    return { type: dependenciesCondition, status: "False", reason, message };
  };
  const { named, wrong } = dependenciesOf(text);
  if (wrong.length > 0) {
    const form = "deployment/NAME, statefulset/NAME, daemonset/NAME or job/NAME";
    return waits("InvalidDependency", `${dependsOnAnnotation} names ${wrong.join(", ")}, which is none of ${form}`);
  }
  const cycle = cycleFrom(id, (other) => (other === id ? text : dependsOn(other)));
  if (cycle !== undefined) return waits("DependencyCycle", `it waits for itself: ${cycle.join(" -> ")}`);
  const missing = named.flatMap((dependency) => {
    const why = missingOf(dependency);
    return why === undefined ? [] : [`${idOf(dependency)} (${why})`];
  });
  return missing.length === 0 ? undefined : waits("WaitingForDependencies", `waits for ${missing.join(", ")}`);
}

export function idOf({ kind, name }: Dependency): string {
  return `${kind}/${name}`;
}

/** The way from a workload back to itself along depends-on; undefined when there is none. */
export function cycleFrom(start: string, dependsOn: (id: string) => string | undefined): string[] | undefined {
  const seen = new Set<string>();
  const follow = (path: readonly string[]): string[] | undefined => {
    const text = path.length > pathMax ? undefined : dependsOn(path.at(-1)!);
    for (const dependency of text === undefined ? [] : dependenciesOf(text).named) {
      const next = idOf(dependency);
      if (next === start) return [...path, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const found = follow([...path, next]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return follow([start]);
}

function remember({ workload, resource, id }: ObservedWorkload, text: string): PatchAction {
  const { namespace, name, uid, resourceVersion } = workload;
  const patch = { metadata: { uid, resourceVersion, annotations: { [dependenciesMetAnnotation]: text } } };
  const reason = `all that ${id} depends on is there: ${text}`;
  return { verb: "patch", resource, namespace, name, type: "merge", patch, reason };
}

function release(pod: PodView, id: string): PatchAction {
  const { namespace, name, uid } = pod;
  const patch = { metadata: { uid }, spec: { schedulingGates: [{ name: dependencyGate, $patch: "delete" }] } };
  const reason = `${id} waits for nothing any more`;
  return { verb: "patch", resource: pods, namespace, name, type: "strategic", patch, reason };
}

/** The condition, where it says something else so far; with an Event where a person has to act. */
function tell({ workload, resource }: ObservedWorkload, wanted: Wanted, now: number): Action[] {
  const old = workload.status.conditions?.find(({ type }) => type === wanted.type);
  if (old?.status === wanted.status && old.reason === wanted.reason && old.message === wanted.message) return [];
  const { namespace, name, uid } = workload;
  const stamp = old?.status === wanted.status ? {} : { lastTransitionTime: timeText(now) };
  const event: EventText = {
    about: aboutOf(resource, workload),
    type: "Warning",
    eventReason: wanted.reason,
    message: wanted.message,
  };
  return [
    {
      verb: "patch",
      resource,
      namespace,
      name,
      type: "strategic",
      subresource: "status",
      patch: { metadata: { uid }, status: { conditions: [{ ...wanted, ...stamp }] } },
      reason: wanted.message,
      ...(wanted.reason === "DependencyCycle" || wanted.reason === "InvalidDependency" ? { event } : {}),
    },
  ];
}
