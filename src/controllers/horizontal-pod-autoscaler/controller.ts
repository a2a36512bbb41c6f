import type { Scale } from "#api/generated/autoscaling-v1.ts";
import type { CrossVersionObjectReference } from "#api/generated/autoscaling-v2.ts";
import { scaleToZeroAnnotation } from "#api/delivery/traffic-hold.ts";
import { pathOf, type Resource } from "#api/resource.ts";
import { parseLabelSelector, type Selector } from "#api/selectors.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { Client } from "#client/client.ts";
import type { Controller, PassContext, Plan } from "#reconcile/controller.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { scalable } from "../scalable.ts";
import { withoutHeld } from "../selected-pods.ts";
import { serviceDeclaration } from "../views/network.ts";
import { replicaSetDeclaration } from "../views/workload.ts";
import { podDeclaration } from "../views/pod.ts";
import { noHistory, rememberChange, type History } from "./behavior.ts";
import { outsideMetrics, planAutoscaler, type ObservedScale } from "./plan.ts";
import { hasPassed, mayScaleToZero, sleepAfterMs, type ObservedSleep, type Traffic } from "./sleep.ts";
import { readSleepTarget, readTraffic, servicesOf } from "./sleep-source.ts";
import { readMetric } from "./sources.ts";
import { autoscalerDeclaration, demandDeclaration, holdDeclaration, type AutoscalerView } from "./view.ts";

/** What the loop remembers of an autoscaler between two looks. */
interface Memory {
  history: History;
  /** Complaints of the last look. */
  told: readonly string[];
  /** Times here are those of a clock that nobody sets. */
  statusWrittenMs: number | undefined;
  /** A change under way: it counts once it is seen. */
  change: { readonly from: number; readonly to: number; readonly atMs: number } | undefined;
  selector: Selector | undefined;
  /** Before this time the ingresses need not be asked for requests. */
  quietAskMs: number;
}

const newMemory: Memory = {
  history: noHistory,
  told: [],
  statusWrittenMs: undefined,
  change: undefined,
  selector: undefined,
  quietAskMs: -Infinity,
};

