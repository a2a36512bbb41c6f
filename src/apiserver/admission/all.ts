import type { Clock, Timers } from "#world/clock.ts";
import type { Certificates } from "#world/crypto.ts";
import type { Random } from "#world/random.ts";
import type { AdmissionPlugin } from "../admission.ts";
import type { Authorizer } from "../authorizer.ts";
import type { Rbac } from "../authorize/rbac.ts";
import type { ObjectReader } from "../object-reader.ts";
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from "./certificates.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { deviceAdminAccess } from "./device-admin-access.ts";
import { limitRanger } from "./limit-ranger.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { nodeRestriction } from "./node-restriction.ts";
import {
  defaultIngressClass,
  podTopologyLabels,
  runtimeClass,
  taintNodesByCondition,
} from "./pod-and-node-defaults.ts";
import { matchConditions } from "./policies/match-conditions.ts";
import { mutatingPolicies } from "./policies/mutating.ts";
import { validatingPolicies } from "./policies/validating.ts";
import { podSecurity } from "./pod-security.ts";
import { priority } from "./priority.ts";
import { rbacEscalation } from "./rbac-escalation.ts";
import { resourceQuota } from "./resource-quota.ts";
import { serviceAccount } from "./service-account.ts";
import { serviceAllocation } from "./service-allocation.ts";
import { mutatingWebhooks, validatingWebhooks } from "./webhooks/plugins.ts";
import type { WebhookParts } from "./webhooks/dispatch.ts";
import { defaultStorageClass, persistentVolumeClaimResize, storageObjectInUseProtection } from "./storage.ts";

export interface AdmissionOptions {
  readonly objects: ObjectReader;
  readonly random: Pick<Random, "float">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Pick<Timers, "after" | "yield">;
  readonly certificates: Pick<Certificates, "readSigningRequest">;
  readonly authorizer: Pick<Authorizer, "authorize">;
  readonly rbac: Pick<Rbac, "policyRules" | "rulesOfRole">;
  /** IPv4 network of the Services. */
  readonly serviceRange: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
  /** Absent: configurations of webhooks are stored and nobody is asked. */
  readonly webhooks?: Pick<WebhookParts, "dial" | "matchConditions" | "measures" | "log" | "uuid">;
}

/** All admission steps in their order: every mutate step runs before every validate step. */
export function createAdmission(options: AdmissionOptions): readonly AdmissionPlugin[] {
  const { objects, authorizer, certificates } = options;
  const forExpressions = { objects, authorizer, clock: options.clock, timers: options.timers };
  const webhooks = options.webhooks && {
    ...options.webhooks,
    matchConditions: options.webhooks.matchConditions ?? matchConditions(forExpressions),
    objects,
    random: options.random,
    timers: options.timers,
  };
  return [
    namespaceLifecycle(objects),
    rbacEscalation(options),
    limitRanger(objects),
    serviceAccount(options),
    nodeRestriction(options),
    taintNodesByCondition(),
    podSecurity(options),
    priority(objects),
    defaultTolerationSeconds(),
    podTopologyLabels(objects),
    storageObjectInUseProtection(),
    defaultStorageClass(objects),
    persistentVolumeClaimResize(objects),
    runtimeClass(objects),
    deviceAdminAccess(objects),
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    certificateSubjectRestriction(certificates),
    defaultIngressClass(objects),
    mutatingPolicies(forExpressions),
    validatingPolicies(forExpressions),
    ...(webhooks === undefined ? [] : [mutatingWebhooks(webhooks), validatingWebhooks(webhooks)]),
    serviceAllocation(options),
    // Last, because what it lets pass must be stored in the same turn.
    resourceQuota(objects),
  ];
}
