/**
 * The kernel's packet rules as data. Names and elements are made by compilers from validated addresses, ports and numbers only:
 * an implementation may write them into a command language without quoting, and checks that it can.
 */
export interface RuleTable {
  /** Letters, digits, `_` and `-`; carries the cluster's id, so that clusters on one machine never touch each other's. */
  readonly name: string;
  readonly sets: readonly RuleSet[];
  readonly chains: readonly RuleChain[];
}

/** A set, a map or a verdict map of the table. */
export interface RuleSet {
  readonly name: string;
  /** What its keys and values are, e.g. `type ipv4_addr . inet_proto . inet_service : verdict`. */
  readonly definition: string;
  /** Maps have values, sets are maps too: see `definition`. */
  readonly map: boolean;
  readonly elements: RuleElements;
}

/**
 * Key (`10.96.0.1 . tcp . 80`) to value (`goto pick_service_2`, `10.244.0.5 . 8080`); the value is empty in sets. In sets with
 * time limits a key may end in its own: `10.0.0.1 timeout 30s`.
 */
export type RuleElements = ReadonlyMap<string, string>;

/** An element as the kernel holds it now. */
export interface HeldElement {
  readonly value: string;
  /** Of elements with a time limit: what is left of it. */
  readonly expiresSeconds?: number;
}

export interface RuleChain {
  readonly name: string;
  /** Absent for chains that others jump to. */
  readonly hook?: {
    readonly type: "filter" | "nat";
    readonly at: "prerouting" | "input" | "forward" | "output" | "postrouting";
    readonly priority: number;
  };
  readonly rules: readonly string[];
}

export interface ElementChange {
  readonly set: string;
  readonly key: string;
  readonly value: string;
}

/** One change of an existing table; it happens as a whole or not at all. */
export interface RuleChange {
  readonly table: string;
  readonly addChains: readonly RuleChain[];
  /** Each must be there, with whatever value. */
  readonly removeElements: readonly { readonly set: string; readonly key: string }[];
  /** None may be there unless it is in `removeElements` too. */
  readonly addElements: readonly ElementChange[];
}

/** Connections that the kernel tracks and that were sent to an address which is gone. Absent fields match all. */
export interface ConnectionFilter {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** Where the client sent its packets. */
  readonly originalAddress?: string;
  readonly originalPort?: number;
  /** Where they were sent on to. */
  readonly translatedAddress?: string;
}

/** The kernel refused; the rules are as they were. */
export class KernelRulesError extends Error {
  override readonly name = "KernelRulesError";
}

/** IPv4 packet rules. Each call is one atomic transaction; calls that overlap are the caller's mistake. Rejects with `KernelRulesError`. */
export interface KernelRules {
  /** Puts the table in the place of one of its name, at once; creates it when there is none. */
  replaceTable(table: RuleTable): Promise<void>;
  change(change: RuleChange): Promise<void>;
  /** Removes a table; nothing to remove is no error. */
  removeTable(name: string): Promise<void>;
  /** The elements that are in a set now; undefined when there is no such table or set. */
  readElements(table: string, set: string): Promise<ReadonlyMap<string, HeldElement> | undefined>;
  /** Makes the kernel forget connections, so that their next packet is judged by the rules of now. Best effort. */
  forgetConnections(filters: readonly ConnectionFilter[]): Promise<void>;
}
