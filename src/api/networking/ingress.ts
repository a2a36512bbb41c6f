import { ageColumn, column, nameColumn } from "../columns.ts";
import type { Ingress } from "../generated/networking-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateIngress, validateIngressUpdate } from "../validation/ingress.ts";

const hostsShownMax = 3;
const classAnnotation = "kubernetes.io/ingress.class";

function hostsOf(ingress: Ingress): string {
  const hosts = (ingress.spec.rules ?? []).map((rule) => rule.host ?? "").filter((host) => host !== "");
  if (hosts.length === 0) return "*";
  if (hosts.length <= hostsShownMax) return hosts.join(",");
  return `${hosts.slice(0, hostsShownMax).join(",")} + ${hosts.length - hostsShownMax} more...`;
}

function addressesOf(ingress: Ingress): string {
  return (ingress.status?.loadBalancer?.ingress ?? [])
    .map((entry) => entry.ip || entry.hostname || "")
    .filter((address) => address !== "")
    .join(",");
}

export const ingressRules: KindRules<Ingress> = {
  ...separateStatus<Ingress>(() => ({ loadBalancer: {} })),
  validate: (ingress) => collect((errors) => validateIngress(errors, ingress)),
  validateUpdate: (ingress, old, context) => collect((errors) => validateIngressUpdate(errors, ingress, old, context)),
  warnings: (ingress) =>
    ingress.metadata.annotations?.[classAnnotation] === undefined
      ? []
      : ["annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"],
  columns: [
    nameColumn,
    column("Class", "The name of the IngressClass resource that should be used for additional configuration"),
    column("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
    column("Address", "Address is a list containing ingress points for the load-balancer"),
    column("Ports", "Ports of TLS configurations that open"),
    ageColumn,
  ],
  cells: (ingress, now) => [
    ingress.metadata.name,
    ingress.spec.ingressClassName ?? ingress.metadata.annotations?.[classAnnotation] ?? "<none>",
    hostsOf(ingress),
    addressesOf(ingress),
    (ingress.spec.tls?.length ?? 0) > 0 ? "80, 443" : "80",
    ageOf(ingress.metadata.creationTimestamp, now),
  ],
};
