import type { Call, Outcome } from "../call.ts";
import { Failure, invalid } from "../failure.ts";
import type { Served } from "../registry.ts";
import { authorize } from "../stages/authorize.ts";

const rbac = "rbac.authorization.k8s.io";

/** Resources that a PUT creates when they are not there, as upstream has it for these alone. */
const createdByPut: ReadonlySet<string> = new Set([
  "/endpoints",
  "/events",
  "/limitranges",
  "/services",
  "coordination.k8s.io/leases",
  "events.k8s.io/events",
  "node.k8s.io/runtimeclasses",
  `${rbac}/clusterrolebindings`,
  `${rbac}/clusterroles`,
  `${rbac}/rolebindings`,
  `${rbac}/roles`,
]);

/** Resources whose PUT must say which state it was made from; so must those of all custom resources. */
const updatedByRevision: ReadonlySet<string> = new Set([
  "admissionregistration.k8s.io/mutatingadmissionpolicies",
  "admissionregistration.k8s.io/mutatingadmissionpolicybindings",
  "admissionregistration.k8s.io/mutatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingadmissionpolicies",
  "admissionregistration.k8s.io/validatingadmissionpolicybindings",
  "admissionregistration.k8s.io/validatingwebhookconfigurations",
  "apiextensions.k8s.io/customresourcedefinitions",
  "apiregistration.k8s.io/apiservices",
  "coordination.k8s.io/leases",
  "node.k8s.io/runtimeclasses",
  "policy/poddisruptionbudgets",
  "storage.k8s.io/csidrivers",
  "storage.k8s.io/csinodes",
  "storage.k8s.io/csistoragecapacities",
  "storage.k8s.io/volumeattachments",
]);

function nameOf({ resource }: Served): string {
  return `${resource.group}/${resource.resource}`;
}

export function isCreatedByPut(served: Served): boolean {
  return createdByPut.has(nameOf(served));
}

/** 422 for a PUT without a revision where one must be named. */
export function missingRevision(served: Served, name: string, revision: string | undefined): Failure | undefined {
  if (revision !== undefined && revision !== "" && revision !== "0") return undefined;
  if (served.custom === undefined && !updatedByRevision.has(nameOf(served))) return undefined;
  const { group, resource } = served.resource;
  const message = "Invalid value: 0x0: must be specified for an update";
  return invalid(group, resource, name, [{ field: "metadata.resourceVersion", reason: "FieldValueInvalid", message }]);
}

/** An update or an apply that turns out to create needs the permission to create as well; undefined: it is given. */
export function mayNotCreate(call: Call): Outcome | Promise<Outcome> {
  return authorize({ ...call, info: { ...call.info, verb: "create" } });
}
