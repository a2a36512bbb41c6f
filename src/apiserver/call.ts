import type { AdmissionPlugin } from "./admission.ts";
import type { TokenIssuer } from "./authenticate/token-issuer.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Authorizer } from "./authorizer.ts";
import type { Measures } from "./measures.ts";
import type { NodeConnector } from "./node-connector.ts";
import type { Deadlines } from "./deadlines.ts";
import type { CountedFor } from "./fairness/counted-for.ts";
import type { ObjectReader } from "./object-reader.ts";
import type { ObjectCache } from "./objects/cache.ts";
import type { Describe } from "./openapi/documented.ts";
import type { RemotePart } from "./openapi/merge-v2.ts";
import type { PendingKeys } from "./objects/pending.ts";
import type { SelectionIndexes } from "./reads/selection-index.ts";
import type { Registry, Served } from "./registry.ts";
import type { RequestInfo } from "./stages/route.ts";
import type { User } from "./user.ts";
import type { WebhookCaller } from "./webhook-caller.ts";
import type { WatchHub } from "./watch/hub.ts";
import type { WatchesByUser } from "./watch/watches-by-user.ts";
import type { VirtualGroup } from "#api/virtual-group.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { HttpRequest, HttpResponse, Peer } from "#world/http.ts";
import type { Random } from "#world/random.ts";
import type { Store } from "#store/store.ts";
import { Failure } from "./failure.ts";

/** A check that /livez, /readyz and /healthz list by its name. */
export interface HealthCheck {
  readonly name: string;
  readonly endpoints: readonly ("livez" | "readyz" | "healthz")[];
  /** Undefined when all is well. */
  check(): string | undefined;
}

/** Documents whose content other rooms own, by exact path: `/openid/v1/jwks`, `/metrics`. */
export interface PlainDocument {
  readonly contentType: string;
  content(): string | Promise<string>;
}

/** What the stages share for the life of the server. */
export interface Parts {
  readonly store: Store;
  readonly registry: Registry;
  readonly objects: ObjectCache;
  /** What is stored, as head has it. */
  readonly reader: ObjectReader;
  readonly pending: PendingKeys;
  readonly hub: WatchHub;
  /** Of requests that get the usual time. */
  readonly deadlines: Deadlines;
  readonly indexes: SelectionIndexes;
  readonly watchesByUser: WatchesByUser;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly admission: readonly AdmissionPlugin[];
  readonly version: VersionInfo;
  readonly nodes: NodeConnector | undefined;
  readonly tokens: TokenIssuer | undefined;
  readonly documents: ReadonlyMap<string, PlainDocument>;
  /** By group and version: what a provider answers. */
  readonly virtual: ReadonlyMap<string, VirtualGroup>;
  readonly health: readonly HealthCheck[];
  readonly describe: Describe;
  readonly gzip: ((bytes: Uint8Array) => Promise<Uint8Array>) | undefined;
  /** Undefined: custom resources cannot be converted by webhooks. */
  readonly webhooks?: WebhookCaller | undefined;
  /** Absent: nothing is written down. */
  readonly audit: Auditing | undefined;
  /** Absent: nobody measures. */
  readonly measures: Measures | undefined;
  /** Who answers group versions that are not ours; made after the parts that it needs. */
  readonly aggregation: () =>
    | {
        answer(call: Call): Outcome | Promise<Outcome>;
        /** OpenAPI 3 of other servers, by `apis/{group}/{version}`. */
        documents(): ReadonlyMap<string, { readonly body: Uint8Array; readonly hash: string }>;
        /** Their parts of the one document of OpenAPI 2, by group version. */
        partsOfV2(): ReadonlyMap<string, { readonly content: RemotePart; readonly hash: string }>;
      }
    | undefined;
  /** Where unexpected exceptions go; clients never see them. */
  readonly log: (message: string, error: unknown) => void;
}

export interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
}

/** Who writes down who did what. */
export interface Auditing {
  begin(call: Call): void;
  /** The answer, marked with its entry; a promise where it waits until the entry is safe. */
  finish(call: Call, response: HttpResponse, stage?: "Panic"): HttpResponse | Promise<HttpResponse>;
  /** The entry for a write's transaction, when the policy wants one. */
  entryOf(call: Call, code: number, name: string): string | undefined;
}

/** One request on its way through the stages. */
export interface Call {
  readonly parts: Parts;
  readonly request: HttpRequest;
  readonly peer: Peer;
  info: RequestInfo;
  user: User;
  /** Who really asks, where `user` is impersonated. */
  realUser?: User;
  /** What the request was counted for, where it was. */
  flow?: CountedFor;
  /** True when the user was given by the transport: controllers inside the process. */
  readonly inProcess: boolean;
  served: Served | undefined;
  readonly warnings: string[];
  readonly auditAnnotations: Record<string, string>;
  /** Milliseconds for which it waited for its turn and for webhooks. */
  outsideMs?: number;
  /** The revision that it made, once it made one. */
  revision?: number;
  /** Called when the answer stands or, where it goes on for long, when it has been sent: with its length in bytes. */
  finished: ((bytes: number) => void) | undefined;
}

/** A step's result: go on, or this is the end. */
export type Outcome = HttpResponse | Failure | undefined;

export interface Stage {
  readonly name: string;
  run(call: Call): Outcome | Promise<Outcome>;
}
