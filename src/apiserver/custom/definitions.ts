import type { CustomResourceDefinition } from "#api/generated/apiextensions-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import { cloneValue } from "#codec/record.ts";
import { formatTime } from "#codec/time.ts";
import type { Call, Parts } from "../call.ts";
import { Failure } from "../failure.ts";
import { internalCall } from "../internal-call.ts";
import { endOf, prefixOf } from "../keys.ts";
import { Passes } from "../passes.ts";
import type { Served } from "../registry.ts";
import { deleteCollection } from "../verbs/delete-collection.ts";
import { updateObject } from "../verbs/update.ts";
import { kindOfDefinition } from "./kind-of-definition.ts";

type Definition = ApiObject & CustomResourceDefinition;
type Condition = NonNullable<NonNullable<CustomResourceDefinition["status"]>["conditions"]>[number];

const apiVersion = "apiextensions.k8s.io/v1";
const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

/**
 * Serves what the stored CustomResourceDefinitions define: accepts their names, marks them established, puts them into the
 * registry, and takes their objects away before they go themselves. Looks at all definitions whenever one has changed.
 */
export class CustomDefinitions {
  readonly #parts: Parts;
  readonly #prefix = prefixOf("apiextensions.k8s.io", "customresourcedefinitions");
  /** The revision of the definition that is served under each name. */
  readonly #served = new Map<string, string>();
  readonly #listening: { close(): void };
  readonly #passes: Passes;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#passes = new Passes(
      () => this.#bringAllIntoForce(),
      (error) => parts.log("cannot bring the custom resource definitions into force", error),
    );
    this.#listening = parts.hub.onChange(this.#prefix, () => this.#passes.request());
    // What was stored before must be served from the first request on.
    for (const definition of this.#all()) if (isEstablished(definition)) this.#serve(definition);
    this.#passes.request();
  }

  close(): void {
    this.#listening.close();
  }

  #all(): Definition[] {
    const { store, objects } = this.#parts;
    return [...store.snapshot().range(this.#prefix, endOf(this.#prefix))].map(
      (entry) => objects.decoded(entry) as Definition,
    );
  }

  async #bringAllIntoForce(): Promise<void> {
    const all = this.#all();
    const names = new Set(all.map(({ metadata }) => metadata.name ?? ""));
    for (const name of this.#served.keys()) if (!names.has(name)) this.#remove(name);
    for (const definition of all) await this.#bringIntoForce(definition, all);
  }

  async #bringIntoForce(definition: Definition, all: readonly Definition[]): Promise<void> {
    if (definition.metadata.deletionTimestamp !== undefined) {
      await this.#cleanUp(definition);
      return;
    }
    const conflict = nameConflict(definition, all);
    if (needsStatus(definition, conflict)) {
      await this.#write(definition, (next) => establish(next, conflict, formatTime(this.#parts.clock.now())));
      return;
    }
    if (isEstablished(definition)) this.#serve(definition);
  }

  #serve(definition: Definition): void {
    const { name = "", generation = 0, uid = "" } = definition.metadata;
    const state = `${uid}/${generation}`;
    if (this.#served.get(name) === state) return;
    const entry = kindOfDefinition(definition);
    const isReplaced = this.#served.has(name);
    if (entry === undefined) this.#parts.registry.remove(`custom/${name}`);
    else this.#parts.registry.set(`custom/${name}`, entry);
    this.#served.set(name, state);
    // Watches of the old schema end; their clients watch again and see the new one.
    if (isReplaced) this.#parts.hub.endAll(prefixOf(definition.spec.group, definition.spec.names.plural));
  }

  #remove(name: string): void {
    for (const served of this.#parts.registry.all()) {
      if (served.custom?.definitionName === name) this.#parts.hub.endAll(served.prefix);
    }
    this.#parts.registry.remove(`custom/${name}`);
    this.#served.delete(name);
  }

  /** Deletes the objects of a definition that is being deleted, then lets it go. */
  async #cleanUp(definition: Definition): Promise<void> {
    if (definition.metadata.finalizers?.includes(cleanupFinalizer) !== true) return;
    const { group, names } = definition.spec;
    const served = this.#parts.registry.storageOf(group, names.plural);
    if (served !== undefined && !(await this.#deleteAll(served))) return;
    await this.#write(definition, (next) => {
      const left = (next.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer);
      if (left.length === 0) delete next.metadata.finalizers;
      else next.metadata.finalizers = left;
    });
  }

  /** True when none is left; others wait for their finalizers, and each of their changes brings us back here. */
  async #deleteAll(served: Served): Promise<boolean> {
    const call = this.#call("DELETE", `/apis/${served.apiVersion}/${served.resource.resource}`);
    await deleteCollection(call, served);
    const { store, hub } = this.#parts;
    if (store.latestCount(served.prefix, endOf(served.prefix)) === 0) return true;
    const waiting = hub.onChange(served.prefix, () => {
      waiting.close();
      this.#passes.request();
    });
    return false;
  }

  async #write(definition: Definition, change: (next: Definition) => void): Promise<void> {
    const served = this.#parts.registry.find(apiVersion, "customresourcedefinitions");
    if (served === undefined) return;
    const name = definition.metadata.name ?? "";
    const call = this.#call("PUT", `/apis/${apiVersion}/customresourcedefinitions/${name}/status`);
    const options = { dryRun: false, fieldManager: "steersman", force: undefined };
    const transform = (old: ApiObject): ApiObject => {
      const next = cloneValue(old) as Definition;
      change(next);
      return next;
    };
    const result = await updateObject(call, served, options, transform, { verb: "update", direct: true });
    if (result instanceof Failure && result.code !== 404)
      throw new Error(`cannot write the status of ${name}: ${result.message}`);
  }

  #call(method: string, target: string): Call {
    return internalCall(this.#parts, method, target, "apiserver/custom-definitions");
  }
}

