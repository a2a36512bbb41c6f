import type { StructSchema } from "#codec/schema.ts";
import { compareObjects, type Comparison } from "./compare.ts";
import type { ManagedFieldsEntry } from "./entries.ts";
import type { ResetFields } from "./ignored.ts";
import { emptyObject } from "./empty-object.ts";

/** An object in another version of its kind. */
export interface Versioned {
  readonly schema: StructSchema;
  readonly object: Record<string, unknown>;
}

/** Turns an object of the version that a write is made in into another one; undefined where that version is not served. */
export type ToVersion = (apiVersion: string, object: Record<string, unknown>) => Versioned | undefined;

export interface Change {
  readonly apiVersion: string;
  readonly before: Record<string, unknown> | undefined;
  readonly after: Record<string, unknown>;
  readonly reset: ResetFields;
  /** Absent: there is one version, or what others own is taken at its word. */
  readonly toVersion: ToVersion | undefined;
}

/** What one write changes, as the owners of fields see it: each in the version in which it wrote. */
export class Comparisons {
  readonly #change: Change;
  readonly #known = new Map<string, Comparison | undefined>();

  /** `own`: what differs in the version of the write. */
  constructor(change: Change, own: Comparison) {
    this.#change = change;
    this.#known.set(change.apiVersion, own);
  }

  /** Undefined: the entry's version is served no more, and nobody can say what it owns. */
  of({ apiVersion = "" }: ManagedFieldsEntry): Comparison | undefined {
    const { toVersion, apiVersion: own } = this.#change;
    if (toVersion === undefined) return this.#known.get(own);
    if (!this.#known.has(apiVersion)) this.#known.set(apiVersion, this.#compare(apiVersion, toVersion));
    return this.#known.get(apiVersion);
  }

  #compare(apiVersion: string, toVersion: ToVersion): Comparison | undefined {
    const { before, after, reset } = this.#change;
    const now = toVersion(apiVersion, after);
    if (now === undefined) return undefined;
    const old = before === undefined ? undefined : toVersion(apiVersion, before);
    return compareObjects(now.schema, old?.object ?? emptyObject(now.schema), now.object, reset);
  }
}
