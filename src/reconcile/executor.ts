import { pathOf, type Resource } from "#api/resource.ts";
import type { Cause, Client } from "#client/client.ts";
import { deleteBody } from "#client/http-client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Action, DeleteAction, EventText, UpdateAction } from "./action.ts";
import type { EventRecorder } from "./events.ts";
import { limits } from "./limits.ts";

/** What an action left behind in the store: what a loop must have seen before it plans again. */
export type Trace =
  | { readonly resource: Resource<unknown>; readonly revision: number }
  | { readonly resource: Resource<unknown>; readonly key: string; readonly uid: string };

export type Outcome =
  | { readonly kind: "done"; readonly trace?: Trace; readonly object?: unknown }
  /** Nothing had to be done: already there, already gone. */
  | { readonly kind: "unneeded" }
  /** What was judged has moved: look again. */
  | { readonly kind: "conflict"; readonly error: ApiStatusError }
  /** The server will not have it; trying the same again soon is useless. */
  | { readonly kind: "refused"; readonly error: ApiStatusError }
  /** No answer, or the server is unwell. */
  | { readonly kind: "failed"; readonly error: Error; readonly retryAfterMs: number };

export interface RunResult {
  readonly traces: readonly Trace[];
  /** The first action that did not succeed; those after it were not begun, unless it says that others go on. */
  readonly stopped?: { readonly action: Action; readonly outcome: Exclude<Outcome, { kind: "done" | "unneeded" }> };
  readonly writes: number;
}

/** Carries actions out and says why to the server. The only place from which loops write. */
export interface Executor {
  execute(action: Action, because?: string): Promise<Outcome>;
  /**
   * Actions in order, stopping at the first that fails and does not let others go on. Neighbouring creates (or deletes) of one
   * resource start slowly: 1, 2, 4... at once up to `writesInFlightMax`, so that a refusal is met once and not a thousand times.
   */
  run(actions: readonly Action[], because?: string): Promise<RunResult>;
  /**
   * After a write without an answer, which may or may not have happened: what must have been seen before planning again, so
   * that it is not done twice. Rejects when there is no answer either.
   */
  look(action: Action): Promise<readonly Trace[]>;
  /** The loop ends: its Events are not waited for any more. */
  stop(): void;
}

export interface ExecutorOptions {
  readonly client: Client;
  /** `controllers/deployment`. */
  readonly actor: string;
  readonly events: EventRecorder;
  /** Of leader-elected loops. */
  readonly epoch?: () => Cause["epoch"];
}

export function createExecutor(options: ExecutorOptions): Executor {
  const execute = async (action: Action, because?: string): Promise<Outcome> => {
    if (action.verb === "event") {
      options.events.record(action);
      return { kind: "unneeded" };
    }
    const outcome = await attempt(options, action, because);
    if (outcome.kind === "done" && action.event !== undefined) options.events.record(action.event);
    if (outcome.kind === "refused" && action.failureEvent !== undefined && !isNamespaceTerminating(outcome.error)) {
      options.events.record(withMessage(action.failureEvent, outcome.error.message));
    }
    return outcome;
  };
  return {
    execute,
    run: (actions, because) => run(execute, actions, because),
    look: (action) => look(options.client, action),
    stop: () => options.events.stop(),
  };
}

