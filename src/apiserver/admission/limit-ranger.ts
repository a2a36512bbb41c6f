import type { Container, LimitRangeItem, Pod } from "#api/generated/core-v1.ts";
import { writtenAmounts, type Amounts } from "#api/pod-resources.ts";
import { formatQuantity } from "#codec/quantity.ts";
import { limitranges, persistentvolumeclaims, pods } from "#api/generated/resources.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";
import { listStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { violations } from "./limit-range-check.ts";
import { allow, forbid, isAbout, objectOf } from "./request.ts";

const annotation = "kubernetes.io/limit-ranger";

/** Gives containers the requests and limits of their namespace, and keeps pods and claims within its bounds. */
export function limitRanger(objects: ObjectReader): AdmissionPlugin {
  return {
    name: "LimitRanger",
    mutate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, pods)) return allow;
      const pod = objectOf(request, pods);
      if (pod !== undefined) setDefaults(pod, itemsOf(objects, request.namespace, "Container"));
      return allow;
    },
    validate(request) {
      const problems = judge(request, objects);
      if (problems.length === 0) return allow;
      return forbid(problems.length === 1 ? (problems[0] ?? "") : `[${problems.join(", ")}]`);
    },
  };
}

function itemsOf(objects: ObjectReader, namespace: string, type: string): LimitRangeItem[] {
  return listStored(objects, limitranges, namespace).flatMap((range) =>
    range.spec.limits.filter((item) => item.type === type),
  );
}

function setDefaults(pod: Pod, items: readonly LimitRangeItem[]): void {
  const notes: string[] = [];
  const note = (container: Container, what: string, names: readonly string[]): void => {
    if (names.length !== 0) notes.push(`${[...names].sort().join(", ")} ${what} ${container.name}`);
  };
  for (const item of items) {
    const both = (pod.spec.containers ?? []).map((container) => ({ container, kind: "container" }));
    both.push(...(pod.spec.initContainers ?? []).map((container) => ({ container, kind: "init container" })));
    for (const { container, kind } of both) {
      note(container, `request for ${kind}`, fill(container, "requests", item.defaultRequest));
      note(container, `limit for ${kind}`, fill(container, "limits", item.default));
    }
  }
  if (notes.length !== 0) (pod.metadata.annotations ??= {})[annotation] = `LimitRanger plugin set: ${notes.join("; ")}`;
}

/** The names that were missing and are set now. */
function fill(
  container: Container,
  which: "requests" | "limits",
  defaults: Readonly<Record<string, string>> | undefined,
): string[] {
  const missing = Object.entries(defaults ?? {}).filter(([name]) => container.resources?.[which]?.[name] === undefined);
  if (missing.length === 0) return [];
  const resources = (container.resources ??= {});
  resources[which] = { ...resources[which], ...Object.fromEntries(missing) };
  return missing.map(([name]) => name);
}

function judge(request: AdmissionRequest, objects: ObjectReader): string[] {
  const resized = request.operation === "UPDATE" && isAbout(request, pods, "resize");
  if (resized || (request.operation === "CREATE" && isAbout(request, pods))) {
    const pod = objectOf(request, pods);
    return pod === undefined ? [] : judgePod(pod, request.namespace, objects);
  }
  if (request.operation === "DELETE" || !isAbout(request, persistentvolumeclaims)) return [];
  const claim = objectOf(request, persistentvolumeclaims);
  const items = itemsOf(objects, request.namespace, "PersistentVolumeClaim");
  return items.flatMap((item) => violations(item, claim?.spec.resources ?? {}));
}

function judgePod(pod: Pod, namespace: string, objects: ObjectReader): string[] {
  const containers = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])];
  const byContainer = itemsOf(objects, namespace, "Container").flatMap((item) =>
    containers.flatMap((container) => violations(item, container.resources ?? {})),
  );
  const whole = itemsOf(objects, namespace, "Pod");
  if (whole.length === 0) return byContainer;
  const amounts = {
    requests: textsOf(writtenAmounts(pod, "requests")),
    limits: textsOf(writtenAmounts(pod, "limits")),
  };
  return [...byContainer, ...whole.flatMap((item) => violations(item, amounts))];
}

function textsOf(amounts: Amounts): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, formatQuantity(amount)]));
}
