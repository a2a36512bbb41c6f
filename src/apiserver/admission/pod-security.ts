import type { PodSpec } from "#api/generated/core-v1.ts";
import type { ObjectMeta } from "#api/generated/meta-v1.ts";
import { namespaces, pods } from "#api/generated/resources.ts";
import type { Labels } from "#api/label-match.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import type { Clock } from "#world/clock.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import { getStored } from "../authorize/stored.ts";
import { invalid } from "../failure.ts";
import type { ObjectReader } from "../object-reader.ts";
import { Turn, type TurnTimers } from "../turns.ts";
import { heldPodsMax } from "./limits.ts";
import { allow, forbid } from "./request.ts";
import { violationsOf, type Level } from "./pod-security-checks.ts";

const prefix = "pod-security.kubernetes.io/";
/** The minor version of the standards that `latest` means. */
const latestMinor = 36;
const levels: readonly string[] = ["privileged", "baseline", "restricted"];

interface Policy {
  readonly level: Level;
  /** As people wrote it: `latest`, `v1.30`. */
  readonly version: string;
  readonly minor: number;
}

interface PodTemplate {
  readonly metadata?: ObjectMeta;
  readonly spec?: PodSpec;
}

export interface PodSecurityParts {
  readonly objects: ObjectReader;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: TurnTimers;
}

/**
 * Holds pods against the Pod Security Standards that their namespace's labels ask for; templates, and pods that run when the labels
 * are written, are only warned about. https://kubernetes.io/docs/concepts/security/pod-security-admission/
 */
export function podSecurity(parts: PodSecurityParts): AdmissionPlugin {
  const { objects } = parts;
  return {
    name: "PodSecurity",
    validate(request) {
      if (request.operation !== "CREATE" && request.operation !== "UPDATE") return allow;
      if (request.resource === namespaces.resource && request.group === "" && request.subresource === "") {
        const verdict = judgeLabels(request);
        const raised = verdict.allowed ? raisedPolicy(request) : undefined;
        return raised === undefined ? verdict : warnOfPods(parts, request, raised);
      }
      const found = templateOf(request);
      if (found?.spec === undefined) return allow;
      const labels = getStored(objects, namespaces, undefined, request.namespace)?.metadata.labels ?? {};
      return judge(request, found, labels);
    },
  };
}

/** The pod of a request, or the template in a workload; undefined for everything else. */
function templateOf(request: AdmissionRequest): PodTemplate | undefined {
  const object = request.object as (PodTemplate & { template?: PodTemplate }) | undefined;
  const spec = object?.spec as
    | { template?: PodTemplate; jobTemplate?: { spec?: { template?: PodTemplate } } }
    | undefined;
  switch (`${request.group}/${request.resource}${request.subresource === "" ? "" : `/${request.subresource}`}`) {
    case "/pods":
    case "/pods/ephemeralcontainers":
      return isSignificant(request) ? object : undefined;
    case "/podtemplates":
      return object?.template;
    case "/replicationcontrollers":
    case "apps/replicasets":
    case "apps/deployments":
    case "apps/statefulsets":
    case "apps/daemonsets":
    case "batch/jobs":
      return spec?.template;
    case "batch/cronjobs":
      return spec?.jobTemplate?.spec?.template;
    default:
      return undefined;
  }
}

/** Of a pod that runs already, only what the standards look at counts: labels and tolerations may change. */
function isSignificant(request: AdmissionRequest): boolean {
  if (request.operation === "CREATE" || request.subresource !== "") return true;
  const essence = (object: PodTemplate | undefined): string => {
    const { tolerations: _, ...spec } = object?.spec ?? { containers: [] };
    const appArmor = Object.entries(object?.metadata?.annotations ?? {}).filter(([key]) =>
      key.startsWith("container.apparmor"),
    );
    return JSON.stringify([spec, appArmor]);
  };
  return essence(request.object as PodTemplate | undefined) !== essence(request.oldObject as PodTemplate | undefined);
}

function judge(request: AdmissionRequest, template: PodTemplate, labels: Labels): Verdict {
  const { enforce, audit, warn } = policiesOf(labels);
  const isPod = request.resource === pods.resource;
  request.auditAnnotations[`${prefix}enforce-policy`] = `${enforce.level}:${enforce.version}`;
  const audited = problem(audit, template);
  if (audited !== undefined) request.auditAnnotations[`${prefix}audit-violations`] = `would violate ${audited}`;
  const enforced = isPod ? problem(enforce, template) : undefined;
  if (enforced !== undefined) return forbid(`violates ${enforced}`);
  const warned = problem(warn, template);
  if (warned !== undefined) request.warnings.push(`would violate ${warned}`);
  return allow;
}

function problem(policy: Policy, template: PodTemplate): string | undefined {
  const found = violations(policy, template);
  return found.length === 0 ? undefined : `PodSecurity "${policy.level}:${policy.version}": ${found.join(", ")}`;
}