/** The newest revision among the objects that the action's one would be among. */
async function look(client: Client, action: Action): Promise<readonly Trace[]> {
  if (action.verb === "event") return [];
  const { resource, namespace } = action;
  const { items } = await client.list(resource, {
    metadataOnly: true,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const found = (items as { metadata?: SeenMetadata }[]).map(({ metadata }) => metadata ?? {});
  const revisions = found.map(({ resourceVersion }) => Number(resourceVersion ?? 0));
  const newest = { resource, revision: revisions.reduce((most, revision) => Math.max(most, revision), 0) };
  if (action.verb !== "delete") return [newest];
  // What was deleted at once left no revision among those that remain: its disappearance is what must be seen.
  const isLeft = found.some(({ uid, deletionTimestamp }) => uid === action.uid && deletionTimestamp === undefined);
  return isLeft ? [newest] : [newest, traceOfDeletion(action)];
}

interface SeenMetadata {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly deletionTimestamp?: string;
}

/** Whether a write may have happened although it counts as failed: nobody answered. */
export function isUnanswered(outcome: Outcome): boolean {
  return outcome.kind === "failed" && !(outcome.error instanceof ApiStatusError);
}

function withMessage(event: EventText, message: string): EventText {
  return { ...event, message: `${event.message}${message}` };
}

/** The namespace is going away: neither a problem nor worth an Event. */
function isNamespaceTerminating(error: ApiStatusError): boolean {
  const causes = (error.details as { causes?: { reason?: string }[] } | undefined)?.causes ?? [];
  return causes.some((cause) => cause.reason === "NamespaceTerminating");
}

async function run(
  execute: Executor["execute"],
  actions: readonly Action[],
  because: string | undefined,
): Promise<RunResult> {
  const traces: Trace[] = [];
  let writes = 0;
  let size = 1;
  let stopped: RunResult["stopped"];
  for (let at = 0; at < actions.length;) {
    const first = actions[at]!;
    const room = isBatchable(first) ? size : 1;
    const batch: Action[] = [];
    while (batch.length < room && at < actions.length && (batch.length === 0 || isAlike(first, actions[at]!)))
      batch.push(actions[at++]!);
    const outcomes = await Promise.all(batch.map((action) => execute(action, because)));
    let isOver = false;
    for (const [index, outcome] of outcomes.entries()) {
      const action = batch[index]!;
      if (outcome.kind === "done") {
        writes++;
        if (outcome.trace !== undefined) traces.push(outcome.trace);
      } else if (outcome.kind !== "unneeded") {
        const goesOn = action.verb === "delete" && action.othersGoOn === true && outcome.kind === "refused";
        // What ends the run tells more than what it went on after.
        if (stopped === undefined || (!isOver && !goesOn)) stopped = { action, outcome };
        isOver ||= !goesOn;
      }
    }
    if (isOver) break;
    const next = actions[at];
    size = next !== undefined && isAlike(first, next) ? Math.min(size * 2, limits.writesInFlightMax) : 1;
  }
  return { traces, writes, ...(stopped === undefined ? {} : { stopped }) };
}

function isBatchable(action: Action): boolean {
  return action.verb === "create" || action.verb === "delete" || action.verb === "patch";
}

function isAlike(a: Action, b: Action): boolean {
  return a.verb !== "event" && b.verb !== "event" && a.verb === b.verb && a.resource === b.resource;
}

type Write = Exclude<Action, { verb: "event" }>;

async function attempt(options: ExecutorOptions, action: Write, because: string | undefined): Promise<Outcome> {
  const epoch = options.epoch?.();
  const cause: Cause = {
    actor: options.actor,
    rule: action.reason,
    ...(because === undefined ? {} : { because }),
    ...(epoch === undefined ? {} : { epoch }),
  };
  try {
    const answer = await send(options.client, action, cause);
    return { kind: "done", ...traceOf(action, answer), object: answer };
  } catch (error) {
    return classify(action, error);
  }
}

/** Of what is answered only the revision is read. */
const shared = true;

function send(client: Client, action: Write, cause: Cause): Promise<unknown> {
  const { resource, namespace } = action;
  switch (action.verb) {
    case "create":
      return client.create(resource, { namespace }, action.object as never, { cause, shared });
    case "update":
      if (action.subresource === "status") return replaceStatus(client, action, cause);
      return client.update(resource, { namespace, name: action.name }, action.object as never, {
        cause,
        shared,
        ...subresource(action),
      });
    case "patch":
      return client.patch(resource, { namespace, name: action.name }, action.patch, {
        cause,
        shared,
        type: action.type,
        ...subresource(action),
      });
    case "delete":
      // Not `client.delete`: the answer tells the revision at which a graceful deletion began.
      return client.request("DELETE", pathOf(resource, { namespace, name: action.name }), deleteBody(action), {
        cause,
        shared,
      });
  }
}

/**
 * Replaces the status whole and nothing else. A PUT of /status may change annotations too (clients rely on that), and plans see
 * projections: with a PUT they would drop the annotations that they do not know.
 */
function replaceStatus(client: Client, action: UpdateAction, cause: Cause): Promise<unknown> {
  const { resource, namespace, name } = action;
  const { metadata, status } = action.object as {
    metadata: { uid?: string; resourceVersion?: string };
    status: unknown;
  };
  const pinned = (["uid", "resourceVersion"] as const).flatMap((field) => {
    const value = metadata[field];
    return value === undefined ? [] : [{ op: "replace", path: `/metadata/${field}`, value }];
  });
  const patch = [...pinned, { op: "add", path: "/status", value: status }];
  return client.patch(resource, { namespace, name }, patch, { cause, shared, type: "json", subresource: "status" });
}

function subresource(action: { readonly subresource?: string }): { subresource?: string } {
  return action.subresource === undefined ? {} : { subresource: action.subresource };
}

function traceOfDeletion({ resource, namespace, name, uid }: DeleteAction): Trace {
  return { resource, key: namespace === undefined ? name : `${namespace}/${name}`, uid };
}

function traceOf(action: Write, answer: unknown): { trace?: Trace } {
  if (action.verb === "delete") return { trace: traceOfDeletion(action) };
  const revision = Number(
    (answer as { metadata?: { resourceVersion?: string } } | undefined)?.metadata?.resourceVersion,
  );
  return Number.isFinite(revision) && revision > 0 ? { trace: { resource: action.resource, revision } } : {};
}

function classify(action: Write, error: unknown): Outcome {
  if (!(error instanceof ApiStatusError)) {
    return { kind: "failed", error: error instanceof Error ? error : new Error(String(error)), retryAfterMs: 0 };
  }
  if (error.reason === "NotFound" && action.verb === "delete") return { kind: "unneeded" };
  if (error.reason === "AlreadyExists" && action.verb === "create" && action.existingIsFine === true)
    return { kind: "unneeded" };
  // NotFound of a create is a missing namespace: refused. Of anything else: the object went away since it was judged.
  const moved = error.reason === "Conflict" || (error.reason === "NotFound" && action.verb !== "create");
  if (moved || error.reason === "AlreadyExists") return { kind: "conflict", error };
  if (error.code === 429 || error.code >= 500 || error.code === 401) {
    const seconds = (error.details as { retryAfterSeconds?: number } | undefined)?.retryAfterSeconds ?? 0;
    return { kind: "failed", error, retryAfterMs: seconds * 1000 };
  }
  return { kind: "refused", error };
}
