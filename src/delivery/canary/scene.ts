import type { Canary } from "#api/delivery/canary.ts";
import type { TrafficCount } from "#api/delivery/traffic-split.ts";
import { keyOf } from "#reconcile/object-view.ts";
import type { CanaryView, DeploymentView, Observed, ReplicaSetView, ServiceView, SplitView } from "./observed.ts";
import type { CheckResult } from "./checks.ts";
import { settingsOf, type Settings } from "./settings.ts";

/** What one Canary is about, found among the objects. */
export interface Scene {
  readonly view: CanaryView;
  readonly canary: Canary;
  readonly deployment: DeploymentView;
  readonly replicaSets: readonly ReplicaSetView[];
  /** Whose users are split. */
  readonly service: ServiceView;
  readonly settings: Settings;
  /** The Service that stands for the candidate's pods, and the split, as they are now. */
  readonly candidateService: ServiceView | undefined;
  readonly split: SplitView | undefined;
  readonly counts: readonly TrafficCount[];
  readonly readyNodes: readonly string[];
  /** What the sources of its checks said last. */
  readonly checkResults: readonly CheckResult[];
}

/** Why a Canary cannot act, as a condition says it. */
export interface Obstacle {
  readonly reason: string;
  readonly message: string;
}

export function candidateServiceName(canaryName: string): string {
  return `${canaryName}-canary`;
}

/** Everything that a look at a Canary needs, or why it cannot act. */
export function sceneOf(
  view: CanaryView,
  observed: Observed,
  checkResults: readonly CheckResult[] = [],
): Scene | Obstacle {
  const { canary, namespace } = view;
  const { spec } = canary;
  const fault = faultOf(canary);
  if (fault !== undefined) return fault;
  const settings = settingsOf(spec);
  if (typeof settings === "string") return { reason: "InvalidSpec", message: settings };
  const deployment = observed.deployments.get(keyOf(namespace, spec.deployment));
  if (deployment === undefined || deployment.deletionMs !== undefined)
    return { reason: "DeploymentMissing", message: `The Deployment "${spec.deployment}" does not exist` };
  const service = targetOf(canary, deployment, observed);
  if ("reason" in service) return service;
  const older = olderRival(view, service.name, observed);
  if (older !== undefined)
    return { reason: "Overlapping", message: `The older Canary "${older}" has the Deployment or its Service already` };
  const name = candidateServiceName(view.name);
  const candidateService = observed.services.get(keyOf(namespace, name));
  if (candidateService !== undefined && !isOwned(candidateService, view.uid))
    return { reason: "NameTaken", message: `The Service "${name}" exists and is not this Canary's` };
  const split = observed.splits.get(view.key);
  if (split !== undefined && !isOwned(split, view.uid))
    return { reason: "NameTaken", message: `The TrafficSplit "${view.name}" exists and is not this Canary's` };
  return {
    view,
    canary,
    deployment,
    service,
    settings,
    split,
    candidateService,
    replicaSets: observed.replicaSets
      .by("controller", deployment.uid)
      .filter(({ deletionMs }) => deletionMs === undefined),
    counts: observed.counts.by("split", view.key).filter((count) => isOfNode(count, observed)),
    checkResults,
    readyNodes: observed.nodes.list().flatMap(({ name: node, ready }) => (ready ? [node] : [])),
  };
}

function faultOf({ metadata, spec }: Canary): Obstacle | undefined {
  const { header, cookie, jwtClaim, clientAddress } = spec.users;
  const keys = [header, cookie, jwtClaim, clientAddress === true ? true : undefined].filter((key) => key !== undefined);
  if (keys.length !== 1)
    return {
      reason: "NoUserKey",
      message: "spec.users must name exactly one of header, cookie, jwtClaim, clientAddress",
    };
  if ((spec.ingress === undefined) === (spec.service === undefined))
    return { reason: "NoTarget", message: "spec must name an ingress or a service" };
  // Names of what is made for a Canary must be names of Services.
  if (!/^[a-z]([a-z0-9-]{0,54}[a-z0-9])?$/.test(metadata.name ?? ""))
    return { reason: "InvalidName", message: "A Canary's name must be a DNS label of at most 56 characters" };
  return undefined;
}

function targetOf({ spec }: Canary, deployment: DeploymentView, observed: Observed): ServiceView | Obstacle {
  const { namespace } = deployment;
  const selects = (name: string): ServiceView[] => {
    const found = observed.services.get(keyOf(namespace, name));
    return found !== undefined && isSelected(found, deployment.podLabels) ? [found] : [];
  };
  if (spec.service !== undefined) {
    const [service] = selects(spec.service);
    const message = `The Service "${spec.service}" does not exist or selects other pods than the Deployment's`;
    return service ?? { reason: "TargetMissing", message };
  }
  const ingress = observed.ingresses.get(keyOf(namespace, spec.ingress ?? ""));
  if (ingress === undefined)
    return { reason: "TargetMissing", message: `The Ingress "${spec.ingress}" does not exist` };
  const behind = ingress.services.flatMap(selects);
  const [service] = behind;
  if (service === undefined)
    return {
      reason: "TargetMissing",
      message: `No Service behind the Ingress "${spec.ingress}" selects the Deployment's pods`,
    };
  if (behind.length > 1) {
    const names = behind.map(({ name }) => name).join(", ");
    return {
      reason: "AmbiguousTarget",
      message: `Several Services behind the Ingress select the Deployment's pods: ${names}`,
    };
  }
  return service;
}

function isSelected({ service }: ServiceView, labels: Readonly<Record<string, string>>): boolean {
  const selector = Object.entries(service.spec.selector ?? {});
  return selector.length > 0 && selector.every(([key, value]) => labels[key] === value);
}

function olderRival(view: CanaryView, service: string, observed: Observed): string | undefined {
  const rivals = observed.canaries.by("namespace", view.namespace).filter((other) => {
    if (other.uid === view.uid || other.deletionMs !== undefined || !isOlder(other, view)) return false;
    const { deployment, service: named, ingress } = other.canary.spec;
    const behind =
      ingress === undefined ? [] : (observed.ingresses.get(keyOf(view.namespace, ingress))?.services ?? []);
    const isSameIngress =
      ingress === view.canary.spec.ingress || ingress === undefined || view.canary.spec.ingress === undefined;
    const isSameService = named === service || (isSameIngress && behind.includes(service));
    return deployment === view.canary.spec.deployment || isSameService;
  });
  return rivals[0]?.name;
}

function isOlder(a: CanaryView, b: CanaryView): boolean {
  return a.createdMs < b.createdMs || (a.createdMs === b.createdMs && a.name < b.name);
}

/** One of each Node and no more: numbers of a node that nobody knows, or of one twice, are somebody's tale. */
function isOfNode({ metadata, spec }: TrafficCount, { nodes }: Observed): boolean {
  return metadata.name === `${spec.split}.${spec.node}` && nodes.get(spec.node) !== undefined;
}

function isOwned({ controller }: { readonly controller: { readonly uid: string } | undefined }, uid: string): boolean {
  return controller?.uid === uid;
}
