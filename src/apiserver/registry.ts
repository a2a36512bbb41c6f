import { builtInResources } from "#api/generated/resources.ts";
import type { JSONSchemaProps } from "#api/generated/apiextensions-v1.ts";
import type { Kind } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import { apiVersionOf } from "#api/resource.ts";
import { hasSchema, schemaOf } from "#api/schemas.ts";
import type { StructSchema } from "#codec/schema.ts";
import type { Conversion } from "./custom/conversion.ts";
import { prefixOf } from "./keys.ts";

/** One served version of one kind. */
export interface Served {
  readonly kind: Kind;
  readonly resource: Resource<unknown>;
  readonly apiVersion: string;
  /** What the keys of all its objects begin with; the same for all versions. */
  readonly prefix: string;
  readonly schema: StructSchema;
  readonly isStorage: boolean;
  /** Set for custom resources. */
  readonly custom: CustomParts | undefined;
}

/** The verbs that discovery tells: what is going away is only looked at and deleted. */
export function verbsOf({ resource, custom }: Served): string[] {
  const verbs = [...resource.verbs].sort();
  return custom?.isTerminating === true ? verbs.filter((verb) => !changing.has(verb)) : verbs;
}

const changing: ReadonlySet<string> = new Set(["create", "patch", "update"]);

/** What a CustomResourceDefinition adds to a served version. */
export interface CustomParts {
  readonly definitionName: string;
  readonly singular: string | undefined;
  readonly hasStatus: boolean;
  readonly scale:
    | { readonly specPath: string; readonly statusPath: string; readonly selectorPath: string | undefined }
    | undefined;
  /** The version's schema as the definition gave it: objects are validated against it, documents show it. */
  readonly schema: JSONSchemaProps | undefined;
  /** Set where a webhook converts between the versions. */
  readonly conversion?: Conversion | undefined;
  /** The definition is being deleted, and its objects with it: none is created any more. */
  readonly isTerminating?: boolean;
  /** Deprecation text that every answer of this version carries. */
  readonly warning: string | undefined;
}

/** A kind with the schemas of its versions, as the registry takes it. */
export interface KindEntry {
  readonly kind: Kind;
  readonly schemas: ReadonlyMap<Resource<unknown>, StructSchema>;
  readonly custom?: ReadonlyMap<Resource<unknown>, CustomParts>;
  /** The kind as a version has it, where columns and selectable fields differ between versions. */
  readonly kinds?: ReadonlyMap<Resource<unknown>, Kind>;
}

/** Everything that is served, built-in and custom: one table that all stages look things up in. */
export class Registry {
  readonly #served = new Map<string, Served>();
  readonly #kinds = new Map<string, Served>();
  readonly #entries: Map<string, readonly Served[]> = new Map();
  /** Group versions of other servers that do not answer: what is known of them is what they said last. */
  readonly #stale = new Set<string>();
  #generation = 1;
  #resources: { readonly generation: number; readonly all: readonly Resource<unknown>[] } | undefined;

  constructor(kinds: readonly Kind[]) {
    for (const kind of kinds) {
      // A version may be served by a kind of another group (both events); whoever comes first has it.
      if (kind.versions.every((version) => this.find(apiVersionOf(version), version.resource) !== undefined)) continue;
      const schemas = new Map<Resource<unknown>, StructSchema>();
      for (const version of kind.versions) {
        if (hasSchema(version.type)) schemas.set(version, schemaOf(version.type));
      }
      this.set(`built-in/${kind.storage.group}/${kind.storage.resource}`, { kind, schemas });
    }
  }

  /** Counts changes: documents made from the registry are kept until it differs. */
  get generation(): number {
    return this.#generation;
  }

  /** Adds or replaces what is served under `id`. */
  set(id: string, { kind, schemas, custom, kinds }: KindEntry): void {
    this.remove(id);
    const prefix = prefixOf(kind.storage.group, kind.storage.resource);
    const all = kind.versions.flatMap((resource): Served[] => {
      const schema = schemas.get(resource);
      if (schema === undefined) return [];
      const isStorage = resource === kind.storage;
      return [
        {
          kind: kinds?.get(resource) ?? kind,
          resource,
          apiVersion: apiVersionOf(resource),
          prefix,
          schema,
          isStorage,
          custom: custom?.get(resource),
        },
      ];
    });
    this.#entries.set(id, all);
    for (const served of all) {
      this.#served.set(`${served.apiVersion}/${served.resource.resource}`, served);
      this.#kinds.set(`${served.apiVersion}/${served.resource.kind}`, served);
    }
    this.#generation += 1;
  }

  remove(id: string): void {
    for (const served of this.#entries.get(id) ?? []) {
      this.#served.delete(`${served.apiVersion}/${served.resource.resource}`);
      this.#kinds.delete(`${served.apiVersion}/${served.resource.kind}`);
    }
    if (this.#entries.delete(id)) this.#generation += 1;
  }

  isStale(apiVersion: string): boolean {
    return this.#stale.has(apiVersion);
  }

  /** All of them: discovery tells them even where nothing is known. */
  staleVersions(): ReadonlySet<string> {
    return this.#stale;
  }

  markStale(apiVersion: string, isStale: boolean): void {
    if (isStale === this.#stale.has(apiVersion)) return;
    if (isStale) this.#stale.add(apiVersion);
    else this.#stale.delete(apiVersion);
    this.#generation += 1;
  }

  find(apiVersion: string, resource: string): Served | undefined {
    return this.#served.get(`${apiVersion}/${resource}`);
  }

  findKind(apiVersion: string, kind: string): Served | undefined {
    return this.#kinds.get(`${apiVersion}/${kind}`);
  }

  /** The version in which objects of a resource are stored. */
  storageOf(group: string, resource: string): Served | undefined {
    for (const all of this.#entries.values()) {
      const first = all[0];
      if (first?.kind.storage.group === group && first.kind.storage.resource === resource) return storageAmong(all);
    }
    return undefined;
  }

  /** The storage version of what `served` is a version of; itself when that version is not served. */
  storageServed(served: Served): Served {
    if (served.isStorage) return served;
    return this.find(apiVersionOf(served.kind.storage), served.kind.storage.resource) ?? served;
  }

  /** Every resource whose objects are stored: the published ones, then the versions of the custom ones, preferred first. */
  resources(): readonly Resource<unknown>[] {
    if (this.#resources?.generation === this.#generation) return this.#resources.all;
    const custom = [...this.#entries.values()].flatMap((all) => {
      const isCustom = (all[0]?.custom?.definitionName ?? "") !== "";
      return isCustom ? all.map(({ resource }) => resource) : [];
    });
    const all = [...builtInResources, ...custom];
    this.#resources = { generation: this.#generation, all };
    return all;
  }

  all(): Served[] {
    return [...this.#served.values()];
  }
}

function storageAmong(all: readonly Served[]): Served | undefined {
  return all.find((served) => served.isStorage) ?? all[0];
}
