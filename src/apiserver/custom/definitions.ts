import type { CustomResourceDefinition } from "#api/generated/apiextensions-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import { cloneValue, isEqualValue } from "#codec/record.ts";
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
import { reviewNames } from "./names.ts";
import { holds, standingOf, terminatingStatus } from "./standing.ts";

type Definition = ApiObject & CustomResourceDefinition;

/** What of a definition changes what is served. */
interface Standing {
  readonly schema: string;
  readonly names: string;
  readonly isTerminating: boolean;
}

const apiVersion = "apiextensions.k8s.io/v1";
const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

/**
 * Serves what the stored CustomResourceDefinitions define: accepts their names, marks them established, puts them into the
 * registry, and takes their objects away before they go themselves. Looks at all definitions whenever one has changed.
 */
export class CustomDefinitions {
  readonly #parts: Parts;
  readonly #prefix = prefixOf("apiextensions.k8s.io", "customresourcedefinitions");
  /** What is served of the definition of each name. */
  readonly #served = new Map<string, Standing>();
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
    for (const definition of this.#all()) if (holds(definition, "Established")) this.#serve(definition);
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
    for (const definition of all) {
      const isChanged = await this.#bringIntoForce(definition, all);
      // The next must be held against the names that this one has got.
      if (isChanged) return this.#passes.request();
    }
  }

  /** Whether the definition was written: what is stored is other than what was looked at. */
  async #bringIntoForce(definition: Definition, all: readonly Definition[]): Promise<boolean> {
    if (definition.metadata.deletionTimestamp !== undefined) return this.#cleanUp(definition);
    const review = reviewNames(definition, all);
    const now = formatTime(this.#parts.clock.now());
    const hasFinalizer = definition.metadata.finalizers?.includes(cleanupFinalizer) === true;
    if (!hasFinalizer || !isEqualValue(definition.status, standingOf(definition, review, now))) {
      await this.#write(definition, (next) => {
        next.status = standingOf(next, review, now);
        if (!hasFinalizer) next.metadata.finalizers = [...(next.metadata.finalizers ?? []), cleanupFinalizer];
      });
      return true;
    }
    if (holds(definition, "Established")) this.#serve(definition);
    return false;
  }

  #serve(definition: Definition): void {
    const { name = "", generation = 0, uid = "" } = definition.metadata;
    const schema = `${uid}/${generation}`;
    const names = JSON.stringify(definition.status.acceptedNames);
    const isTerminating = holds(definition, "Terminating");
    const before = this.#served.get(name);
    if (before?.schema === schema && before.names === names && before.isTerminating === isTerminating) return;
    const entry = kindOfDefinition(definition);
    if (entry === undefined) this.#parts.registry.remove(`custom/${name}`);
    else this.#parts.registry.set(`custom/${name}`, entry);
    this.#served.set(name, { schema, names, isTerminating });
    // Watches of the old schema end; their clients watch again and see the new one.
    if (before !== undefined && before.schema !== schema)
      this.#parts.hub.endAll(prefixOf(definition.spec.group, definition.spec.names.plural));
  }

  #remove(name: string): void {
    for (const served of this.#parts.registry.all()) {
      if (served.custom?.definitionName === name) this.#parts.hub.endAll(served.prefix);
    }
    this.#parts.registry.remove(`custom/${name}`);
    this.#served.delete(name);
  }

  /** Deletes the objects of a definition that is being deleted, then lets it go; whether the definition was written. */
  async #cleanUp(definition: Definition): Promise<boolean> {
    if (definition.metadata.finalizers?.includes(cleanupFinalizer) !== true) return false;
    const now = formatTime(this.#parts.clock.now());
    const { group, names } = definition.spec;
    const served = this.#parts.registry.storageOf(group, names.plural);
    if (served !== undefined) {
      if (!holds(definition, "Terminating")) {
        await this.#write(definition, (next) => (next.status = terminatingStatus(next, false, now)));
        return true;
      }
      // From here on no further object is created.
      this.#serve(definition);
      if (!(await this.#deleteAll(served))) return false;
    }
    await this.#write(definition, (next) => {
      next.status = terminatingStatus(next, true, now);
      const left = (next.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer);
      if (left.length === 0) delete next.metadata.finalizers;
      else next.metadata.finalizers = left;
    });
    return true;
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
