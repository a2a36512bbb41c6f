import type {
  Binding,
  Container,
  ContainerStatus,
  EphemeralContainer,
  Pod,
  PodSpec,
  Toleration,
} from "../generated/core-v1.ts";
import type { RuleContext } from "../kind.ts";
import { qosClassOf } from "../pod-resources.ts";
import type { FieldErrors } from "./field-errors.ts";
import { semanticallyEqual } from "./immutable.ts";
import { isDns1123Subdomain } from "./names.ts";

const mutableFields =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
  "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

const mirrorAnnotation = "kubernetes.io/config.mirror";

/** What an update may change depends on the subresource through which it comes. */
export function validatePodUpdate(errors: FieldErrors, pod: Pod, old: Pod, context: RuleContext): void {
  if (pod.metadata.annotations?.[mirrorAnnotation] !== old.metadata.annotations?.[mirrorAnnotation]) {
    errors.forbidden(
      `metadata.annotations[${mirrorAnnotation}]`,
      "may not add, remove or change mirror pod annotation",
    );
  }
  switch (context.subresource) {
    case "status":
      validateStatus(errors, pod, old);
      break;
    case "ephemeralcontainers":
      validateEphemeral(errors, pod, old);
      break;
    case "resize":
      validateResize(errors, pod, old);
      break;
    default:
      validateMain(errors, pod, old);
  }
}

function withImages(containers: readonly Container[] | undefined, old: readonly Container[] | undefined): Container[] {
  return (containers ?? []).map((container, index) => {
    const image = old?.[index]?.image;
    const copy = { ...container };
    if (image === undefined) delete copy.image;
    else copy.image = image;
    return copy;
  });
}

function onlyAdded(tolerations: readonly Toleration[], old: readonly Toleration[]): boolean {
  const texts = new Set(tolerations.map(fixedText));
  return old.every((before) => texts.has(fixedText(before)));
}

/** What of a toleration may not change: all of it, but for the time of those of NoExecute. */
function fixedText({ key, operator, value, effect, tolerationSeconds }: Toleration): string {
  const seconds = effect === "NoExecute" ? "" : (tolerationSeconds ?? "");
  return JSON.stringify([key ?? "", operator ?? "", value ?? "", effect ?? "", String(seconds)]);
}

function validateDeadline(errors: FieldErrors, pod: Pod, old: Pod): void {
  const before = old.spec.activeDeadlineSeconds;
  const now = pod.spec.activeDeadlineSeconds;
  const field = "spec.activeDeadlineSeconds";
  if (before === undefined) return;
  if (now === undefined) errors.invalid(field, undefined, "must not update from a positive integer to nil value");
  else if (before < now) errors.invalid(field, now, "must be less than or equal to previous value");
}

function validateMain(errors: FieldErrors, pod: Pod, old: Pod): void {
  let lengthChanged = false;
  for (const name of ["containers", "initContainers"] as const) {
    if ((pod.spec[name] ?? []).length === (old.spec[name] ?? []).length) continue;
    errors.forbidden(`spec.${name}`, "pod updates may not add or remove containers");
    lengthChanged = true;
  }
  if (lengthChanged) return;
  validateDeadline(errors, pod, old);
  const gatesBefore = new Set((old.spec.schedulingGates ?? []).map((gate) => gate.name));
  const added = (pod.spec.schedulingGates ?? []).filter((gate) => !gatesBefore.has(gate.name)).map((gate) => gate.name);
  if (added.length > 0) {
    errors.forbidden(
      "spec.schedulingGates",
      `only deletion is allowed, but found new scheduling gates ${JSON.stringify(added)}`,
    );
  }
  if (!semanticallyEqual(munged(errors, pod, old), old.spec)) errors.forbidden("spec", mutableFields);
}

/** The new spec with everything that may change set back to the stored value: what then differs is forbidden. */
function munged(errors: FieldErrors, pod: Pod, old: Pod): PodSpec {
  const spec: PodSpec = { ...pod.spec, containers: withImages(pod.spec.containers, old.spec.containers) };
  if (pod.spec.initContainers !== undefined)
    spec.initContainers = withImages(pod.spec.initContainers, old.spec.initContainers);
  restore(spec, old.spec, "activeDeadlineSeconds");
  restore(spec, old.spec, "schedulingGates");
  if (onlyAdded(pod.spec.tolerations ?? [], old.spec.tolerations ?? [])) restore(spec, old.spec, "tolerations");
  else errors.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
  if ((old.spec.terminationGracePeriodSeconds ?? 0) < 0 && pod.spec.terminationGracePeriodSeconds === 1) {
    restore(spec, old.spec, "terminationGracePeriodSeconds");
  }
  // No scheduler has looked at a gated pod, so where it may go can still be narrowed.
  if ((old.spec.schedulingGates ?? []).length > 0) {
    const selector = pod.spec.nodeSelector ?? {};
    for (const key in old.spec.nodeSelector) {
      if (selector[key] !== old.spec.nodeSelector[key]) {
        errors.invalid(`spec.nodeSelector`, selector, "only additions are allowed (no mutations or deletions)");
        break;
      }
    }
    restore(spec, old.spec, "nodeSelector");
    restore(spec, old.spec, "affinity");
  }
  return spec;
}

