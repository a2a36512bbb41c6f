import { controllerrevisions } from "#api/generated/resources.ts";
import type { PodTemplateSpec } from "#api/generated/core-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { canonicalText, fnv32, isEqual, namedAfter, safeSuffix } from "#reconcile/canonical.ts";
import type { Owned, Owner } from "./owned-objects.ts";
import { controllerReference, isOfPredecessor, settleOwnership } from "./ownership.ts";
import type { RevisionView } from "./views/workload.ts";

export const revisionLabel = "controller-revision-hash";
const resource = controllerrevisions as Resource<unknown>;

/** The kept templates of one workload, oldest first. */
export interface History {
  /** The kept revision of the current template; undefined until it was written, or left by who had it. */
  readonly update: RevisionView | undefined;
  /** What brings the kept revisions up to date: then nothing else is to be decided yet. */
  readonly actions: readonly Action[];
  readonly sorted: readonly RevisionView[];
}

export interface HistoryInput {
  readonly ownerResource: Resource<unknown>;
  readonly owner: Owner;
  readonly template: PodTemplateSpec;
  readonly collisionCount: number;
  readonly revisions: Owned<RevisionView>;
  readonly named: (name: string) => RevisionView | undefined;
  /** Writes down how often a revision's name was taken: the next pass tries another hash. */
  readonly countCollisions: (collisionCount: number) => Action;
}

/**
 * Finds or makes the revision of the current template; going back to an old template gives its revision the next number.
 * Those that an owner before it left behind are its own: their pods have the template already.
 */
export function planHistory(input: HistoryInput): History {
  const { kept, handOvers } = settleOwnership(resource, input.ownerResource, input.owner, input.revisions);
  const sorted = [...kept].sort(
    (a, b) => a.revision - b.revision || a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1),
  );
  if (handOvers.length > 0) return { update: undefined, actions: handOvers, sorted };
  const data = revisionData(input.template);
  const equal = sorted.findLast((revision) => isEqual(comparable(revision.data), comparable(data)));
  const next = (sorted.at(-1)?.revision ?? 0) + 1;
  if (equal !== undefined) {
    const actions = equal === sorted.at(-1) ? [] : [renumber(equal, next)];
    return { update: equal, actions, sorted };
  }
  const suffix = input.collisionCount === 0 ? "" : `#${input.collisionCount}`;
  const hash = safeSuffix(fnv32(canonicalText(comparable(data)) + suffix));
  const name = namedAfter(`${input.owner.name}-`, hash);
  const namesake = input.named(name);
  if (namesake !== undefined && isOfPredecessor(namesake, input.ownerResource.kind, input.owner))
    return { update: undefined, actions: [], sorted };
  if (namesake !== undefined)
    return { update: undefined, actions: [input.countCollisions(input.collisionCount + 1)], sorted };
  return { update: undefined, actions: [create(input, name, hash, data, next)], sorted };
}

/** The form in which upstream keeps templates: a patch that replaces the template. */
function revisionData(template: PodTemplateSpec): unknown {
  return { spec: { template: { ...template, $patch: "replace" } } };
}

function comparable(data: unknown): unknown {
  const template = (data as { spec?: { template?: Record<string, unknown> } } | undefined)?.spec?.template ?? {};
  const metadata = (template["metadata"] ?? {}) as { labels?: unknown; annotations?: unknown };
  return { spec: template["spec"], labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} };
}

/** The template that a revision keeps. */
export function templateOf(revision: RevisionView, fallback: PodTemplateSpec): PodTemplateSpec {
  const kept = (revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined)?.spec
    ?.template;
  if (kept === undefined) return fallback;
  const { $patch: _patch, ...template } = kept;
  return template;
}

/** The hash that pods of a revision carry as a label. */
export function hashOf(revision: RevisionView): string {
  return revision.labels[revisionLabel] ?? revision.name;
}

function create(input: HistoryInput, name: string, hash: string, data: unknown, number: number): Action {
  const { owner, ownerResource, template } = input;
  return {
    verb: "create",
    resource,
    namespace: owner.namespace,
    object: {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: {
        name,
        namespace: owner.namespace,
        labels: { ...template.metadata?.labels, [revisionLabel]: hash },
        annotations: owner.annotations,
        ownerReferences: [controllerReference(ownerResource, owner)],
      },
      data,
      revision: number,
    },
    reason: `the current template of ${owner.name} is kept as revision ${number}`,
  };
}

function renumber(revision: RevisionView, number: number): Action {
  const { namespace, name, uid, resourceVersion } = revision;
  const patch = { metadata: { uid, resourceVersion }, revision: number };
  const reason = `the template went back to that of ${name}, which becomes revision ${number}`;
  return { verb: "patch", resource, namespace, name, type: "merge", patch, reason };
}

/** Deletes the oldest revisions beyond the limit that no pod carries and the status does not name. */
export function planCleanUp(history: History, limit: number, used: ReadonlySet<string>): Action[] {
  const idle = history.sorted.filter(
    (revision) => revision !== history.update && !used.has(revision.name) && !used.has(hashOf(revision)),
  );
  return idle.slice(0, Math.max(0, idle.length - limit)).map(({ namespace, name, uid }) => ({
    verb: "delete",
    resource,
    namespace,
    name,
    uid,
    reason: `${idle.length} unused revisions are kept and the limit is ${limit}`,
  }));
}
