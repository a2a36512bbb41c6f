import { resourceclaims, resourceclaimtemplates } from "#api/generated/resources.ts";
import type {
  ResourceClaim,
  ResourceClaimConsumerReference,
  ResourceClaimTemplate,
  ResourceClaimTemplateSpec,
} from "#api/generated/resource-v1.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

export interface ResourceClaimView extends ObjectView {
  readonly isAllocated: boolean;
  readonly reservedFor: readonly ResourceClaimConsumerReference[];
}

export interface ResourceClaimTemplateView extends ObjectView {
  readonly spec: ResourceClaimTemplateSpec;
}

export const resourceClaimDeclaration: InformerDeclaration<ResourceClaim, ResourceClaimView> = {
  resource: resourceclaims,
  indexes: objectIndexes,
  project: ({ metadata, status }) => ({
    ...objectView(metadata),
    isAllocated: status?.allocation !== undefined,
    reservedFor: status?.reservedFor ?? [],
  }),
};

export const resourceClaimTemplateDeclaration: InformerDeclaration<ResourceClaimTemplate, ResourceClaimTemplateView> = {
  resource: resourceclaimtemplates,
  indexes: objectIndexes,
  project: ({ metadata, spec }) => ({ ...objectView(metadata), spec }),
};
