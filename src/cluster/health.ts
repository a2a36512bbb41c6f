import type { HealthCheck } from "#apiserver/call.ts";

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
