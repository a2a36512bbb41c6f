import type { PodSpec } from "#api/generated/core-v1.ts";
import { deployments } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { fnv32 } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { referenceOf } from "../ownership.ts";
import type { DeploymentView } from "../views/workload.ts";

/** On a Deployment, `"true"`: it rolls when a ConfigMap or Secret that its template names changes. */
export const optInAnnotation = "steersman.dev/roll-on-configuration-change";
/** On a Deployment: the configuration that its pods have. On its template: that for which it was rolled last. */
const configurationAnnotation = "steersman.dev/configuration";
const resource = deployments as Resource<unknown>;

/** What a template reads. */
interface Configuration {
  /** `configmaps/settings`, `secrets/password`. */
  readonly reference: string;
  /** Pods start without it. */
  readonly isOptional: boolean;
}

/** What a template reads, in order of the names. */
export function configurationOf(spec: PodSpec | undefined): Configuration[] {
  const found = new Map<string, boolean>();
  const add = (kind: "configmaps" | "secrets", name: string | undefined, optional: boolean | undefined): void => {
    if (name === undefined || name === "") return;
    const reference = `${kind}/${name}`;
    found.set(reference, optional === true && found.get(reference) !== false);
  };
  for (const container of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      add("configmaps", configMapRef?.name, configMapRef?.optional);
      add("secrets", secretRef?.name, secretRef?.optional);
    }
    for (const { valueFrom } of container.env ?? []) {
      add("configmaps", valueFrom?.configMapKeyRef?.name, valueFrom?.configMapKeyRef?.optional);
      add("secrets", valueFrom?.secretKeyRef?.name, valueFrom?.secretKeyRef?.optional);
    }
  }
  for (const { configMap, secret, projected } of spec?.volumes ?? []) {
    add("configmaps", configMap?.name, configMap?.optional);
    add("secrets", secret?.secretName, secret?.optional);
    for (const source of projected?.sources ?? []) {
      add("configmaps", source.configMap?.name, source.configMap?.optional);
      add("secrets", source.secret?.name, source.secret?.optional);
    }
  }
  return [...found]
    .map(([reference, isOptional]) => ({ reference, isOptional }))
    .sort((one, other) => (one.reference < other.reference ? -1 : 1));
}

/**
 * Rolls a Deployment when what its template reads has changed since its pods were made: the first look only remembers.
 * `digestOf` answers "" for what does not exist. Pure.
 */
export function planConfigurationRollout(
  deployment: DeploymentView,
  digestOf: (reference: string) => string,
): Plan | undefined {
  if (deployment.deletionMs !== undefined || deployment.annotations[optInAnnotation] !== "true") return undefined;
  const wanted = configurationOf(deployment.spec.template?.spec);
  if (wanted.length === 0) return undefined;
  // What is missing for a moment (deleted and made anew) is no reason to roll: pods could not start without it.
  if (wanted.some(({ reference, isOptional }) => !isOptional && digestOf(reference) === "")) return undefined;
  const references = wanted.map(({ reference }) => reference);
  const digests = references.map((reference) => `${reference}=${digestOf(reference)}`);
  const configuration = `${fnv32(references.join())}-${fnv32(digests.join())}`;
  const before = deployment.annotations[configurationAnnotation];
  if (before === configuration) return undefined;
  const because = referenceOf(deployments as Resource<unknown>, deployment);
  // Another list of names is another template, which rolls by itself.
  const isSameList = before?.split("-")[0] === configuration.split("-")[0];
  return {
    because,
    actions: [isSameList ? roll(deployment, configuration, references) : remember(deployment, configuration)],
  };
}

function remember(deployment: DeploymentView, configuration: string): Action {
  return patchOf(deployment, configuration, {}, "the configuration that its pods have is remembered");
}

function roll(deployment: DeploymentView, configuration: string, references: readonly string[]): Action {
  const annotations = { [configurationAnnotation]: configuration };
  const reason = `what its pods read has changed (${references.join(", ")}) and ${optInAnnotation} is true`;
  return patchOf(deployment, configuration, { spec: { template: { metadata: { annotations } } } }, reason);
}

function patchOf(deployment: DeploymentView, configuration: string, change: object, reason: string): Action {
  const { namespace, name, uid, resourceVersion } = deployment;
  const patch = {
    metadata: { uid, resourceVersion, annotations: { [configurationAnnotation]: configuration } },
    ...change,
  };
  return { verb: "patch", resource, namespace, name, type: "merge", patch, reason };
}
