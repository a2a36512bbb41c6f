import type { Container, EphemeralContainer, Pod } from "#api/generated/core-v1.ts";
import type { PreparedDevice } from "#world/node-plugins.ts";
import type { HeldClaim } from "./checkpoint.ts";

/** A prepared device that a container may use. */
export interface UsedDevice {
  readonly claim: HeldClaim;
  readonly driver: string;
  readonly device: PreparedDevice;
}

/** The devices that a container's claims give it, in the order in which it names them. Pure. */
export function devicesOfContainer(
  pod: Pod,
  container: Container | EphemeralContainer,
  claims: readonly HeldClaim[],
): UsedDevice[] {
  const { namespace, uid = "" } = pod.metadata;
  return (container.resources?.claims ?? []).flatMap(({ name, request }) => {
    const named = pod.spec.resourceClaims?.find((one) => one.name === name);
    const made = pod.status.resourceClaimStatuses?.find((one) => one.name === name);
    const claimName = named?.resourceClaimName ?? made?.resourceClaimName;
    const claim = claims.find(
      (one) => one.namespace === namespace && one.name === claimName && one.podUids.includes(uid),
    );
    if (claim === undefined) return [];
    return Object.entries(claim.drivers).flatMap(([driver, devices]) =>
      devices.filter((device) => isOfRequest(device, request)).map((device) => ({ claim, driver, device })),
    );
  });
}

/** A device belongs to its request, also by the request's chosen alternative: `gpu/large` is of `gpu`. */
function isOfRequest({ requestNames }: PreparedDevice, request: string | undefined): boolean {
  if (request === undefined || request === "" || requestNames.length === 0) return true;
  return requestNames.some((name) => name === request || name.startsWith(`${request}/`));
}
