import type { CustomResourceDefinition, CustomResourceDefinitionNames } from "#api/generated/apiextensions-v1.ts";

/** What became of the names that a definition asks for. */
export interface NameReview {
  /** Those that it has: each that it asked for and that was free, else what it had. */
  readonly accepted: CustomResourceDefinitionNames;
  /** The reason and message of the condition NamesAccepted where one was not free. */
  readonly conflict: { readonly reason: string; readonly message: string } | undefined;
}

/**
 * Holds the names of a definition against those that others of its group have. Paths (plural, singular, short names) share one
 * space, kinds another.
 */
export function reviewNames(
  definition: CustomResourceDefinition,
  all: readonly CustomResourceDefinition[],
): NameReview {
  const asked = definition.spec.names;
  const had = definition.status?.acceptedNames ?? { plural: "", kind: "" };
  const taken = namesOfOthers(definition, all);
  let conflict: NameReview["conflict"];
  const free = (reason: string, space: ReadonlySet<string>, names: readonly string[]): boolean => {
    const used = names.filter((name) => space.has(name)).map((name) => `${JSON.stringify(name)} is already in use`);
    if (used.length > 0) conflict = { reason, message: used.length === 1 ? used[0]! : `[${used.join(", ")}]` };
    return used.length === 0;
  };
  const singular = asked.singular ?? asked.kind.toLowerCase();
  const listKind = asked.listKind ?? `${asked.kind}List`;
  const plural = free("PluralConflict", taken.paths, [asked.plural]) ? asked.plural : had.plural;
  const ownSingular = free("SingularConflict", taken.paths, [singular]) ? singular : had.singular;
  const shortNames = free("ShortNamesConflict", taken.paths, asked.shortNames ?? [])
    ? asked.shortNames
    : had.shortNames;
  const kind = free("KindConflict", taken.kinds, [asked.kind]) ? asked.kind : had.kind;
  const ownListKind = free("ListKindConflict", taken.kinds, [listKind]) ? listKind : had.listKind;
  const { categories } = asked;
  const accepted = {
    plural,
    ...(ownSingular !== undefined && { singular: ownSingular }),
    ...(shortNames !== undefined && { shortNames }),
    kind,
    ...(ownListKind !== undefined && { listKind: ownListKind }),
    ...(categories !== undefined && { categories }),
  };
  return { accepted, conflict };
}

function namesOfOthers(
  definition: CustomResourceDefinition,
  all: readonly CustomResourceDefinition[],
): { readonly paths: ReadonlySet<string>; readonly kinds: ReadonlySet<string> } {
  const paths = new Set<string>();
  const kinds = new Set<string>();
  for (const { metadata, spec, status } of all) {
    if (spec.group !== definition.spec.group || metadata.name === definition.metadata.name) continue;
    const { plural, singular, shortNames = [], kind, listKind } = status?.acceptedNames ?? { plural: "", kind: "" };
    for (const name of [plural, singular, ...shortNames]) if (name) paths.add(name);
    for (const name of [kind, listKind]) if (name) kinds.add(name);
  }
  return { paths, kinds };
}
