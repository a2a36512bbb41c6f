import type { ApiObject, Kind } from "./kind.ts";
import type { Parsed } from "./selectors.ts";

export interface FieldTerm {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

/** A compiled field selector. `pairs` all hold for whatever matches. */
export interface FieldSelector {
  readonly terms: readonly FieldTerm[];
  readonly pairs: readonly (readonly [field: string, value: string])[];
  readonly everything: boolean;
  matches(object: ApiObject): boolean;
}

const metadataFields: Readonly<Record<string, (object: ApiObject) => string>> = {
  "metadata.name": (object) => object.metadata.name ?? "",
  "metadata.namespace": (object) => object.metadata.namespace ?? "",
};

/** Splits at the commas that no backslash escapes. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === ",") {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function splitTerm(text: string): FieldTerm | undefined {
  for (let i = 0; i < text.length; i++) {
    const rest = text.slice(i);
    for (const [operator, equal] of [
      ["!=", false],
      ["==", true],
      ["=", true],
    ] as const) {
      if (rest.startsWith(operator)) return { field: text.slice(0, i), equal, value: rest.slice(operator.length) };
    }
  }
  return undefined;
}

function unescape(value: string): { ok: true; value: string } | { ok: false; message: string } {
  let text = "";
  for (let i = 0; i < value.length; i++) {
    const character = value.charAt(i);
    if (character === "\\") {
      const next = value.charAt(++i);
      if (next !== "\\" && next !== "," && next !== "=") {
        return { ok: false, message: `invalid field selector: invalid escape sequence: ${"\\"}${next}` };
      }
      text += next;
    } else if (character === "," || character === "=") {
      return { ok: false, message: `invalid field selector: unescaped character in value: ${character}` };
    } else {
      text += character;
    }
  }
  return { ok: true, value: text };
}

/** What a kind's objects can be selected by, with the value of each. */
export function selectableFields(kind: Kind): Readonly<Record<string, (object: ApiObject) => string>> {
  return kind.rules.fieldSelectors === undefined ? metadataFields : { ...metadataFields, ...kind.rules.fieldSelectors };
}

/** The `fieldSelector` query parameter for objects of `kind`, e.g. `spec.nodeName=n1,status.phase!=Failed`. */
export function parseFieldSelector(text: string, kind: Kind): Parsed<FieldSelector> {
  const terms: FieldTerm[] = [];
  const fields = selectableFields(kind);
  for (const part of splitTerms(text)) {
    if (part === "") continue;
    const term = splitTerm(part);
    if (term === undefined) return { ok: false, message: `invalid selector: '${text}'; can't understand '${part}'` };
    const value = unescape(term.value);
    if (!value.ok) return { ok: false, message: value.message };
    if (fields[term.field] === undefined) {
      return { ok: false, message: unknownFieldMessage(term.field, kind) };
    }
    terms.push({ ...term, value: value.value });
  }
  return { ok: true, selector: fieldSelectorOf(terms, fields) };
}

function unknownFieldMessage(field: string, kind: Kind): string {
  const { group, version, kind: name } = kind.storage;
  if (kind.rules.fieldSelectors === undefined)
    return `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`;
  if (group === "") return `field label not supported: ${field}`;
  return `field label "${field}" not supported for ${group}/${version}, Kind=${name}`;
}

function fieldSelectorOf(
  terms: readonly FieldTerm[],
  fields: Readonly<Record<string, (object: ApiObject) => string>>,
): FieldSelector {
  const tests = terms.map(({ field, equal, value }) => {
    const read = fields[field];
    return (object: ApiObject): boolean => (read?.(object) === value) === equal;
  });
  return {
    terms,
    pairs: terms.filter((term) => term.equal).map((term) => [term.field, term.value] as const),
    everything: terms.length === 0,
    matches: (object) => tests.every((test) => test(object)),
  };
}
