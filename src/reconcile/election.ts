import { leases } from "#api/generated/resources.ts";
import type { Lease } from "#api/generated/coordination-v1.ts";
import type { Cause, Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import { limits } from "./limits.ts";

export type Epoch = NonNullable<Cause["epoch"]>;

export interface Election {
  start(): void;
  /** Gives the lease up when held, so that the next leader need not wait. */
  stop(): Promise<void>;
  /** The epoch of the current term; undefined while not leading. */
  readonly epoch: Epoch | undefined;
}

export interface ElectionOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Name of the Lease and of the epoch's leader: `steersman-controllers`. */
  readonly name: string;
  readonly namespace: string;
  /** Who we are; must differ between two lives of one process. */
  readonly identity: string;
  readonly onStarted: (epoch: Epoch) => void;
  /** The term is over: stop writing. The epoch keeps late writes out of the store. */
  readonly onStopped: () => void;
  readonly onProblem?: (problem: string, error: unknown) => void;
}

/**
 * Leader election over a Lease. Each term has a number greater than all before (leaseTransitions + 1), which writes carry as
 * their epoch: the store refuses those of a leader that does not know yet that its term is over.
 */
export function createElection(options: ElectionOptions): Election {
  return new LeaseElection(options);
}

interface Observed {
  readonly revision: string;
  /** On our own monotonic clock: clocks of two machines are never compared. */
  readonly sinceMs: number;
}

class LeaseElection implements Election {
  epoch: Epoch | undefined;
  readonly #options: ElectionOptions;
  #observed: Observed | undefined;
  #renewedMs = 0;
  #timer: Timer | undefined;
  #running = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#next(0);
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#timer?.cancel();
    await this.#turn;
    if (this.epoch === undefined) return;
    this.#endTerm();
    try {
      const lease = await this.#find();
      if (lease?.spec.holderIdentity === this.#options.identity)
        await this.#write(lease, { holderIdentity: "", leaseDurationSeconds: 1 });
    } catch (error) {
      this.#options.onProblem?.("cannot give the lease up", error);
    }
  }

  #next(delayMs: number): void {
    if (!this.#running) return;
    this.#timer = this.#options.timers.after(delayMs, () => {
      this.#turn = this.#step().then((waitMs) => this.#next(waitMs));
    });
  }

  /** One attempt to take or renew; answers how long to wait for the next, in milliseconds. */
  async #step(): Promise<number> {
    const { clock, random } = this.#options;
    try {
      if (await this.#takeOrRenew()) this.#renewedMs = clock.monotonic();
      else if (this.epoch !== undefined) this.#endTerm();
    } catch (error) {
      if (!(error instanceof ApiStatusError && error.reason === "Conflict"))
        this.#options.onProblem?.("cannot renew the lease", error);
    }
    // A leader that could not renew for two thirds of the duration stops before anybody may take over.
    const silentMs = clock.monotonic() - this.#renewedMs;
    if (this.epoch !== undefined && silentMs > (limits.leaseDurationMs * 2) / 3) this.#endTerm();
    const healthy = this.epoch !== undefined && silentMs < limits.leaseRenewMs;
    return healthy ? limits.leaseRenewMs : limits.leaseRetryMs * (1 + 0.2 * random.float());
  }

  async #takeOrRenew(): Promise<boolean> {
    const { identity, name, namespace, client, clock } = this.#options;
    const lease = await this.#find();
    if (lease === undefined) {
      const now = this.#now();
      const spec = {
        holderIdentity: identity,
        leaseDurationSeconds: seconds(),
        acquireTime: now,
        renewTime: now,
        leaseTransitions: 0,
      };
      await client.create(
        leases,
        { namespace },
        { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace }, spec },
      );
      this.#beginTerm(1);
      return true;
    }
    const transitions = lease.spec.leaseTransitions ?? 0;
    if (lease.spec.holderIdentity === identity) {
      await this.#write(lease, { renewTime: this.#now() });
      if (this.epoch === undefined) this.#beginTerm(transitions + 1);
      return true;
    }
    const revision = lease.metadata.resourceVersion ?? "";
    if (this.#observed?.revision !== revision) this.#observed = { revision, sinceMs: clock.monotonic() };
    const heldMs = (lease.spec.leaseDurationSeconds ?? seconds()) * 1000;
    const free = (lease.spec.holderIdentity ?? "") === "" || clock.monotonic() - this.#observed.sinceMs >= heldMs;
    if (!free) return false;
    const now = this.#now();
    await this.#write(lease, {
      holderIdentity: identity,
      leaseDurationSeconds: seconds(),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: transitions + 1,
    });
    this.#beginTerm(transitions + 2);
    return true;
  }

  #find(): Promise<Lease | undefined> {
    const { client, name, namespace } = this.#options;
    return client.find(leases, { namespace, name });
  }

  async #write(lease: Lease, change: Partial<Lease["spec"]>): Promise<void> {
    const { client, name, namespace } = this.#options;
    await client.update(leases, { namespace, name }, { ...lease, spec: { ...lease.spec, ...change } });
  }

  #beginTerm(number: number): void {
    if (this.epoch?.number === number) return;
    this.epoch = { leader: this.#options.name, number };
    this.#options.onStarted(this.epoch);
  }

  #endTerm(): void {
    this.epoch = undefined;
    this.#options.onStopped();
  }

  #now(): string {
    return `${new Date(this.#options.clock.now()).toISOString().slice(0, -1)}000Z`;
  }
}

function seconds(): number {
  return limits.leaseDurationMs / 1000;
}
