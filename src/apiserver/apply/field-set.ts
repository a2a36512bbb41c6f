import { PlainRecord } from "#codec/record.ts";
import { fieldDepthMax } from "./limits.ts";

/**
 * A set of fields as a tree. Children are keyed by path elements in their stored form: `f:name` a field, `k:{"name":"x"}` a list
 * item by its keys, `v:"x"` a list item by its value, `i:0` one by its index. A node can be a member itself and have children.
 */
export class FieldSet {
  member = false;
  children: Map<string, FieldSet> | undefined;

  child(element: string): FieldSet {
    this.children ??= new Map();
    let child = this.children.get(element);
    if (child === undefined) {
      child = new FieldSet();
      this.children.set(element, child);
    }
    return child;
  }

  get isEmpty(): boolean {
    if (this.member) return false;
    for (const child of this.children?.values() ?? []) if (!child.isEmpty) return false;
    return true;
  }

  insert(path: readonly string[]): void {
    let set: FieldSet | undefined;
    for (const element of path) set = set === undefined ? this.child(element) : set.child(element);
    (set ?? this).member = true;
  }
}

/** Reads the FieldsV1 form. What is no field set counts as empty. */
export function readFields(fields: unknown): FieldSet {
  return readNode(fields, 0);
}

function readNode(fields: unknown, depth: number): FieldSet {
  const set = new FieldSet();
  if (typeof fields !== "object" || fields === null) return set;
  if (depth > fieldDepthMax) {
    set.member = true;
    return set;
  }
  let hasKeys = false;
  for (const key in fields) {
    hasKeys = true;
    if (key === ".") set.member = true;
    else (set.children ??= new Map()).set(key, readNode((fields as Record<string, unknown>)[key], depth + 1));
  }
  if (!hasKeys && depth > 0) set.member = true;
  return set;
}

/** The FieldsV1 form: `{}` for a member without children, `.` for a member with some; elements in their order. */
export function writeFields(set: FieldSet): Record<string, unknown> {
  const fields = new PlainRecord();
  const children = [...(set.children ?? [])].filter(([, child]) => !child.isEmpty);
  if (set.member && children.length > 0) fields["."] = new PlainRecord();
  children.sort(([a], [b]) => compareElements(a, b));
  for (const [element, child] of children) fields[element] = writeFields(child);
  return fields;
}

const kinds = "fkvi";

function compareElements(a: string, b: string): number {
  if (a.charCodeAt(0) !== b.charCodeAt(0)) {
    const byKind = kinds.indexOf(a.charAt(0)) - kinds.indexOf(b.charAt(0));
    if (byKind !== 0) return byKind;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Members of either. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  // Sets are never changed once they are made: a write adds, or it changes, but seldom both.
  if (b.children === undefined && (a.member || !b.member)) return a;
  if (a.children === undefined && (b.member || !a.member)) return b;
  const set = new FieldSet();
  set.member = a.member || b.member;
  for (const [element, child] of a.children ?? []) {
    const other = b.children?.get(element);
    (set.children ??= new Map()).set(element, other === undefined ? child : union(child, other));
  }
  for (const [element, child] of b.children ?? []) {
    if (a.children?.has(element) !== true) (set.children ??= new Map()).set(element, child);
  }
  return set;
}

/** Members of `a` that are none of `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  const set = new FieldSet();
  set.member = a.member && !b.member;
  for (const [element, child] of a.children ?? []) {
    const other = b.children?.get(element);
    const rest = other === undefined ? child : difference(child, other);
    if (!rest.isEmpty) (set.children ??= new Map()).set(element, rest);
  }
  return set;
}

/** Members of both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const set = new FieldSet();
  set.member = a.member && b.member;
  for (const [element, child] of a.children ?? []) {
    const other = b.children?.get(element);
    if (other === undefined) continue;
    const both = intersection(child, other);
    if (!both.isEmpty) (set.children ??= new Map()).set(element, both);
  }
  return set;
}

/** Same members. */
export function isSameSet(a: FieldSet, b: FieldSet): boolean {
  return difference(a, b).isEmpty && difference(b, a).isEmpty;
}

/** Whether a stored set (FieldsV1) has a member in common with `set`, without reading it whole. */
export function meets(fields: unknown, set: FieldSet): boolean {
  if (typeof fields !== "object" || fields === null) return false;
  const stored = fields as Record<string, unknown>;
  if (set.member && isStoredMember(stored)) return true;
  for (const [element, child] of set.children ?? []) {
    const inner = stored[element];
    if (inner !== undefined && meets(inner, child)) return true;
  }
  return false;
}

/** Whether a stored set (FieldsV1) has all members of `set`. */
export function covers(fields: unknown, set: FieldSet): boolean {
  if (typeof fields !== "object" || fields === null) return set.isEmpty;
  const stored = fields as Record<string, unknown>;
  if (set.member && !isStoredMember(stored)) return false;
  for (const [element, child] of set.children ?? []) {
    if (!child.isEmpty && !covers(stored[element], child)) return false;
  }
  return true;
}

function isStoredMember(stored: Record<string, unknown>): boolean {
  if (stored["."] !== undefined) return true;
  for (const _ in stored) return false;
  return true;
}

/** The members' paths, in order. */
export function pathsOf(set: FieldSet, above: readonly string[] = []): string[][] {
  const paths: string[][] = set.member ? [[...above]] : [];
  const children = [...(set.children ?? [])].sort(([a], [b]) => compareElements(a, b));
  for (const [element, child] of children) paths.push(...pathsOf(child, [...above, element]));
  return paths;
}

/** A path as conflicts print it: `.spec.containers[name="web"].image`. */
export function formatPath(path: readonly string[]): string {
  return path.map(formatElement).join("");
}

function formatElement(element: string): string {
  const rest = element.slice(2);
  switch (element.charAt(0)) {
    case "f":
      return `.${rest}`;
    case "v":
      return `[=${rest}]`;
    case "i":
      return `[${rest}]`;
    default: {
      const keys = JSON.parse(rest) as Record<string, unknown>;
      return `[${Object.entries(keys)
        .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
        .join(",")}]`;
    }
  }
}
