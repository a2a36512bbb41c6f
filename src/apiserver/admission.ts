import type { ApiObject, Kind } from "#api/kind.ts";
import type { Registry } from "./registry.ts";
import type { User } from "./user.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** A `Status` cause: like a `FieldError`, with reasons of its own (`NamespaceTerminating`). */
export interface VerdictCause {
  readonly field: string;
  readonly reason: string;
  readonly message: string;
}

/** A request as admission sees it: after decoding and defaulting, before validation. */
export interface AdmissionRequest {
  readonly operation: Operation;
  readonly kind: Kind;
  readonly version: string;
  readonly resource: string;
  readonly group: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: User;
  readonly dryRun: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Mutating plugins change it in place; undefined for deletions. */
  object: ApiObject | undefined;
  /** The stored object (security.md, CVE-2021-25735), undefined for creations. Never changed. */
  readonly oldObject: ApiObject | undefined;
  /** Warnings for the client. */
  readonly warnings: string[];
  /** Key and value for the audit entry. */
  readonly auditAnnotations: Record<string, string>;
  /** How the request came, for steps that pass it on; absent where the server asks itself. */
  readonly origin?: { readonly registry: Registry; readonly query: URLSearchParams };
  /** Set by a step that let somebody else change the object: all mutating steps get a second turn. */
  wantsReinvocation?: boolean;
  /** True in that second turn; there is no third. */
  isReinvocation?: boolean;
}

export type Verdict =
  | { readonly allowed: true }
  /**
   * 403 with this message behind `pods "x" is forbidden: `; with a `code`, that code and `reason` with the message as it
   * is. `causes` are listed in details.
   */
  | {
      readonly allowed: false;
      readonly message: string;
      /** The message and the code stand as they are, whatever the code. */
      readonly isWhole?: boolean;
      readonly code?: number;
      readonly reason?: string;
      readonly causes?: readonly VerdictCause[];
      readonly retryAfterSeconds?: number;
    };

/** One admission step. All mutate steps run before all validate steps; the order is the list in admission/all.ts. */
export interface AdmissionPlugin {
  readonly name: string;
  /** False: its mutate step takes something that it must not take twice, and has no second turn. */
  readonly isRepeatable?: boolean;
  mutate?(request: AdmissionRequest): Verdict | Promise<Verdict>;
  validate?(request: AdmissionRequest): Verdict | Promise<Verdict>;
}
