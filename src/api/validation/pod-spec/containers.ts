import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  PodSpec,
  Volume,
  VolumeMount,
} from "../../generated/core-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { isDns1123Label, isValidPortName } from "../names.ts";
import { validateDescendingPath } from "../paths.ts";
import { isPortNumber, validatePortNumber } from "../ports.ts";
import { validateEnvFrom, validateEnvironment } from "./environment.ts";
import { validateKillingProbe, validateLifecycle, validateReadinessProbe } from "./probes.ts";
import { validateResizePolicy, validateResources } from "./resources.ts";
import { validateContainerSecurity } from "./security.ts";

const protocols = ["SCTP", "TCP", "UDP"];
const pullPolicies = ["Always", "IfNotPresent", "Never"];
const terminationPolicies = ["FallbackToLogsOnError", "File"];
const propagations = ["Bidirectional", "HostToContainer", "None"];
const recursiveReadOnly = ["Disabled", "Enabled", "IfPossible"];
const restartPolicies = ["Always", "Never", "OnFailure"];

/** What the containers of a pod are checked against. */
export interface PodFrame {
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly claims: ReadonlySet<string>;
  readonly spec: PodSpec;
  readonly graceSeconds: number;
}

function validatePorts(
  errors: FieldErrors,
  field: string,
  ports: readonly ContainerPort[] | undefined,
  hostNetwork: boolean,
): void {
  const names = new Set<string>();
  ports?.forEach((port, index) => {
    const at = `${field}[${index}]`;
    if (port.name) {
      const problems = isValidPortName(port.name);
      errors.invalidEach(`${at}.name`, port.name, problems);
      if (problems.length === 0 && names.has(port.name)) errors.duplicate(`${at}.name`, port.name);
      names.add(port.name);
    }
    if (!port.containerPort) errors.required(`${at}.containerPort`);
    else validatePortNumber(errors, `${at}.containerPort`, port.containerPort);
    if (port.hostPort) {
      validatePortNumber(errors, `${at}.hostPort`, port.hostPort);
      if (hostNetwork && port.hostPort !== port.containerPort && isPortNumber(port.hostPort)) {
        errors.invalid(`${at}.hostPort`, port.hostPort, "must match `containerPort` when `hostNetwork` is true");
      }
    }
    errors.oneOf(`${at}.protocol`, port.protocol, protocols);
  });
}

function isClaim(volume: Volume | undefined): boolean {
  return volume?.persistentVolumeClaim !== undefined || volume?.ephemeral !== undefined;
}

function validateMount(
  errors: FieldErrors,
  at: string,
  mount: VolumeMount,
  container: Container,
  frame: PodFrame,
): void {
  if (!mount.name) errors.required(`${at}.name`);
  if (mount.name && !frame.volumes.has(mount.name)) errors.notFound(`${at}.name`, mount.name);
  if (!mount.mountPath) errors.required(`${at}.mountPath`);
  if (mount.subPath) validateDescendingPath(errors, `${at}.subPath`, mount.subPath);
  if (mount.subPathExpr) {
    if (mount.subPath)
      errors.invalid(`${at}.subPathExpr`, mount.subPathExpr, "subPathExpr and subPath are mutually exclusive");
    validateDescendingPath(errors, `${at}.subPathExpr`, mount.subPathExpr);
  }
  const propagation = mount.mountPropagation;
  if (propagation !== undefined) {
    if (!propagations.includes(propagation)) errors.notSupported(`${at}.mountPropagation`, propagation, propagations);
    if (propagation === "Bidirectional" && container.securityContext?.privileged !== true) {
      errors.forbidden(
        `${at}.mountPropagation`,
        "Bidirectional mount propagation is available only to privileged containers",
      );
    }
  }
  const recursive = mount.recursiveReadOnly;
  if (recursive === undefined || recursive === "Disabled") return;
  if (!recursiveReadOnly.includes(recursive))
    errors.notSupported(`${at}.recursiveReadOnly`, recursive, recursiveReadOnly);
  else if (mount.readOnly !== true)
    errors.forbidden(`${at}.recursiveReadOnly`, "may only be specified when readOnly is true");
  else if (propagation !== undefined && propagation !== "None") {
    errors.forbidden(`${at}.recursiveReadOnly`, "may only be specified when mountPropagation is None or not specified");
  }
}

