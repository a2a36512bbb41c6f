import { resourceclaims } from "#api/generated/resources.ts";
import type { ResourceClaim } from "#api/generated/resource-v1.ts";
import type { Cause, Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Timers } from "#world/clock.ts";
import { limits } from "../limits.ts";
import type { PodView } from "../pod-view.ts";
import type { Assignment, Devices } from "./devices.ts";
import type { DeviceClaimView } from "./views.ts";

/** Keeps a claim with devices from going away before they were given back. */
const claimFinalizer = "resource.kubernetes.io/delete-protection";

/** Writes into the claims of a pod what was decided for it. */
export class DeviceBinding {
  readonly #client: Client;
  readonly #timers: Timers;
  readonly #devices: Devices;
  #isStopped = false;

  constructor(client: Client, timers: Timers, devices: Devices) {
    this.#client = client;
    this.#timers = timers;
    this.#devices = devices;
  }

  /** Resolves with undefined once all claims say so, with what went wrong otherwise. Never rejects. */
  async write(pod: PodView, cause: Cause): Promise<string | undefined> {
    let current = "";
    try {
      for (const assignment of this.#devices.beginWriting(pod)) {
        current = assignment.claim.name;
        await this.#assign(pod, assignment, cause);
      }
      return undefined;
    } catch (error) {
      return `resource claim ${current}: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      this.#devices.writingEnded(pod);
    }
  }

  /** Takes the devices of a claim back that keep its only user from running. */
  async giveBack(claim: DeviceClaimView, cause: Cause): Promise<void> {
    await this.#patch(
      claim,
      claim.resourceVersion,
      { status: { allocation: null, reservedFor: null } },
      cause,
      "status",
    );
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #assign(pod: PodView, { claim, allocation }: Assignment, cause: Cause): Promise<void> {
    if (claim.reservedFor.some(({ uid }) => uid === pod.uid)) return;
    const consumer = { resource: "pods", name: pod.name, uid: pod.uid };
    let { resourceVersion } = claim;
    if (allocation !== undefined && !claim.finalizers.includes(claimFinalizer)) {
      const finalizers = [...claim.finalizers, claimFinalizer];
      const made = await this.#patch(claim, resourceVersion, { metadata: { finalizers } }, cause);
      resourceVersion = made.metadata.resourceVersion ?? "";
    }
    const status = {
      ...(allocation === undefined ? {} : { allocation }),
      // A list as a whole: the resourceVersion says that nobody else has joined meanwhile.
      reservedFor: [...claim.reservedFor, consumer],
    };
    const made = await this.#patch(claim, resourceVersion, { status }, cause, "status");
    this.#devices.written(pod, claim, Number(made.metadata.resourceVersion));
  }

  /** Again and again until the server answers: the revision that was judged makes that harmless. */
  async #patch(
    { namespace, name, uid }: DeviceClaimView,
    resourceVersion: string,
    change: { readonly metadata?: object; readonly status?: object },
    cause: Cause,
    subresource?: string,
  ): Promise<ResourceClaim> {
    const patch = { ...change, metadata: { ...change.metadata, uid, resourceVersion } };
    const options = { type: "merge", cause, ...(subresource === undefined ? {} : { subresource }) } as const;
    for (let delayMs: number = limits.backoffMinMs; ; delayMs = Math.min(limits.backoffMaxMs, delayMs * 2)) {
      try {
        return await this.#client.patch(resourceclaims, { namespace, name }, patch, options);
      } catch (error) {
        if (error instanceof ApiStatusError || this.#isStopped) throw error;
        await this.#timers.sleep(delayMs);
      }
    }
  }
}