function isEstablished(definition: Definition): boolean {
  return (
    definition.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True") === true
  );
}

/** Another definition of the group that has one of the names already; the older one keeps it. */
function nameConflict(definition: Definition, all: readonly Definition[]): string | undefined {
  const { group, names } = definition.spec;
  const own = [names.plural, names.singular ?? "", ...(names.shortNames ?? [])].filter((name) => name !== "");
  for (const other of all) {
    if (other === definition || other.spec.group !== group || other.metadata.name === definition.metadata.name)
      continue;
    const accepted = other.status?.acceptedNames;
    if (accepted === undefined || !isEstablished(other)) continue;
    const taken = [accepted.plural, accepted.singular ?? "", ...(accepted.shortNames ?? [])];
    const clash = own.find((name) => taken.includes(name));
    if (clash !== undefined) return `"${clash}" is already in use`;
    if (accepted.kind === names.kind || accepted.listKind === names.listKind)
      return `"${names.kind}" is already in use`;
  }
  return undefined;
}

function needsStatus(definition: Definition, conflict: string | undefined): boolean {
  const { status, metadata } = definition;
  if (metadata.finalizers?.includes(cleanupFinalizer) !== true) return true;
  const accepted = status?.conditions?.find(({ type }) => type === "NamesAccepted");
  if (accepted === undefined || (accepted.status === "True") !== (conflict === undefined)) return true;
  if (conflict !== undefined) return false;
  const stored = definition.spec.versions.find((version) => version.storage)?.name ?? "";
  const isSame = JSON.stringify(status?.acceptedNames) === JSON.stringify(namesOf(definition));
  return !isEstablished(definition) || !isSame || status?.storedVersions?.includes(stored) !== true;
}

function namesOf({ spec }: Definition): CustomResourceDefinition["spec"]["names"] {
  const { plural, singular, shortNames, kind, listKind, categories } = spec.names;
  return {
    plural,
    singular: singular ?? kind.toLowerCase(),
    ...(shortNames !== undefined && { shortNames }),
    kind,
    listKind: listKind ?? `${kind}List`,
    ...(categories !== undefined && { categories }),
  };
}

function establish(next: Definition, conflict: string | undefined, now: string): void {
  const finalizers = next.metadata.finalizers ?? [];
  if (!finalizers.includes(cleanupFinalizer)) next.metadata.finalizers = [...finalizers, cleanupFinalizer];
  next.spec.names = { ...namesOf(next) };
  const stored = next.spec.versions.find((version) => version.storage)?.name ?? "";
  const before = next.status?.storedVersions ?? [];
  const storedVersions = before.includes(stored) ? before : [...before, stored];
  const ofOthers = (next.status?.conditions ?? []).filter(
    ({ type }) => type !== "NamesAccepted" && type !== "Established",
  );
  const known = next.status?.conditions ?? [];
  const wasEstablished = known.some(({ type, status }) => type === "Established" && status === "True");
  const conditions = [
    condition(
      known,
      "NamesAccepted",
      conflict === undefined,
      conflict === undefined ? "NoConflicts" : "NameConflict",
      conflict ?? "no conflicts found",
      now,
    ),
    conflict === undefined || wasEstablished
      ? condition(known, "Established", true, "InitialNamesAccepted", "the initial names have been accepted", now)
      : condition(known, "Established", false, "NotAccepted", "not all names are accepted", now),
    ...ofOthers,
  ];
  const acceptedNames =
    conflict === undefined ? namesOf(next) : (next.status?.acceptedNames ?? { plural: "", kind: "" });
  next.status = { ...next.status, conditions, acceptedNames, storedVersions };
}

function condition(
  known: readonly Condition[],
  type: string,
  holds: boolean,
  reason: string,
  message: string,
  now: string,
): Condition {
  const status = holds ? "True" : "False";
  const before = known.find((candidate) => candidate.type === type);
  const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
  return { type, status, lastTransitionTime, reason, message };
}