function restore<K extends keyof PodSpec>(spec: PodSpec, old: PodSpec, name: K): void {
  if (old[name] === undefined) delete spec[name];
  else spec[name] = old[name];
}

function byName(containers: readonly EphemeralContainer[] | undefined): Map<string, EphemeralContainer> {
  return new Map((containers ?? []).map((container) => [container.name, container]));
}

function validateEphemeral(errors: FieldErrors, pod: Pod, old: Pod): void {
  if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) {
    errors.forbidden("", "static pods do not support ephemeral containers");
  }
  const now = byName(pod.spec.ephemeralContainers);
  for (const [name, before] of byName(old.spec.ephemeralContainers)) {
    const after = now.get(name);
    const quotedName = JSON.stringify(name);
    if (after === undefined) {
      errors.forbidden("spec.ephemeralContainers", `existing ephemeral containers ${quotedName} may not be removed\n`);
    } else if (!semanticallyEqual(after, before)) {
      errors.forbidden("spec.ephemeralContainers", `existing ephemeral containers ${quotedName} may not be changed\n`);
    }
  }
}

const resizable = ["cpu", "memory"];

function validateResize(errors: FieldErrors, pod: Pod, old: Pod): void {
  if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) {
    errors.forbidden("", "static pods cannot be resized");
  }
  if (qosClassOf(pod) !== qosClassOf(old)) {
    errors.invalid("spec", qosClassOf(pod), "Pod QOS Class may not change as a result of resizing");
  }
  if ((pod.spec.containers ?? []).length !== (old.spec.containers ?? []).length) {
    errors.forbidden("spec", "only cpu and memory resources are mutable");
    return;
  }
  pod.spec.containers.forEach((container, index) =>
    validateResizeOf(errors, `spec.containers[${index}]`, container, old.spec.containers[index]),
  );
  pod.spec.initContainers?.forEach((container, index) => {
    const before = old.spec.initContainers?.[index];
    const at = `spec.initContainers[${index}]`;
    if (semanticallyEqual(container.resources, before?.resources)) return;
    if (container.restartPolicy === "Always") validateResizeOf(errors, at, container, before);
    else errors.forbidden(at, "resources for non-sidecar init containers are immutable");
  });
}

function validateResizeOf(errors: FieldErrors, at: string, container: Container, before: Container | undefined): void {
  for (const list of ["limits", "requests"] as const) {
    const now = container.resources?.[list] ?? {};
    const then = before?.resources?.[list] ?? {};
    for (const name of new Set([...Object.keys(now), ...Object.keys(then)])) {
      if (now[name] === then[name]) continue;
      if (!resizable.includes(name))
        errors.forbidden(`${at}.resources.${list}`, "only cpu and memory resources are mutable");
      else if (now[name] === undefined)
        errors.forbidden(`${at}.resources.${list}`, `resource ${list} cannot be removed`);
    }
  }
}

function validateStatus(errors: FieldErrors, pod: Pod, old: Pod): void {
  const nominated = pod.status.nominatedNodeName;
  if (nominated) errors.invalidEach("status.nominatedNodeName", nominated, isDns1123Subdomain(nominated));
  if (old.spec.restartPolicy !== "Always") {
    validateTransitions(
      errors,
      "status.containerStatuses",
      pod.status.containerStatuses,
      old.status.containerStatuses,
      old,
    );
  }
  if (pod.status.qosClass !== old.status.qosClass && old.status.qosClass !== undefined) {
    errors.invalid("status.qosClass", pod.status.qosClass, "field is immutable");
  }
}

/** A container that ended for good does not come back. */
function validateTransitions(
  errors: FieldErrors,
  field: string,
  statuses: readonly ContainerStatus[] | undefined,
  old: readonly ContainerStatus[] | undefined,
  pod: Pod,
): void {
  for (const before of old ?? []) {
    const ended = before.state?.terminated;
    if (ended === undefined) continue;
    if (pod.spec.restartPolicy === "OnFailure" && (ended.exitCode ?? 0) !== 0) continue;
    const container = pod.spec.containers.find((candidate) => candidate.name === before.name);
    if (container?.restartPolicy !== undefined || (container?.restartPolicyRules?.length ?? 0) > 0) continue;
    (statuses ?? []).forEach((status, index) => {
      if (status.name === before.name && status.state?.terminated === undefined) {
        errors.forbidden(`${field}[${index}].state`, "may not be transitioned to non-terminated state");
      }
    });
  }
}

/** The body of pods/binding, and of the old bindings resource. */
export function validateBinding(errors: FieldErrors, binding: Binding): void {
  const { kind, name } = binding.target ?? {};
  if (kind && kind !== "Node") errors.notSupported("target.kind", kind, ["Node", "<empty>"]);
  if (!name) errors.required("target.name");
}
