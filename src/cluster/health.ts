import type { HealthCheck } from "#apiserver/call.ts";
import type { Store } from "#store/store.ts";
import type { Clock } from "#world/clock.ts";

/** A write that waits longer for the disk makes the server unready, in milliseconds. */
const unreadyAfterMs = 2_000;
/** A write that waits longer for the disk means that the server does not do its work, in milliseconds. */
const unhealthyAfterMs = 4_000;

/**
 * Whether what is written reaches the disk, under the names that probes know it by. Without writes nothing waits; but leases are
 * renewed all the time. A store that has failed ends the process.
 */
export function storeChecks(store: Pick<Store, "waitingSince">, clock: Pick<Clock, "monotonic">): HealthCheck[] {
  const check = (name: string, endpoints: HealthCheck["endpoints"], afterMs: number): HealthCheck => ({
    name,
    endpoints,
    check: () => {
      const { waitingSince } = store;
      if (waitingSince === undefined || clock.monotonic() - waitingSince < afterMs) return undefined;
      return `a write has waited for the disk for more than ${afterMs} ms`;
    },
  });
  return [
    check("etcd", ["livez", "readyz", "healthz"], unhealthyAfterMs),
    check("etcd-readiness", ["readyz"], unreadyAfterMs),
  ];
}

/** How far the server has come: what /livez, /readyz and /healthz tell beside `ping`, under upstream's names. */
export class Progress {
  hasSystemObjects = false;
  hasSynced = false;
  isStopping = false;

  readonly checks: readonly HealthCheck[] = [
    {
      name: "poststarthook/rbac/bootstrap-roles",
      endpoints: ["livez", "readyz", "healthz"],
      check: () => (this.hasSystemObjects ? undefined : "roles and other objects of every cluster are being made"),
    },
    {
      name: "informer-sync",
      endpoints: ["readyz"],
      check: () => (this.hasSynced ? undefined : "the loops have not seen everything yet"),
    },
    {
      name: "shutdown",
      endpoints: ["readyz"],
      check: () => (this.isStopping ? "the server is being stopped" : undefined),
    },
  ];
}
