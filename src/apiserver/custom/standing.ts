import type { CustomResourceDefinition, CustomResourceDefinitionStatus } from "#api/generated/apiextensions-v1.ts";
import type { NameReview } from "./names.ts";

type Condition = NonNullable<CustomResourceDefinitionStatus["conditions"]>[number];

interface News {
  readonly type: string;
  readonly holds: boolean;
  readonly reason: string;
  readonly message: string;
}

const approvedAnnotation = "api-approved.kubernetes.io";

/** Whether a condition of a definition is true. */
export function holds({ status }: CustomResourceDefinition, type: string): boolean {
  return status?.conditions?.some((condition) => condition.type === type && condition.status === "True") === true;
}

/** The status of a definition whose names were looked at: what it has, and whether it is served. */
export function standingOf(
  definition: CustomResourceDefinition,
  { accepted, conflict }: NameReview,
  now: string,
): CustomResourceDefinitionStatus {
  const stored = definition.spec.versions.find((version) => version.storage)?.name ?? "";
  const storedVersions = definition.status?.storedVersions ?? [];
  const isEstablished = conflict === undefined || holds(definition, "Established");
  const approval = approvalOf(definition);
  return {
    ...definition.status,
    conditions: withNews(definition, now, [
      ...(approval === undefined ? [] : [approval]),
      {
        type: "NamesAccepted",
        holds: conflict === undefined,
        reason: conflict?.reason ?? "NoConflicts",
        message: conflict?.message ?? "no conflicts found",
      },
      {
        type: "Established",
        holds: isEstablished,
        reason: isEstablished ? "InitialNamesAccepted" : "NotAccepted",
        message: isEstablished ? "the initial names have been accepted" : "not all names are accepted",
      },
    ]),
    acceptedNames: accepted,
    storedVersions: storedVersions.includes(stored) ? storedVersions : [...storedVersions, stored],
  };
}

/** The status of a definition that is being deleted, while and after its objects are. */
export function terminatingStatus(
  definition: CustomResourceDefinition,
  isDone: boolean,
  now: string,
): CustomResourceDefinitionStatus {
  const news = {
    type: "Terminating",
    holds: !isDone,
    reason: isDone ? "InstanceDeletionCompleted" : "InstanceDeletionInProgress",
    message: isDone ? "removed all instances" : "CustomResource deletion is in progress",
  };
  return { ...definition.status, conditions: withNews(definition, now, [news]) };
}

/** Groups of the Kubernetes community say where they were approved: https://github.com/kubernetes/enhancements/pull/1111 */
function approvalOf({ metadata, spec }: CustomResourceDefinition): News | undefined {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(spec.group)) return undefined;
  const given = metadata.annotations?.[approvedAnnotation];
  const type = "KubernetesAPIApprovalPolicyConformant";
  if (given === undefined) {
    const message = `protected groups must have approval annotation "${approvedAnnotation}"`;
    return { type, holds: false, reason: "MissingAnnotation", message };
  }
  if (given.startsWith("unapproved"))
    return { type, holds: false, reason: "UnapprovedAnnotation", message: `not approved: ${JSON.stringify(given)}` };
  return { type, holds: true, reason: "ApprovedAnnotation", message: `approved in ${given}` };
}

/** The conditions with some of them as they are now; those that stay as they were keep their time. */
function withNews({ status }: CustomResourceDefinition, now: string, news: readonly News[]): Condition[] {
  const known = status?.conditions ?? [];
  const made = news.map(({ type, holds: isTrue, reason, message }): Condition => {
    const before = known.find((candidate) => candidate.type === type);
    const next = isTrue ? "True" : "False";
    const lastTransitionTime = before?.status === next ? (before.lastTransitionTime ?? now) : now;
    return { type, status: next, lastTransitionTime, reason, message };
  });
  const others = known.filter(({ type }) => !news.some((each) => each.type === type));
  return [...made, ...others];
}