function validateMounts(errors: FieldErrors, field: string, container: Container, frame: PodFrame): void {
  const paths = new Set<string>();
  container.volumeMounts?.forEach((mount, index) => {
    const at = `${field}.volumeMounts[${index}]`;
    validateMount(errors, at, mount, container, frame);
    if (mount.mountPath && paths.has(mount.mountPath))
      errors.invalid(`${at}.mountPath`, mount.mountPath, "must be unique");
    paths.add(mount.mountPath);
  });
  const devicePaths = new Set<string>();
  container.volumeDevices?.forEach((device, index) => {
    const at = `${field}.volumeDevices[${index}]`;
    if (!device.name) errors.required(`${at}.name`);
    else if (!frame.volumes.has(device.name)) errors.notFound(`${at}.name`, device.name);
    else if (!isClaim(frame.volumes.get(device.name))) {
      errors.invalid(
        `${at}.name`,
        device.name,
        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
      );
    }
    if (!device.devicePath) errors.required(`${at}.devicePath`);
    else if (paths.has(device.devicePath))
      errors.invalid(`${at}.devicePath`, device.devicePath, "must not already exist in volumeMounts");
    else if (devicePaths.has(device.devicePath))
      errors.invalid(`${at}.devicePath`, device.devicePath, "must be unique");
    devicePaths.add(device.devicePath);
  });
}

/** What holds for every container, also init and ephemeral ones. */
function validateContainer(errors: FieldErrors, at: string, container: Container, frame: PodFrame): void {
  if (!container.name) errors.required(`${at}.name`);
  else errors.invalidEach(`${at}.name`, container.name, isDns1123Label(container.name));
  const image = container.image ?? "";
  if (image === "") errors.required(`${at}.image`);
  else if (image.trim() !== image) errors.invalid(`${at}.image`, image, "must not have leading or trailing whitespace");
  if (
    container.terminationMessagePolicy !== undefined &&
    !terminationPolicies.includes(container.terminationMessagePolicy)
  ) {
    errors.notSupported(`${at}.terminationMessagePolicy`, container.terminationMessagePolicy, terminationPolicies);
  }
  validatePorts(errors, `${at}.ports`, container.ports, frame.spec.hostNetwork === true);
  validateEnvironment(errors, `${at}.env`, container.env);
  validateEnvFrom(errors, `${at}.envFrom`, container.envFrom);
  validateMounts(errors, at, container, frame);
  if (!container.imagePullPolicy) errors.required(`${at}.imagePullPolicy`);
  else if (!pullPolicies.includes(container.imagePullPolicy)) {
    errors.notSupported(`${at}.imagePullPolicy`, container.imagePullPolicy, pullPolicies);
  }
  validateResources(errors, `${at}.resources`, container.resources, frame.claims);
  validateResizePolicy(errors, `${at}.resizePolicy`, container, frame.spec.restartPolicy ?? "Always");
  validateContainerSecurity(errors, `${at}.securityContext`, container.securityContext, frame.spec.hostUsers);
  validateRestartRules(errors, at, container);
}

function validateRestartRules(errors: FieldErrors, at: string, container: Container): void {
  const rules = container.restartPolicyRules ?? [];
  if (rules.length > 0 && container.restartPolicy === undefined) {
    errors.required(`${at}.restartPolicy`, "must specify restartPolicy when restart rules are used");
  }
  if (rules.length > 20) errors.tooMany(`${at}.restartPolicyRules`, rules.length, 20);
  rules.forEach((rule, index) => {
    const field = `${at}.restartPolicyRules[${index}]`;
    if (rule.action !== "Restart" && rule.action !== "RestartAllContainers") {
      errors.notSupported(`${field}.action`, rule.action ?? "", ["Restart", "RestartAllContainers"]);
    }
    if (rule.exitCodes === undefined) {
      errors.required(`${field}.exitCodes`, "must be specified");
      return;
    }
    if (rule.exitCodes.operator !== "In" && rule.exitCodes.operator !== "NotIn") {
      errors.notSupported(`${field}.exitCodes.operator`, rule.exitCodes.operator ?? "", ["In", "NotIn"]);
    }
    if ((rule.exitCodes.values?.length ?? 0) > 255)
      errors.tooMany(`${field}.exitCodes.values`, rule.exitCodes.values?.length ?? 0, 255);
  });
}

