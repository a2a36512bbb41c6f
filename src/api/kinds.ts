import {
  mutatingAdmissionPolicyBindingRules,
  validatingAdmissionPolicyBindingRules,
} from "./admissionregistration/admission-policy-binding.ts";
import { mutatingAdmissionPolicyRules } from "./admissionregistration/mutating-admission-policy.ts";
import { mutatingWebhookConfigurationRules } from "./admissionregistration/mutating-webhook-configuration.ts";
import { validatingAdmissionPolicyRules } from "./admissionregistration/validating-admission-policy.ts";
import { validatingWebhookConfigurationRules } from "./admissionregistration/validating-webhook-configuration.ts";
import { customResourceDefinitionRules } from "./apiextensions/custom-resource-definition.ts";
import { apiServiceRules } from "./apiregistration/api-service.ts";
import { controllerRevisionRules } from "./apps/controller-revision.ts";
import { daemonSetRules } from "./apps/daemon-set.ts";
import { deploymentRules } from "./apps/deployment.ts";
import { replicaSetRules } from "./apps/replica-set.ts";
import { statefulSetRules } from "./apps/stateful-set.ts";
import { selfSubjectReviewRules, tokenReviewRules } from "./authentication/reviews.ts";
import {
  localSubjectAccessReviewRules,
  selfSubjectAccessReviewRules,
  selfSubjectRulesReviewRules,
  subjectAccessReviewRules,
} from "./authorization/reviews.ts";
import { convertAutoscaler } from "./autoscaling/convert.ts";
import { horizontalPodAutoscalerRules } from "./autoscaling/horizontal-pod-autoscaler.ts";
import { cronJobRules } from "./batch/cron-job.ts";
import { jobRules } from "./batch/job.ts";
import { certificateSigningRequestRules } from "./certificates/certificate-signing-request.ts";
import { leaseRules } from "./coordination/lease.ts";
import { bindingRules } from "./core/binding.ts";
import { componentStatusRules } from "./core/component-status.ts";
import { configMapRules } from "./core/config-map.ts";
import { endpointsRules } from "./core/endpoints.ts";
import { eventRules } from "./core/event.ts";
import { limitRangeRules } from "./core/limit-range.ts";
import { namespaceRules } from "./core/namespace.ts";
import { nodeRules } from "./core/node.ts";
import { persistentVolumeRules } from "./core/persistent-volume.ts";
import { persistentVolumeClaimRules } from "./core/persistent-volume-claim.ts";
import { podRules } from "./core/pod.ts";
import { podTemplateRules } from "./core/pod-template.ts";
import { replicationControllerRules } from "./core/replication-controller.ts";
import { resourceQuotaRules } from "./core/resource-quota.ts";
import { secretRules } from "./core/secret.ts";
import { serviceRules } from "./core/service.ts";
import { serviceAccountRules } from "./core/service-account.ts";
import { endpointSliceRules } from "./discovery/endpoint-slice.ts";
import { convertEvent } from "./events/convert.ts";
import { flowSchemaRules } from "./flowcontrol/flow-schema.ts";
import { priorityLevelConfigurationRules } from "./flowcontrol/priority-level-configuration.ts";
import * as resources from "./generated/resources.ts";
import type { ApiObject, Kind, KindRules } from "./kind.ts";
import { ingressRules } from "./networking/ingress.ts";
import { ingressClassRules } from "./networking/ingress-class.ts";
import { ipAddressRules } from "./networking/ip-address.ts";
import { networkPolicyRules } from "./networking/network-policy.ts";
import { serviceCidrRules } from "./networking/service-cidr.ts";
import { runtimeClassRules } from "./node/runtime-class.ts";
import { podDisruptionBudgetRules } from "./policy/pod-disruption-budget.ts";
import { clusterRoleRules } from "./rbac/cluster-role.ts";
import { roleBindingRules } from "./rbac/role-bindings.ts";
import { roleRules } from "./rbac/role.ts";
import type { Resource } from "./resource.ts";
import { deviceClassRules } from "./resource/device-class.ts";
import { resourceClaimRules } from "./resource/resource-claim.ts";
import { resourceClaimTemplateRules } from "./resource/resource-claim-template.ts";
import { resourceSliceRules } from "./resource/resource-slice.ts";
import { priorityClassRules } from "./scheduling/priority-class.ts";
import { csiDriverRules } from "./storage/csi-driver.ts";
import { csiNodeRules } from "./storage/csi-node.ts";
import { csiStorageCapacityRules } from "./storage/csi-storage-capacity.ts";
import { storageClassRules } from "./storage/storage-class.ts";
import { volumeAttachmentRules } from "./storage/volume-attachment.ts";
import { volumeAttributesClassRules } from "./storage/volume-attributes-class.ts";

// The compiler's `T` ends here: whoever walks over all kinds sees plain objects.
function kind<T>(resource: Resource<T>, rules: KindRules<T>): Kind;
function kind(resource: Resource<ApiObject>, rules: KindRules): Kind {
  return { versions: [resource], storage: resource, rules };
}

