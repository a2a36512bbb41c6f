import type { Draft, Resource } from "#api/resource.ts";

/**
 * What a plan decides: data, carried out by one executor. Preconditions pin what was judged; `reason` is what `steer why`,
 * the audit entry and the trace show; `event` is additionally written as a Kubernetes Event on `about`.
 */
export type Action = CreateAction | UpdateAction | PatchAction | DeleteAction | EventAction;

interface ActionCommon {
  readonly resource: Resource<unknown>;
  readonly namespace?: string | undefined;
  /** A sentence: which rule fired, with the numbers it saw. */
  readonly reason: string;
  /** Written for people once the action has succeeded. */
  readonly event?: EventText;
  /** Written for people when the server refused the action; the server's message is appended. */
  readonly failureEvent?: EventText;
}

/** What `kubectl describe` shows under Events. */
export interface EventText {
  readonly about: EventAction["about"];
  readonly type: "Normal" | "Warning";
  /** CamelCase: `ScalingReplicaSet`. */
  readonly eventReason: string;
  readonly message: string;
}

export interface CreateAction extends ActionCommon {
  readonly verb: "create";
  readonly object: Draft<unknown>;
  /** An AlreadyExists answer is as good as success (names derived from what is created). */
  readonly existingIsFine?: boolean;
}

export interface UpdateAction extends ActionCommon {
  readonly verb: "update";
  readonly name: string;
  /** The whole object; its resourceVersion is the precondition. */
  readonly object: Draft<unknown>;
  readonly subresource?: "status" | "scale" | "finalize" | "approval";
}

export interface PatchAction extends ActionCommon {
  readonly verb: "patch";
  readonly name: string;
  readonly type: "json" | "merge" | "strategic";
  /** Carries metadata.uid and metadata.resourceVersion where the judged state must not have moved. */
  readonly patch: unknown;
  readonly subresource?: "status" | "scale" | "finalize" | "approval";
}

export interface DeleteAction extends ActionCommon {
  readonly verb: "delete";
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  /** A refusal of this one says nothing about the actions after it: they are carried out all the same. */
  readonly othersGoOn?: boolean;
}

/** Only an Event for people; changes nothing else. */
export interface EventAction {
  readonly verb: "event";
  readonly about: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly uid: string;
  };
  readonly type: "Normal" | "Warning";
  /** CamelCase, as kubectl describe shows it: `ScalingReplicaSet`. */
  readonly eventReason: string;
  readonly message: string;
}
