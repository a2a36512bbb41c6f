import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from "../../generated/core-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { isQualifiedName } from "../labels.ts";
import { isConfigMapKey, isDns1123Subdomain, isEnvVarName } from "../names.ts";

const environmentFields = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
const volumeFields = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const knownFields: ReadonlySet<string> = new Set([...environmentFields, ...volumeFields]);
const resourceFields = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];

/** `metadata.annotations['key']` in its parts; undefined when the path has no subscript. */
function subscripted(path: string): { path: string; key: string } | undefined {
  const match = /^([^[]+)\['(.*)'\]$/s.exec(path);
  return match === null ? undefined : { path: match[1] ?? "", key: match[2] ?? "" };
}

function validateFieldRef(
  errors: FieldErrors,
  field: string,
  ref: ObjectFieldSelector,
  supported: readonly string[],
): void {
  if (ref.apiVersion !== undefined && ref.apiVersion !== "v1") {
    errors.invalid(
      `${field}.fieldPath`,
      ref.fieldPath,
      `error converting fieldPath: unsupported pod version: ${ref.apiVersion}`,
    );
    return;
  }
  if (!ref.apiVersion) errors.required(`${field}.apiVersion`);
  if (!ref.fieldPath) {
    errors.required(`${field}.fieldPath`);
    return;
  }
  const parts = subscripted(ref.fieldPath);
  if (parts === undefined) {
    if (!knownFields.has(ref.fieldPath)) {
      errors.invalid(
        `${field}.fieldPath`,
        ref.fieldPath,
        `error converting fieldPath: field label not supported: ${ref.fieldPath}`,
      );
    } else if (!supported.includes(ref.fieldPath)) {
      errors.notSupported(`${field}.fieldPath`, ref.fieldPath, supported);
    }
    return;
  }
  if (parts.path === "metadata.annotations")
    errors.invalidEach(field, parts.key, isQualifiedName(parts.key.toLowerCase()));
  else if (parts.path === "metadata.labels") errors.invalidEach(field, parts.key, isQualifiedName(parts.key));
  else errors.invalid(field, parts.path, "does not support subscript");
}

/** A field of the pod for a file of a downward API volume. */
export function validateVolumeFieldRef(errors: FieldErrors, field: string, ref: ObjectFieldSelector): void {
  validateFieldRef(errors, field, ref, volumeFields);
}

export function validateResourceFieldRef(
  errors: FieldErrors,
  field: string,
  ref: ResourceFieldSelector,
  inVolume: boolean,
): void {
  if (inVolume && !ref.containerName) errors.required(`${field}.containerName`);
  else if (!ref.resource) errors.required(`${field}.resource`);
  else if (!resourceFields.includes(ref.resource) && !/^(limits|requests)\.hugepages-/.test(ref.resource)) {
    errors.notSupported(`${field}.resource`, ref.resource, resourceFields);
  }
  if (ref.divisor !== undefined) validateDivisor(errors, field, ref.resource, ref.divisor);
}

const cpuDivisors = ["1m", "1"];
const byteDivisors = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

function validateDivisor(errors: FieldErrors, field: string, resource: string, divisor: string): void {
  if (divisor === "0" || divisor === "") return;
  if (resource.endsWith(".cpu")) {
    if (!cpuDivisors.includes(divisor)) {
      errors.invalid(
        `${field}.divisor`,
        resource,
        "only divisor's values 1m and 1 are supported with the cpu resource",
      );
    }
  } else if (!byteDivisors.includes(divisor)) {
    const kind = resource.endsWith("ephemeral-storage") ? "local ephemeral storage" : "memory";
    errors.invalid(
      `${field}.divisor`,
      resource,
      `only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the ${kind} resource`,
    );
  }
}

function validateKeyRef(errors: FieldErrors, field: string, ref: { name?: string; key: string }): void {
  // An empty name was let in for too long to be refused now.
  if (!ref.key) errors.required(`${field}.key`);
  else errors.invalidEach(`${field}.key`, ref.key, isConfigMapKey(ref.key));
}

function validateValueFrom(errors: FieldErrors, field: string, variable: EnvVar, source: EnvVarSource): void {
  let count = 0;
  if (source.fieldRef !== undefined) {
    count++;
    validateFieldRef(errors, `${field}.fieldRef`, source.fieldRef, environmentFields);
  }
  if (source.resourceFieldRef !== undefined) {
    count++;
    validateResourceFieldRef(errors, `${field}.resourceFieldRef`, source.resourceFieldRef, false);
  }
  if (source.configMapKeyRef !== undefined) {
    count++;
    validateKeyRef(errors, `${field}.configMapKeyRef`, source.configMapKeyRef);
  }
  if (source.secretKeyRef !== undefined) {
    count++;
    validateKeyRef(errors, `${field}.secretKeyRef`, source.secretKeyRef);
  }
  if (source.fileKeyRef !== undefined) {
    count++;
    if (!source.fileKeyRef.volumeName) errors.required(`${field}.fileKeyRef.volumeName`);
    if (!source.fileKeyRef.path) errors.required(`${field}.fileKeyRef.path`);
    if (!source.fileKeyRef.key) errors.required(`${field}.fileKeyRef.key`);
  }
  if (count === 0) {
    errors.invalid(
      field,
      "",
      "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
    );
  } else if (variable.value) {
    errors.invalid(field, "", "may not be specified when `value` is not empty");
  } else if (count > 1) {
    errors.invalid(field, "", "may not have more than one field specified at a time");
  }
}

export function validateEnvironment(
  errors: FieldErrors,
  field: string,
  variables: readonly EnvVar[] | undefined,
): void {
  variables?.forEach((variable, index) => {
    const { name, valueFrom } = variable;
    const problems = name ? isEnvVarName(name) : [];
    if (!name) errors.required(`${field}[${index}].name`);
    else if (problems.length > 0) errors.invalidEach(`${field}[${index}].name`, name, problems);
    if (valueFrom !== undefined) validateValueFrom(errors, `${field}[${index}].valueFrom`, variable, valueFrom);
  });
}

export function validateEnvFrom(
  errors: FieldErrors,
  field: string,
  sources: readonly EnvFromSource[] | undefined,
): void {
  sources?.forEach((source, index) => {
    const at = `${field}[${index}]`;
    if (source.prefix) errors.invalidEach(`${at}.prefix`, source.prefix, isEnvVarName(source.prefix));
    let count = 0;
    for (const name of ["configMapRef", "secretRef"] as const) {
      const ref = source[name];
      if (ref === undefined) continue;
      count++;
      if (!ref.name) errors.required(`${at}.${name}.name`);
      else errors.invalidEach(`${at}.${name}.name`, ref.name, isDns1123Subdomain(ref.name));
    }
    if (count === 0) errors.invalid(field, "", "must specify one of: `configMapRef` or `secretRef`");
    else if (count > 1) errors.invalid(field, "", "may not have more than one field specified at a time");
  });
}
