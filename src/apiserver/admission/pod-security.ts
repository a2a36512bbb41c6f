import type { PodSpec } from "#api/generated/core-v1.ts";
import type { ObjectMeta } from "#api/generated/meta-v1.ts";
import { namespaces, pods } from "#api/generated/resources.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import { getStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
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

/** Holds pods against the Pod Security Standards that their namespace's labels ask for; templates are only warned about. */
export function podSecurity(objects: ObjectReader): AdmissionPlugin {
  return {
    name: "PodSecurity",
    validate(request) {
      if (request.operation !== "CREATE" && request.operation !== "UPDATE") return allow;
      if (request.resource === namespaces.resource && request.group === "" && request.subresource === "")
        return judgeLabels(request);
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

function judge(request: AdmissionRequest, template: PodTemplate, labels: Readonly<Record<string, string>>): Verdict {
  const [enforce, audit, warn] = [policyOf(labels, "enforce"), policyOf(labels, "audit"), policyOf(labels, "warn")];
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

function problem(policy: Policy, { metadata = {}, spec }: PodTemplate): string | undefined {
  if (policy.level === "privileged" || spec === undefined) return undefined;
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
  const violations = violationsOf(policy.level, { metadata, spec, containers, minor: policy.minor });
  return violations.length === 0
    ? undefined
    : `PodSecurity "${policy.level}:${policy.version}": ${violations.join(", ")}`;
}

/** What cannot be read is taken as the strictest, so that a slip of the pen opens nothing. */
function policyOf(labels: Readonly<Record<string, string>>, mode: "enforce" | "audit" | "warn"): Policy {
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
  for (const mode of ["enforce", "audit", "warn"]) {
    const level = labels[`${prefix}${mode}`];
    const version = labels[`${prefix}${mode}-version`];
    const unchanged = level === old[`${prefix}${mode}`] && version === old[`${prefix}${mode}-version`];
    if (unchanged) continue;
    const name = request.name;
    const refuse = (key: string, value: string, why: string): Verdict => {
      const field = `metadata.labels[${prefix}${key}]`;
      const message = `Invalid value: ${JSON.stringify(value)}: ${why}`;
      const text = `Namespace "${name}" is invalid: ${field}: ${message}`;
      return {
        allowed: false,
        code: 422,
        reason: "Invalid",
        message: text,
        causes: [{ field, reason: "FieldValueInvalid", message }],
      };
    };
    if (level !== undefined && !levels.includes(level))
      return refuse(mode, level, `must be one of ${levels.join(", ")}`);
    if (version !== undefined && minorOf(version) === undefined)
      return refuse(`${mode}-version`, version, 'must be "latest" or "v1.x"');
  }
  return allow;
}
