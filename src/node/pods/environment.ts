import type {
  ConfigMap,
  Container,
  EphemeralContainer,
  EnvVar,
  EnvVarSource,
  Pod,
  Secret,
} from "#api/generated/core-v1.ts";
import { ContainerConfigError } from "./container-config.ts";
import { downwardField, downwardResource, type DownwardFacts } from "./downward.ts";
import { expand } from "./expand.ts";
import { serviceEnvironment, type ServiceView } from "./service-environment.ts";

export interface EnvironmentInputs {
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly services: readonly ServiceView[];
  readonly facts: DownwardFacts;
}

/**
 * A container's variables: Services first, then `envFrom`, then `env`, later ones win and may refer to earlier ones. Pure; throws
 * `ContainerConfigError` when something that is not optional is missing.
 */
export function environmentOf(
  pod: Pod,
  container: Container | EphemeralContainer,
  inputs: EnvironmentInputs,
): Map<string, string> {
  const services = serviceEnvironment(
    inputs.services,
    pod.metadata.namespace ?? "",
    pod.spec.enableServiceLinks !== false,
  );
  const variables = new Map<string, string>();
  for (const from of container.envFrom ?? []) {
    for (const [key, value] of entriesFrom(from, inputs, pod.metadata.namespace ?? ""))
      variables.set(`${from.prefix ?? ""}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const value = valueOf(pod, container, variable, variables, services, inputs);
    if (value !== undefined) variables.set(variable.name, value);
  }
  for (const [name, value] of services) if (!variables.has(name)) variables.set(name, value);
  return variables;
}

function entriesFrom(
  from: NonNullable<Container["envFrom"]>[number],
  inputs: EnvironmentInputs,
  namespace: string,
): readonly (readonly [string, string])[] {
  const { configMapRef, secretRef } = from;
  if (configMapRef !== undefined) {
    const found = inputs.configMaps.get(configMapRef.name ?? "");
    if (found === undefined && configMapRef.optional !== true) throw missing("configmap", configMapRef.name);
    return Object.entries(found?.data ?? {});
  }
  if (secretRef !== undefined) {
    const found = inputs.secrets.get(secretRef.name ?? "");
    if (found === undefined && secretRef.optional !== true) throw missing("secret", secretRef.name);
    return Object.entries(found?.data ?? {}).map(([key, value]) => [key, decodeText(value)] as const);
  }
  throw new ContainerConfigError(`envFrom of namespace ${namespace} names no source`);
}

function valueOf(
  pod: Pod,
  container: Container | EphemeralContainer,
  variable: EnvVar,
  variables: ReadonlyMap<string, string>,
  services: ReadonlyMap<string, string>,
  inputs: EnvironmentInputs,
): string | undefined {
  if (variable.valueFrom === undefined) return expand(variable.value ?? "", new Map([...services, ...variables]));
  const source = variable.valueFrom;
  if (source.fieldRef !== undefined) return downwardField(pod, source.fieldRef.fieldPath, inputs.facts) ?? "";
  if (source.resourceFieldRef !== undefined)
    return downwardResource(pod, source.resourceFieldRef, container, inputs.facts);
  return keyValue(pod, source, inputs);
}

function keyValue(pod: Pod, source: EnvVarSource, inputs: EnvironmentInputs): string | undefined {
  const namespace = pod.metadata.namespace ?? "";
  const { configMapKeyRef, secretKeyRef } = source;
  if (configMapKeyRef !== undefined) {
    const found = inputs.configMaps.get(configMapKeyRef.name ?? "");
    const value = found?.data?.[configMapKeyRef.key];
    if (value !== undefined || configMapKeyRef.optional === true) return value;
    if (found === undefined) throw missing("configmap", configMapKeyRef.name);
    throw new ContainerConfigError(
      `couldn't find key ${configMapKeyRef.key} in ConfigMap ${namespace}/${configMapKeyRef.name ?? ""}`,
    );
  }
  if (secretKeyRef !== undefined) {
    const found = inputs.secrets.get(secretKeyRef.name ?? "");
    const value = found?.data?.[secretKeyRef.key];
    if (value !== undefined) return decodeText(value);
    if (secretKeyRef.optional === true) return undefined;
    if (found === undefined) throw missing("secret", secretKeyRef.name);
    throw new ContainerConfigError(
      `couldn't find key ${secretKeyRef.key} in Secret ${namespace}/${secretKeyRef.name ?? ""}`,
    );
  }
  throw new ContainerConfigError("the source of a variable is not supported on this node");
}

function missing(kind: string, name: string | undefined): ContainerConfigError {
  return new ContainerConfigError(`${kind} "${name ?? ""}" not found`);
}

/** Base64 of the API to bytes. */
export function decodeBytes(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function decodeText(base64: string): string {
  return new TextDecoder().decode(decodeBytes(base64));
}
