import { ingressclasses, ingresses, nodes, pods, runtimeclasses } from "#api/generated/resources.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { getStored, listStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { allow, forbid, isAbout, objectOf } from "./request.ts";

/** New nodes take no pods until the node lifecycle controller has seen them ready. */
export function taintNodesByCondition(): AdmissionPlugin {
  const taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };
  return {
    name: "TaintNodesByCondition",
    mutate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, nodes)) return allow;
      const node = objectOf(request, nodes);
      if (
        node === undefined ||
        node.spec?.taints?.some((one) => one.key === taint.key && one.effect === taint.effect) === true
      )
        return allow;
      ((node.spec ??= {}).taints ??= []).push({ ...taint });
      return allow;
    },
  };
}

/** An Ingress that names no class gets the default one; several defaults are a mistake that somebody must clear up. */
export function defaultIngressClass(objects: ObjectReader): AdmissionPlugin {
  return {
    name: "DefaultIngressClass",
    mutate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, ingresses)) return allow;
      const ingress = objectOf(request, ingresses);
      if (ingress === undefined || ingress.spec.ingressClassName !== undefined) return allow;
      if (ingress.metadata.annotations?.["kubernetes.io/ingress.class"] !== undefined) return allow;
      const isDefault = "ingressclass.kubernetes.io/is-default-class";
      const marked = listStored(objects, ingressclasses).filter(
        (one) => one.metadata.annotations?.[isDefault] === "true",
      );
      const newest = marked.sort((a, b) =>
        (a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? 1 : -1,
      )[0];
      if (newest?.metadata.name !== undefined) ingress.spec.ingressClassName = newest.metadata.name;
      return allow;
    },
  };
}

/** A pod's runtime class gives it overhead, node selector and tolerations. */
export function runtimeClass(objects: ObjectReader): AdmissionPlugin {
  return {
    name: "RuntimeClass",
    mutate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, pods)) return allow;
      const pod = objectOf(request, pods);
      const name = pod?.spec.runtimeClassName;
      if (pod === undefined || name === undefined || name === "") return allow;
      const found = getStored(objects, runtimeclasses, undefined, name);
      if (found === undefined) return forbid(`pod rejected: RuntimeClass "${name}" not found`);
      const { overhead, scheduling } = found;
      if (
        overhead?.podFixed !== undefined &&
        pod.spec.overhead !== undefined &&
        !sameAmounts(overhead.podFixed, pod.spec.overhead)
      ) {
        return forbid("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
      }
      if (overhead?.podFixed !== undefined) pod.spec.overhead = { ...overhead.podFixed };
      for (const [key, value] of Object.entries(scheduling?.nodeSelector ?? {})) {
        const own = pod.spec.nodeSelector?.[key];
        if (own !== undefined && own !== value)
          return forbid(
            `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
          );
        (pod.spec.nodeSelector ??= {})[key] = value;
      }
      for (const toleration of scheduling?.tolerations ?? []) {
        const tolerations = (pod.spec.tolerations ??= []);
        if (!tolerations.some((one) => JSON.stringify(one) === JSON.stringify(toleration)))
          tolerations.push({ ...toleration });
      }
      return allow;
    },
    validate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, pods)) return allow;
      const spec = objectOf(request, pods)?.spec;
      const own = spec?.runtimeClassName
        ? getStored(objects, runtimeclasses, undefined, spec.runtimeClassName)?.overhead?.podFixed
        : undefined;
      return spec?.overhead !== undefined && own === undefined
        ? forbid("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
        : allow;
    },
  };
}

function sameAmounts(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => a[name] === b[name]);
}

const topologyLabels = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

interface Binding {
  readonly target?: { readonly kind?: string; readonly name?: string };
  readonly metadata?: { labels?: Record<string, string> };
}

/** A pod that is bound learns the zone and region of its node as labels (for the downward API). */
export function podTopologyLabels(objects: ObjectReader): AdmissionPlugin {
  return {
    name: "PodTopologyLabels",
    mutate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, pods, "binding")) return allow;
      const binding = request.object as Binding | undefined;
      const labels = objects.labels(nodes, undefined, binding?.target?.name ?? "");
      for (const name of topologyLabels) {
        const value = labels?.[name];
        if (value !== undefined && binding?.metadata !== undefined) (binding.metadata.labels ??= {})[name] = value;
      }
      return allow;
    },
  };
}