function violations({ level, minor }: Policy, { metadata = {}, spec }: PodTemplate): readonly string[] {
  if (level === "privileged" || spec === undefined) return [];
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
  return violationsOf(level, { metadata, spec, containers, minor });
}

interface Policies {
  readonly enforce: Policy;
  readonly audit: Policy;
  readonly warn: Policy;
}

/** By the labels of a stored namespace, which nobody changes. */
const policies = new WeakMap<Labels, Policies>();

function policiesOf(labels: Labels): Policies {
  let known = policies.get(labels);
  if (known === undefined) {
    known = {
      enforce: policyOf(labels, "enforce"),
      audit: policyOf(labels, "audit"),
      warn: policyOf(labels, "warn"),
    };
    policies.set(labels, known);
  }
  return known;
}

/** What cannot be read is taken as the strictest, so that a slip of the pen opens nothing. */
function policyOf(labels: Labels, mode: "enforce" | "audit" | "warn"): Policy {
  const level = labels[`${prefix}${mode}`] ?? "privileged";
  const version = labels[`${prefix}${mode}-version`] ?? "latest";
  const minor = minorOf(version);
  if (!levels.includes(level)) return { level: "restricted", version: "latest", minor: latestMinor };
  return { level: level as Level, version: minor === undefined ? "latest" : version, minor: minor ?? latestMinor };
}

function minorOf(version: string): number | undefined {
  if (version === "latest") return latestMinor;
  const match = /^v1\.(0|[1-9]\d{0,3})$/.exec(version);
  return match === null ? undefined : Number(match[1]);
}

/** Labels that mean nothing are refused when they are written. */
function judgeLabels(request: AdmissionRequest): Verdict {
  const labels = request.object?.metadata.labels ?? {};
  const old = request.oldObject?.metadata.labels ?? {};
  const errors = new FieldErrors();
  for (const mode of ["enforce", "audit", "warn"]) {
    const [key, versionKey] = [`${prefix}${mode}`, `${prefix}${mode}-version`];
    const [level, version] = [labels[key], labels[versionKey]];
    if (level === old[key] && version === old[versionKey]) continue;
    if (level !== undefined && !levels.includes(level))
      errors.invalid(`metadata.labels[${key}]`, level, `must be one of ${levels.join(", ")}`);
    if (version !== undefined && minorOf(version) === undefined)
      errors.invalid(`metadata.labels[${versionKey}]`, version, 'must be "latest" or "v1.x"');
  }
  if (errors.list.length === 0) return allow;
  const { code, reason, message } = invalid("", "Namespace", request.name, errors.list);
  return { allowed: false, code, reason, message, causes: errors.list };
}

/** The level that an update makes stricter, or holds against another version of the standards; undefined when it does neither. */
function raisedPolicy({ object, oldObject }: AdmissionRequest): Policy | undefined {
  if (object === undefined || oldObject === undefined) return undefined;
  const policy = policyOf(object.metadata.labels ?? {}, "enforce");
  const old = policyOf(oldObject.metadata.labels ?? {}, "enforce");
  const isLooser = policy.version === old.version && levels.indexOf(policy.level) <= levels.indexOf(old.level);
  return policy.level === "privileged" || isLooser ? undefined : policy;
}

/** Who raises the level hears which of the pods that run would not be let in any more; they go on. */
async function warnOfPods(parts: PodSecurityParts, request: AdmissionRequest, policy: Policy): Promise<Verdict> {
  const found = new Map<string, { readonly first: string; count: number }>();
  let turn = new Turn(parts.clock);
  let held = 0;
  for (const pod of parts.objects.each(pods, request.name)) {
    if (heldPodsMax <= held) {
      request.warnings.push(`new PodSecurity enforce level only checked against the first ${held} existing pods`);
      break;
    }
    held += 1;
    const controls = violations(policy, pod as PodTemplate).map((text) => text.split(" (", 1)[0]!);
    const what = controls.join(", ");
    const known = found.get(what);
    if (known !== undefined) known.count += 1;
    else if (what !== "") found.set(what, { first: pod.metadata.name ?? "", count: 1 });
    if (!turn.isOver()) continue;
    await parts.timers.yield();
    turn = new Turn(parts.clock);
  }
  if (found.size === 0) return allow;
  const title = `existing pods in namespace "${request.name}" violate the new PodSecurity enforce level`;
  request.warnings.push(`${title} "${policy.level}:${policy.version}"`, ...[...found].map(told).toSorted());
  return allow;
}

function told([what, { first, count }]: readonly [string, { readonly first: string; readonly count: number }]): string {
  const others = count === 1 ? "" : ` (and ${count - 1} other ${count === 2 ? "pod" : "pods"})`;
  return `${first}${others}: ${what}`;
}