function validateRunning(errors: FieldErrors, at: string, container: Container, frame: PodFrame): void {
  validateLifecycle(errors, `${at}.lifecycle`, container.lifecycle, {
    graceSeconds: frame.graceSeconds,
    osName: frame.spec.os?.name,
  });
  validateKillingProbe(errors, `${at}.livenessProbe`, container.livenessProbe);
  validateReadinessProbe(errors, `${at}.readinessProbe`, container.readinessProbe);
  validateKillingProbe(errors, `${at}.startupProbe`, container.startupProbe);
}

function claimName(errors: FieldErrors, at: string, name: string, names: Set<string>): void {
  if (!name) return;
  if (names.has(name)) errors.duplicate(`${at}.name`, name);
  names.add(name);
}

const notForInit = ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const;

/** All three lists of containers of a pod; names are unique over all of them. */
export function validateContainers(errors: FieldErrors, field: string, frame: PodFrame): void {
  const { spec } = frame;
  const names = new Set<string>();
  if ((spec.containers ?? []).length === 0) errors.required(`${field}.containers`);
  spec.containers?.forEach((container, index) => {
    const at = `${field}.containers[${index}]`;
    validateContainer(errors, at, container, frame);
    claimName(errors, at, container.name, names);
    if (container.restartPolicy !== undefined && !restartPolicies.includes(container.restartPolicy)) {
      errors.notSupported(`${at}.restartPolicy`, container.restartPolicy, restartPolicies);
    }
    validateRunning(errors, at, container, frame);
  });
  validateHostPorts(errors, `${field}.containers`, spec.containers ?? []);
  spec.initContainers?.forEach((container, index) => {
    const at = `${field}.initContainers[${index}]`;
    validateContainer(errors, at, container, frame);
    claimName(errors, at, container.name, names);
    if (container.restartPolicy === "Always") {
      validateRunning(errors, at, container, frame);
      return;
    }
    if (container.restartPolicy !== undefined && !restartPolicies.includes(container.restartPolicy)) {
      errors.notSupported(`${at}.restartPolicy`, container.restartPolicy, restartPolicies);
    }
    for (const name of notForInit) {
      if (container[name] !== undefined)
        errors.forbidden(`${at}.${name}`, "may not be set for init containers without restartPolicy=Always");
    }
  });
  spec.ephemeralContainers?.forEach((container, index) =>
    validateEphemeral(errors, `${field}.ephemeralContainers[${index}]`, container, frame, names),
  );
}

function validateHostPorts(errors: FieldErrors, field: string, containers: readonly Container[]): void {
  const used = new Set<string>();
  containers.forEach((container, index) => {
    container.ports?.forEach((port, portIndex) => {
      if (!port.hostPort) return;
      const identity = `${port.protocol}/${port.hostIP ?? ""}/${port.hostPort}`;
      if (used.has(identity)) errors.duplicate(`${field}[${index}].ports[${portIndex}].hostPort`, identity);
      used.add(identity);
    });
  });
}

const notForEphemeral = [
  "ports",
  "lifecycle",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "resizePolicy",
  "restartPolicy",
  "restartPolicyRules",
] as const;

function validateEphemeral(
  errors: FieldErrors,
  at: string,
  container: EphemeralContainer,
  frame: PodFrame,
  names: Set<string>,
): void {
  validateContainer(errors, at, container, frame);
  claimName(errors, at, container.name, names);
  const target = container.targetContainerName;
  if (target) {
    const all = [...frame.spec.containers, ...(frame.spec.initContainers ?? [])];
    if (!all.some((candidate) => candidate.name === target)) errors.notFound(`${at}.targetContainerName`, target);
  }
  for (const name of notForEphemeral) {
    const value = container[name];
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) {
      errors.forbidden(`${at}.${name}`, "cannot be set for an Ephemeral Container");
    }
  }
  if (
    Object.keys(container.resources?.limits ?? {}).length > 0 ||
    Object.keys(container.resources?.requests ?? {}).length > 0
  ) {
    errors.forbidden(`${at}.resources`, "cannot be set for an Ephemeral Container");
  }
  container.volumeMounts?.forEach((mount, index) => {
    if (mount.subPath)
      errors.forbidden(`${at}.volumeMounts[${index}].subPath`, "cannot be set for an Ephemeral Container");
    if (mount.subPathExpr)
      errors.forbidden(`${at}.volumeMounts[${index}].subPathExpr`, "cannot be set for an Ephemeral Container");
  });
}