/** A kind of which another version, or another group, serves the same objects. */
function servedTwice<T>(storage: Kind, other: Resource<T>, convert: NonNullable<Kind["convert"]>): Kind;
function servedTwice(storage: Kind, other: Resource<ApiObject>, convert: NonNullable<Kind["convert"]>): Kind {
  return { ...storage, versions: [...storage.versions, other], convert };
}

/** Every stable built-in kind, in the order in which discovery lists them. */
export const kinds: readonly Kind[] = [
  kind(resources.bindings, bindingRules),
  kind(resources.componentstatuses, componentStatusRules),
  kind(resources.configmaps, configMapRules),
  kind(resources.endpoints, endpointsRules),
  servedTwice(kind(resources.events, eventRules), resources.eventsV1Events, convertEvent),
  kind(resources.limitranges, limitRangeRules),
  kind(resources.namespaces, namespaceRules),
  kind(resources.nodes, nodeRules),
  kind(resources.persistentvolumeclaims, persistentVolumeClaimRules),
  kind(resources.persistentvolumes, persistentVolumeRules),
  kind(resources.pods, podRules),
  kind(resources.podtemplates, podTemplateRules),
  kind(resources.replicationcontrollers, replicationControllerRules),
  kind(resources.resourcequotas, resourceQuotaRules),
  kind(resources.secrets, secretRules),
  kind(resources.serviceaccounts, serviceAccountRules),
  kind(resources.services, serviceRules),
  kind(resources.mutatingadmissionpolicies, mutatingAdmissionPolicyRules),
  kind(resources.mutatingadmissionpolicybindings, mutatingAdmissionPolicyBindingRules),
  kind(resources.mutatingwebhookconfigurations, mutatingWebhookConfigurationRules),
  kind(resources.validatingadmissionpolicies, validatingAdmissionPolicyRules),
  kind(resources.validatingadmissionpolicybindings, validatingAdmissionPolicyBindingRules),
  kind(resources.validatingwebhookconfigurations, validatingWebhookConfigurationRules),
  kind(resources.customresourcedefinitions, customResourceDefinitionRules),
  kind(resources.apiservices, apiServiceRules),
  kind(resources.controllerrevisions, controllerRevisionRules),
  kind(resources.daemonsets, daemonSetRules),
  kind(resources.deployments, deploymentRules),
  kind(resources.replicasets, replicaSetRules),
  kind(resources.statefulsets, statefulSetRules),
  kind(resources.selfsubjectreviews, selfSubjectReviewRules),
  kind(resources.tokenreviews, tokenReviewRules),
  kind(resources.localsubjectaccessreviews, localSubjectAccessReviewRules),
  kind(resources.selfsubjectaccessreviews, selfSubjectAccessReviewRules),
  kind(resources.selfsubjectrulesreviews, selfSubjectRulesReviewRules),
  kind(resources.subjectaccessreviews, subjectAccessReviewRules),
  servedTwice(
    kind(resources.autoscalingV2Horizontalpodautoscalers, horizontalPodAutoscalerRules),
    resources.horizontalpodautoscalers,
    convertAutoscaler,
  ),
  kind(resources.cronjobs, cronJobRules),
  kind(resources.jobs, jobRules),
  kind(resources.certificatesigningrequests, certificateSigningRequestRules),
  kind(resources.leases, leaseRules),
  kind(resources.endpointslices, endpointSliceRules),
  kind(resources.flowschemas, flowSchemaRules),
  kind(resources.prioritylevelconfigurations, priorityLevelConfigurationRules),
  kind(resources.ingressclasses, ingressClassRules),
  kind(resources.ingresses, ingressRules),
  kind(resources.ipaddresses, ipAddressRules),
  kind(resources.networkpolicies, networkPolicyRules),
  kind(resources.servicecidrs, serviceCidrRules),
  kind(resources.runtimeclasses, runtimeClassRules),
  kind(resources.poddisruptionbudgets, podDisruptionBudgetRules),
  kind(resources.clusterrolebindings, roleBindingRules(["ClusterRole"], false)),
  kind(resources.clusterroles, clusterRoleRules),
  kind(resources.rolebindings, roleBindingRules(["ClusterRole", "Role"], true)),
  kind(resources.roles, roleRules),
  kind(resources.deviceclasses, deviceClassRules),
  kind(resources.resourceclaims, resourceClaimRules),
  kind(resources.resourceclaimtemplates, resourceClaimTemplateRules),
  kind(resources.resourceslices, resourceSliceRules),
  kind(resources.priorityclasses, priorityClassRules),
  kind(resources.csidrivers, csiDriverRules),
  kind(resources.csinodes, csiNodeRules),
  kind(resources.csistoragecapacities, csiStorageCapacityRules),
  kind(resources.storageclasses, storageClassRules),
  kind(resources.volumeattachments, volumeAttachmentRules),
  kind(resources.volumeattributesclasses, volumeAttributesClassRules),
];
