import type { Ingress, IngressClass } from "#api/generated/networking-v1.ts";
import { trafficholds, type TrafficHold } from "#api/delivery/traffic-hold.ts";
import { trafficsplits, type TrafficSplit } from "#api/delivery/traffic-split.ts";
import { ingressclasses, ingresses } from "#api/generated/resources.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";

/** Shared by the nodes' loops and the server's. */
export const ingressesDeclaration: InformerDeclaration<Ingress, Ingress> = {
  resource: ingresses,
  project: (ingress) => ingress,
};
export const classesDeclaration: InformerDeclaration<IngressClass, IngressClass> = {
  resource: ingressclasses,
  project: (one) => one,
};
export const splitsDeclaration: InformerDeclaration<TrafficSplit, TrafficSplit> = {
  resource: trafficsplits,
  project: (split) => split,
  indexes: {
    service: ({ metadata, spec }) => [`${metadata.namespace}/${spec.service}`],
    candidate: ({ metadata, spec }) => [`${metadata.namespace}/${spec.to.service}`],
  },
};
export const holdsDeclaration: InformerDeclaration<TrafficHold, TrafficHold> = {
  resource: trafficholds,
  project: (hold) => hold,
};
