import type { Change, Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";

interface Result {
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
  readonly adminAccess?: boolean;
}

/** 54: a device belongs to one claim at a time, and a pod comes to a node only with its devices, on a node that has them. */
export function deviceChecker(view: View, report: Report): Checker {
  /** The claim that has a device, by the device. */
  const holders = new Map<string, string>();
  return {
    name: "devices",
    changed(changes) {
      for (const change of changes) {
        if (change.resource === "resource.k8s.io/resourceclaims") claimChanged(change, holders, report);
        else if (change.resource === "pods") podBound(change, view, report);
      }
    },
  };
}

function resultsOf(claim: Stored | undefined): readonly Result[] {
  const allocation = claim?.status?.["allocation"] as { devices?: { results?: readonly Result[] } } | undefined;
  return (allocation?.devices?.results ?? []).filter(({ adminAccess }) => adminAccess !== true);
}

function nameOf({ driver, pool, device }: Result): string {
  return `${driver}/${pool}/${device}`;
}

function claimChanged({ key, before, current, revision }: Change, holders: Map<string, string>, report: Report): void {
  for (const result of resultsOf(before)) if (holders.get(nameOf(result)) === key) holders.delete(nameOf(result));
  for (const result of resultsOf(current)) {
    const holder = holders.get(nameOf(result));
    if (holder !== undefined)
      report("54 devices", `${nameOf(result)} was given to ${key} at ${revision} and is ${holder}'s`);
    holders.set(nameOf(result), key);
  }
}

function podBound({ before, current }: Change, view: View, report: Report): void {
  const node = current?.spec?.["nodeName"];
  if (current === undefined || node === undefined || before?.spec?.["nodeName"] !== undefined) return;
  const wanted = (current.spec?.["resourceClaims"] ?? []) as readonly { name: string; resourceClaimName?: string }[];
  const made = (current.status?.["resourceClaimStatuses"] ?? []) as readonly {
    name: string;
    resourceClaimName?: string;
  }[];
  for (const { name, resourceClaimName } of wanted) {
    const claim = resourceClaimName ?? made.find((one) => one.name === name)?.resourceClaimName ?? "";
    const { namespace, name: pod, uid } = current.metadata;
    const stored = view.history.get(`/registry/resource.k8s.io/resourceclaims/${namespace}/${claim}`);
    const users = (stored?.status?.["reservedFor"] ?? []) as readonly { readonly uid: string }[];
    if (!users.some((user) => user.uid === uid))
      report("54 devices", `${pod} came to ${String(node)}, and its claim ${claim} is not reserved for it`);
    for (const result of resultsOf(stored))
      if (result.pool !== node)
        report("54 devices", `${pod} came to ${String(node)}, its device ${nameOf(result)} is elsewhere`);
  }
}
