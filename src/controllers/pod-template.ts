import { dependencyGate, mustWait } from "#api/apps/depends-on.ts";
import type { Pod, PodTemplateSpec } from "#api/generated/core-v1.ts";
import type { OwnerReference } from "#api/generated/meta-v1.ts";
import type { Draft } from "#api/resource.ts";

export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly generateName?: string;
  readonly owner: OwnerReference;
  /** Of the workload for which it is made: it may have to wait for others. */
  readonly ownerAnnotations: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
}

/** A pod as its template says, under its controller. */
export function podFromTemplate(template: PodTemplateSpec, identity: PodIdentity): Draft<Pod> {
  const { metadata, spec } = template;
  const gates = mustWait(identity.ownerAnnotations)
    ? { schedulingGates: [...(spec?.schedulingGates ?? []), { name: dependencyGate }] }
    : {};
  const finalizers = [...(metadata?.finalizers ?? []), ...(identity.finalizers ?? [])];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: identity.namespace,
      name: identity.name,
      ...(identity.generateName === undefined ? {} : { generateName: identity.generateName }),
      labels: { ...metadata?.labels, ...identity.labels },
      annotations: { ...metadata?.annotations, ...identity.annotations },
      ownerReferences: [identity.owner],
      ...(finalizers.length === 0 ? {} : { finalizers }),
    },
    spec: spec === undefined ? spec : { ...spec, ...gates },
  };
}
