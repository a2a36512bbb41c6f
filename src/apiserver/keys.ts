import { segmentLengthMax } from "./limits.ts";

/** What all objects of a resource have before their namespace and name; `/` at the end keeps `pods` from meeting `podsx`. */
export function prefixOf(group: string, resource: string): string {
  return `/registry/${group === "" ? "core" : group}/${resource}/`;
}

/** The key of one object. The segments must have passed `isSegment`. */
export function keyOf(prefix: string, namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === "" ? prefix + name : `${prefix}${namespace}/${name}`;
}

const groupAt = "/registry/".length;

/** The prefix of the resource that a key, or a longer prefix, belongs to. */
export function resourcePrefixOf(key: string): string {
  const resourceAt = key.indexOf("/", groupAt) + 1;
  return key.slice(0, key.indexOf("/", resourceAt) + 1);
}

/** The first key after all keys that begin with `prefix`, which ends with `/`. */
export function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

/** Whether a decoded segment of a path may become part of a key: nothing that could leave its prefix. */
export function isSegment(text: string): boolean {
  if (text === "" || text === "." || text === ".." || segmentLengthMax < text.length) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x2f || code === 0x25 || code === 0x7f || code === 0xfffd) return false;
  }
  return true;
}

/** Namespace and name of a key below `prefix`. */
export function namesOf(key: string, prefix: string, namespaced: boolean): { namespace: string; name: string } {
  if (!namespaced) return { namespace: "", name: key.slice(prefix.length) };
  const slash = key.indexOf("/", prefix.length);
  return { namespace: key.slice(prefix.length, slash), name: key.slice(slash + 1) };
}
