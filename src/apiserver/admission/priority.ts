import type { Pod } from "#api/generated/core-v1.ts";
import { pods, priorityclasses } from "#api/generated/resources.ts";
import type { PriorityClass } from "#api/generated/scheduling-v1.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import { getStored, listStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { allow, forbid, isAbout, objectOf, oldObjectOf } from "./request.ts";

const preemptingPolicy = "PreemptLowerPriority";
const computedFrom = "priority admission controller computed";

/** Turns a pod's priority class into its number, and keeps one class the default at most. */
export function priority(objects: ObjectReader): AdmissionPlugin {
  return {
    name: "Priority",
    mutate(request) {
      if (!isAbout(request, pods)) return allow;
      const pod = request.operation === "DELETE" ? undefined : objectOf(request, pods);
      if (pod === undefined) return allow;
      return request.operation === "CREATE" ? setPriority(pod, objects) : keepPriority(request, pod);
    },
    validate(request) {
      if (!isAbout(request, priorityclasses) || request.operation === "DELETE") return allow;
      const asked = objectOf(request, priorityclasses);
      if (asked?.globalDefault !== true) return allow;
      const other = defaultClass(objects);
      if (other === undefined || other.metadata.name === asked.metadata.name) return allow;
      return forbid(`PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`);
    },
  };
}

/** Clients that do not know the field leave it out of updates. */
function keepPriority(request: AdmissionRequest, pod: Pod): Verdict {
  const old = oldObjectOf(request, pods);
  if (old?.spec.priority !== undefined) pod.spec.priority ??= old.spec.priority;
  if (old?.spec.preemptionPolicy !== undefined) pod.spec.preemptionPolicy ??= old.spec.preemptionPolicy;
  return allow;
}

function setPriority(pod: Pod, objects: ObjectReader): Verdict {
  const { spec } = pod;
  let found: PriorityClass | undefined;
  if (spec.priorityClassName) {
    found = getStored(objects, priorityclasses, undefined, spec.priorityClassName);
    if (found === undefined) return forbid(`no PriorityClass with name ${spec.priorityClassName} was found`);
  } else {
    found = defaultClass(objects);
    if (found?.metadata.name !== undefined) spec.priorityClassName = found.metadata.name;
  }
  const value = found?.value ?? 0;
  if (spec.priority !== undefined && spec.priority !== value) {
    const message = `the integer value of priority (${spec.priority}) must not be provided in pod spec`;
    return forbid(`${message}; ${computedFrom} ${value} from the given PriorityClass name`);
  }
  const policy = found?.preemptionPolicy ?? preemptingPolicy;
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    const message = `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec`;
    return forbid(`${message}; ${computedFrom} ${policy} from the given PriorityClass name`);
  }
  spec.priority = value;
  spec.preemptionPolicy = policy;
  return allow;
}

/** Should several be marked, in spite of all: the lowest, so that nothing gains by it. */
function defaultClass(objects: ObjectReader): PriorityClass | undefined {
  const marked = listStored(objects, priorityclasses).filter((one) => one.globalDefault === true);
  return marked.reduce<PriorityClass | undefined>(
    (lowest, one) => (lowest === undefined || one.value < lowest.value ? one : lowest),
    undefined,
  );
}