/** Brings workloads to the size that their metrics ask for. */
export function createHorizontalPodAutoscalerController(dependencies: Dependencies): Controller {
  const { informers, client, clock, resources } = dependencies;
  const autoscalers = informers.of(autoscalerDeclaration);
  const pods = informers.of(podDeclaration);
  const replicaSets = informers.of(replicaSetDeclaration);
  const services = informers.of(serviceDeclaration);
  const holds = informers.of(holdDeclaration);
  const demands = informers.of(demandDeclaration);
  const memories = new Map<string, Memory>();

  const pass = async (key: string, context: PassContext): Promise<Plan | undefined> => {
    const autoscaler = autoscalers.get(key);
    if (autoscaler === undefined) {
      memories.delete(key);
      return undefined;
    }
    const memory = memories.get(key) ?? { ...newMemory };
    memories.set(key, memory);
    const { namespace } = autoscaler;
    const steadyMs = clock.monotonic();
    const scale = await readScale(dependencies, autoscaler);
    const parsed = scale.kind === "found" && scale.selector !== "" ? parseLabelSelector(scale.selector) : undefined;
    memory.selector = parsed?.ok === true ? parsed.selector : undefined;
    const inNamespace = pods.by("namespace", namespace);
    const { selector: memorised } = memory;
    const matching = memorised === undefined ? [] : inNamespace.filter((pod) => memorised.matches(pod.labels));
    const selected = withoutHeld(matching, replicaSets);
    settleChange(memory, autoscaler, scale);
    const { metrics: specs = [] } = autoscaler.spec;
    const question = {
      namespace,
      selector: scale.kind === "found" ? scale.selector : "",
      maxAgeMs: limits.autoscalerResourceMs - 500,
      resources,
    };
    const sleep = await observeSleep(autoscaler, scale, memory, context.now);
    const isEmpty = scale.kind === "found" && scale.replicas === 0;
    const possible = isEmpty && sleep !== undefined ? outsideMetrics(specs) : specs;
    const isDisabled = isEmpty && (autoscaler.spec.minReplicas !== 0 || sleep?.demand !== undefined);
    const asked = memory.selector === undefined || isDisabled ? [] : possible;
    const readings = await Promise.all(asked.map((spec) => readMetric(client, spec, question)));
    const refusal = context.refusal?.action.verb === "update" ? context.refusal.message : undefined;
    const plan = planAutoscaler(
      {
        autoscaler,
        scale,
        selectorProblem: parsed?.ok === false ? parsed.message : undefined,
        rivals: rivalsOf(
          autoscaler,
          selected.map(({ labels }) => labels),
        ),
        pods: selected,
        readings,
        history: memory.history,
        sleep,
        refusal,
        told: memory.told,
        steadyMs,
        statusWrittenMs: memory.statusWrittenMs,
      },
      context.now,
    );
    if (plan === undefined) return undefined;
    memory.history = plan.history;
    memory.told = plan.told;
    if (plan.change !== undefined) memory.change = { ...plan.change, atMs: steadyMs };
    if (plan.actions.some(({ verb }) => verb === "update")) memory.statusWrittenMs = steadyMs;
    return { actions: plan.actions, because: plan.because, lookAgainMs: lookAgainMs(autoscaler, sleep, scale) };
  };

  /** What sleeping and waking need to know; the ingresses are asked only when it may be time to sleep. */
  const observeSleep = async (
    autoscaler: AutoscalerView,
    scale: ObservedScale,
    memory: Memory,
    now: number,
  ): Promise<ObservedSleep | undefined> => {
    const { key, namespace } = autoscaler;
    const wanted = mayScaleToZero(autoscaler);
    const hold = holds.get(key);
    if (scale.kind === "failed" || (!wanted && hold === undefined)) return undefined;
    const demand = demands
      .by("hold", key)
      .find(({ holdUid, sleep }) => holdUid === hold?.uid && sleep === hold.spec.sleep);
    const known = { wanted, hold, demand, services: hold?.spec.services ?? [], release: undefined };
    // Waking waits for nothing.
    if (!wanted || (scale.replicas === 0 && demand !== undefined)) return { ...known, traffic: unasked };
    const afterMs = sleepAfterMs(autoscaler);
    const isFalling = hold?.spec.phase === "FallingAsleep";
    const isDue =
      hold !== undefined &&
      scale.replicas === 1 &&
      (isFalling || (clock.monotonic() >= memory.quietAskMs && hasPassed(hold.spec.since, afterMs, now)));
    const { labels, release } = await readSleepTarget(client, autoscaler, scale);
    const found = servicesOf(services.by("namespace", namespace), labels);
    const traffic = isDue ? await readTraffic(client, namespace, found) : unasked;
    if (traffic.kind === "quiet") memory.quietAskMs = clock.monotonic() + Math.max(0, afterMs - traffic.quietMs);
    else if (isDue) memory.quietAskMs = clock.monotonic() + limits.autoscalerMs;
    return { ...known, services: found, traffic, release };
  };

  /** Other autoscalers of the namespace whose targets select some of these pods, with this one, by name. */
  const rivalsOf = (
    { key, namespace, spec }: AutoscalerView,
    labels: readonly Readonly<Record<string, string>>[],
  ): readonly string[] => {
    const others = autoscalers.by("namespace", namespace).filter((other) => {
      if (other.key === key) return false;
      if (isSameTarget(other.spec.scaleTargetRef, spec.scaleTargetRef)) return true;
      const selector = memories.get(other.key)?.selector;
      return selector !== undefined && labels.some((each) => selector.matches(each));
    });
    return others.length === 0 ? [] : [key, ...others.map((other) => other.key)].sort();
  };

  const lookAgainMs = ({ spec }: AutoscalerView, sleep: ObservedSleep | undefined, scale: ObservedScale): number => {
    if (sleep?.hold?.spec.phase === "FallingAsleep") return limits.sleepNoticeMs;
    if (sleep?.wanted === true && scale.kind === "found" && scale.replicas === 0) return limits.autoscalerMs;
    const isQuick = (spec.metrics ?? []).some(({ type }) => type === "Resource" || type === "ContainerResource");
    return Math.max(
      isQuick ? limits.autoscalerResourceMs : limits.autoscalerMs,
      autoscalers.list().length * limits.autoscalerShareMs,
    );
  };

  return createLoop(dependencies, {
    name: "horizontal-pod-autoscaler",
    eventSource: "horizontal-pod-autoscaler",
    needs: [autoscalers, pods, replicaSets, services, holds, demands],
    watch: (enqueue) => [
      autoscalers.handle((key, old, current) => {
        // Our own writes of the status are no news.
        if (old === undefined || current === undefined || !isEqual(asked(old), asked(current))) enqueue(key);
      }),
      holds.handle((key) => enqueue(key)),
      demands.handle((_key, _old, current) => {
        if (current !== undefined) enqueue(current.holdKey);
      }),
    ],
    pass,
  });
}

