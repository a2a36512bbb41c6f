import type {
  Container,
  EphemeralContainer,
  HTTPGetAction,
  Lifecycle,
  PodSpec,
  PodTemplateSpec,
  Probe,
} from "../generated/core-v1.ts";
import { defaultVolume } from "./volumes.ts";

/** The tag of an image reference; empty when it has none or is given by digest only. */
function imageTag(image: string): string {
  const [name = ""] = image.split("@");
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(colon + 1) : "";
}

function imagePullPolicyOf(image: string): string {
  const tag = imageTag(image);
  // A digest without a tag names one image for ever; no tag at all means `latest`.
  if (tag === "latest" || (tag === "" && !image.includes("@"))) return "Always";
  return "IfNotPresent";
}

function defaultHttpGet(action: HTTPGetAction): void {
  if (!action.path) action.path = "/";
  if (!action.scheme) action.scheme = "HTTP";
}

function defaultProbe(probe: Probe | undefined): void {
  if (probe === undefined) return;
  if (!probe.timeoutSeconds) probe.timeoutSeconds = 1;
  if (!probe.periodSeconds) probe.periodSeconds = 10;
  if (!probe.successThreshold) probe.successThreshold = 1;
  if (!probe.failureThreshold) probe.failureThreshold = 3;
  if (probe.httpGet !== undefined) defaultHttpGet(probe.httpGet);
  if (probe.grpc !== undefined && probe.grpc.service === undefined) probe.grpc.service = "";
}

function defaultLifecycle(lifecycle: Lifecycle | undefined): void {
  if (lifecycle?.postStart?.httpGet !== undefined) defaultHttpGet(lifecycle.postStart.httpGet);
  if (lifecycle?.preStop?.httpGet !== undefined) defaultHttpGet(lifecycle.preStop.httpGet);
}

function defaultContainer(container: Container | EphemeralContainer): void {
  container.resources ??= {};
  if (!container.imagePullPolicy) container.imagePullPolicy = imagePullPolicyOf(container.image ?? "");
  if (!container.terminationMessagePath) container.terminationMessagePath = "/dev/termination-log";
  if (!container.terminationMessagePolicy) container.terminationMessagePolicy = "File";
  for (const port of container.ports ?? []) if (!port.protocol) port.protocol = "TCP";
  for (const variable of container.env ?? []) {
    const from = variable.valueFrom;
    if (from?.fieldRef !== undefined && !from.fieldRef.apiVersion) from.fieldRef.apiVersion = "v1";
    if (from?.fileKeyRef !== undefined && from.fileKeyRef.optional === undefined) from.fileKeyRef.optional = false;
    if (from?.resourceFieldRef !== undefined) from.resourceFieldRef.divisor ??= "0";
  }
  defaultProbe(container.livenessProbe);
  defaultProbe(container.readinessProbe);
  defaultProbe(container.startupProbe);
  defaultLifecycle(container.lifecycle);
}

/** What a PodSpec gets wherever it stands: in a Pod or in a template. */
export function defaultPodSpec(spec: PodSpec): void {
  if (!spec.dnsPolicy) spec.dnsPolicy = "ClusterFirst";
  if (!spec.restartPolicy) spec.restartPolicy = "Always";
  if (spec.hostNetwork === true) defaultHostPorts(spec);
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  if (!spec.schedulerName) spec.schedulerName = "default-scheduler";
  // Two names for one field, kept equal for old clients.
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount;
  spec.volumes?.forEach(defaultVolume);
  spec.initContainers?.forEach(defaultContainer);
  spec.containers?.forEach(defaultContainer);
  spec.ephemeralContainers?.forEach(defaultContainer);
  for (const constraint of spec.topologySpreadConstraints ?? []) {
    constraint.nodeAffinityPolicy ??= "Honor";
    constraint.nodeTaintsPolicy ??= "Ignore";
  }
}

export function defaultPodTemplate(template: PodTemplateSpec): void {
  template.metadata ??= {};
  template.spec ??= { containers: [] };
  defaultPodSpec(template.spec);
}

function defaultHostPorts(spec: PodSpec): void {
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
}

/** What only a Pod itself gets: requests from limits, and the switch for service variables. */
export function defaultPod(spec: PodSpec): void {
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    requestsFromLimits(container.resources);
  }
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork === true) defaultHostPorts(spec);
}

function requestsFromLimits(resources: Container["resources"] | undefined): void {
  if (resources?.limits === undefined) return;
  resources.requests ??= {};
  for (const name in resources.limits) resources.requests[name] ??= resources.limits[name] ?? "0";
}
