/** Why a node is out of the question for a pod. The order is the order of the filters: the first that says no counts. */
export const verdict = {
  fits: 0,
  /** No node stands in the slot. */
  absent: 1,
  unschedulable: 2,
  taints: 3,
  selector: 4,
  ports: 5,
  resources: 6,
  /** Another pod uses a claim that only one pod at a time may use. */
  claimInUse: 7,
  volumeLimit: 8,
  volumeAffinity: 9,
  volumeBinding: 10,
  volumeCapacity: 11,
  volumeZone: 12,
  spreadLabel: 13,
  spread: 14,
  affinity: 15,
  antiAffinity: 16,
  existingAntiAffinity: 17,
  /** The node cannot give the devices that the pod's resource claims ask for. */
  devices: 18,
  /** The devices of the pod's resource claims cannot be reached from the node. */
  deviceNode: 19,
  /** Somebody outside said no. */
  extender: 20,
  /** No node at all will do before something about the pod's claims changes. */
  claims: 21,
} as const;

/** As `kubectl describe` shows them, without the count. Resources are named one by one. */
export const verdictText: Readonly<Record<number, string>> = {
  [verdict.unschedulable]: "node(s) were unschedulable",
  [verdict.taints]: "node(s) had untolerated taint(s)",
  [verdict.selector]: "node(s) didn't match Pod's node affinity/selector",
  [verdict.ports]: "node(s) didn't have free ports for the requested pod ports",
  [verdict.claimInUse]: "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
  [verdict.volumeLimit]: "node(s) exceed max volume count",
  [verdict.spreadLabel]: "node(s) didn't match pod topology spread constraints (missing required label)",
  [verdict.spread]: "node(s) didn't match pod topology spread constraints",
  [verdict.affinity]: "node(s) didn't match pod affinity rules",
  [verdict.antiAffinity]: "node(s) didn't match pod anti-affinity rules",
  [verdict.existingAntiAffinity]: "node(s) didn't satisfy existing pods anti-affinity rules",
  [verdict.volumeAffinity]: "node(s) didn't match PersistentVolume's node affinity",
  [verdict.volumeBinding]: "node(s) didn't find available persistent volumes to bind",
  [verdict.volumeCapacity]: "node(s) did not have enough free storage",
  [verdict.volumeZone]: "node(s) had no available volume zone",
  [verdict.devices]: "cannot allocate all claims",
  [verdict.extender]: "node(s) were refused by an extender",
  [verdict.deviceNode]: "resourceclaim not available on the node",
};

const changedByEviction: ReadonlySet<number> = new Set([
  verdict.ports,
  verdict.resources,
  verdict.claimInUse,
  verdict.volumeLimit,
  verdict.spread,
  verdict.antiAffinity,
  verdict.existingAntiAffinity,
]);

/** Whether evicting pods could ever change the verdict. */
export function mayChangeByEviction(code: number): boolean {
  return changedByEviction.has(code);
}