const unasked: Traffic = { kind: "unasked" };

/** What an autoscaler is asked to do. */
function asked({ spec, annotations }: AutoscalerView): object {
  return { spec, scaleToZero: annotations[scaleToZeroAnnotation] };
}

/** One object, in whatever version it is named. */
function isSameTarget(a: CrossVersionObjectReference, b: CrossVersionObjectReference): boolean {
  const groupOf = ({ apiVersion = "" }: CrossVersionObjectReference): string => apiVersion.split("/").at(-2) ?? "";
  return a.kind === b.kind && a.name === b.name && groupOf(a) === groupOf(b);
}

/** A change counts for the policies once the target has the size that was asked for. */
function settleChange(memory: Memory, { spec }: AutoscalerView, scale: ObservedScale): void {
  const { change } = memory;
  if (change === undefined || scale.kind !== "found") return;
  memory.change = undefined;
  if (scale.replicas === change.to) {
    memory.history = rememberChange(memory.history, spec.behavior, change.to - change.from, change.atMs);
  }
}

async function readScale({ client, resources }: Dependencies, autoscaler: AutoscalerView): Promise<ObservedScale> {
  const { kind, name, apiVersion = "" } = autoscaler.spec.scaleTargetRef;
  try {
    const target = scalable(resources(), apiVersion, kind) ?? (await discoverScalable(client, apiVersion, kind));
    if (target === undefined) {
      const version = apiVersion === "" ? "v1" : apiVersion;
      return { kind: "failed", message: `no matches for kind "${kind}" in version "${version}"` };
    }
    const path = pathOf(target, { namespace: autoscaler.namespace, name, subresource: "scale" });
    const scale = (await client.request("GET", path)) as Scale;
    return {
      kind: "found",
      resource: target,
      resourceVersion: scale.metadata.resourceVersion ?? "",
      replicas: scale.spec.replicas ?? 0,
      statusReplicas: scale.status.replicas,
      selector: scale.status.selector ?? "",
    };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

/** What a group version says that it serves. */
interface ServedList {
  readonly resources: readonly (Pick<Resource<unknown>, "kind" | "namespaced" | "verbs"> & { readonly name: string })[];
}

/** A custom resource with a scale, found by discovery. */
async function discoverScalable(
  client: Client,
  apiVersion: string,
  kind: string,
): Promise<Resource<unknown> | undefined> {
  const [group = "", version = ""] = apiVersion.split("/");
  if (version === "") return undefined;
  const path = `/apis/${encodeURIComponent(group)}/${encodeURIComponent(version)}`;
  const { resources } = (await client.request("GET", path)) as ServedList;
  const named = resources.filter((resource) => !resource.name.includes("/") && resource.kind === kind);
  const found = named.find(({ name }) => resources.some((resource) => resource.name === `${name}/scale`));
  if (found === undefined) return undefined;
  const { name, namespaced, verbs } = found;
  const subresources = [{ name: "scale", kind: "Scale", verbs: ["get", "patch", "update"] }];
  const described = { group, version, resource: name, kind, namespaced, verbs, subresources };
  return { ...described, shortNames: [], categories: [], type: "" };
}
