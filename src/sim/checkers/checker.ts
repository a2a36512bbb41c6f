import type { Store } from "#store/store.ts";
import type { ClientRequest } from "../simulated-cluster.ts";
import type { Change, ObservedState } from "../history.ts";
import type { SimulatedHost } from "../simulated-host.ts";
import type { RuntimeAct } from "../simulated-runtime.ts";
import type { SimulatedStoreDisk } from "../simulated-store.ts";
import type { SimulatedServer } from "../simulated-server.ts";
import type { Swarm } from "../swarm.ts";

/** What checkers may look at: the world from outside. */
export interface View {
  readonly history: ObservedState;
  readonly hosts: readonly Pick<SimulatedHost, "name" | "agentLives">[];
  readonly server: Pick<SimulatedServer, "informers">;
  readonly swarm: Swarm;
  /** Whether faults have stopped. */
  isCalm(): boolean;
  /** Virtual milliseconds since the start. */
  now(): number;
}

/** Says that an invariant is broken; `invariant` names it for people, with its number where it has one. */
export type Report = (invariant: string, what: string) => void;

/** Watches over some invariants. Every method is optional: a checker asks for what it needs. */
export interface Checker {
  readonly name: string;
  /** The server answered a transaction with success. */
  acknowledged?(revision: number, keys: readonly { readonly key: string; readonly type: "put" | "delete" }[]): void;
  /** A server process opened its store. */
  opened?(store: Store, disk: SimulatedStoreDisk): void;
  /** One revision became visible. */
  changed?(changes: readonly Change[]): void;
  /** A client's request left it; it may get lost, and others that leave at the same time may overtake it. */
  asked?(client: string, request: ClientRequest): void;
  /** A client's request reached the server. */
  requested?(client: string, request: ClientRequest): void;
  /** A client opened a watch; answers who sees what arrives. */
  watching?(client: string, target: string): ((chunk: Uint8Array) => void) | undefined;
  /** An agent started or stopped a container, or one ended by itself. */
  acted?(host: string, act: RuntimeAct): void;
  /** The desired state was reached and stood still. */
  settled?(): void;
}

export type CheckerFactory = (view: View, report: Report) => Checker;
