import { fail } from "../failure.ts";
import { global, member, takes, traversal, type Overload, type Sizes } from "../library.ts";
import { bool, list, map, opaque, string } from "../types.ts";
import { ArrayList, EntryMap, Opaque, type MapValue, type Value } from "../value.ts";

const type = opaque("kubernetes.URL");

/** A URL as Go's url.ParseRequestURI reads it: absolute, or a path from the root. */
class Url extends Opaque {
  readonly typeName = "kubernetes.URL";
  readonly scheme: string;
  /** With the port. */
  readonly host: string;
  readonly path: string;
  readonly query: string;

  constructor(parts: { scheme: string; host: string; path: string; query: string }) {
    super();
    this.scheme = parts.scheme;
    this.host = parts.host;
    this.path = parts.path;
    this.query = parts.query;
  }

  equals(other: Opaque): boolean {
    return (
      other instanceof Url &&
      other.scheme === this.scheme &&
      other.host === this.host &&
      other.path === this.path &&
      other.query === this.query
    );
  }
}

const shape = /^(?:([A-Za-z][-+.A-Za-z0-9]*):)?(?:\/\/([^/?]*))?([^?]*)(?:\?(.*))?$/s;
const host = /^(?:\[([0-9a-fA-F:.]+(?:%25[^\]]*)?)\]|([^:[\]\s<>"]*))(?::(\d*))?$/;

function parse(text: string): Url | undefined {
  // eslint-disable-next-line no-control-regex
  if (text === "" || /[\u0000-\u001f\u007f]/.test(text)) return undefined;
  const match = shape.exec(text);
  if (match === null) return undefined;
  const [, scheme = "", authority, path = "", query = ""] = match;
  if (scheme === "" && !text.startsWith("/")) return undefined;
  if (/%(?![0-9a-fA-F]{2})/.test(path)) return undefined;
  const hostText = authority?.slice(authority.lastIndexOf("@") + 1) ?? "";
  if (!host.test(hostText) || / /.test(hostText)) return undefined;
  return new Url({ scheme: scheme.toLowerCase(), host: hostText, path, query });
}

function hostname(url: Url): string {
  const match = host.exec(url.host);
  return match?.[1] ?? match?.[2] ?? "";
}

/** The path with what paths may not hold written as percent codes. */
function escapedPath(path: string): string {
  return path
    .toWellFormed()
    .replace(/%[0-9a-fA-F]{2}|[^-A-Za-z0-9_.~$&+,/:;=@!'()*]/gu, (part) =>
      part.length === 3 && part.startsWith("%") ? part : encodeURIComponent(part),
    );
}

function queryOf({ query }: Url): MapValue {
  const byName = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(query)) {
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [value]);
    else known.push(value);
  }
  const result = new EntryMap();
  for (const [name, values] of byName) result.add(name, new ArrayList(values));
  return result;
}

const reading = takes(14, traversal());
/** The parts of a query are taken apart and decoded one by one. */
const querying = {
  cost: (_: Sizes, operands?: readonly Value[]) => {
    const [url] = operands ?? [];
    return 1 + (url instanceof Url ? 20 + url.query.length : 0);
  },
};

export const urlLibrary: readonly Overload[] = [
  global(
    "url",
    [string],
    type,
    (text: string) => parse(text) ?? fail(`URL parse error during conversion from string: ${text.slice(0, 100)}`),
    reading,
  ),
  global("isURL", [string], bool, (text: string) => parse(text) !== undefined, reading),
  member("getScheme", [type], string, ({ scheme }: Url) => scheme),
  member("getHost", [type], string, (url: Url) => url.host),
  member("getHostname", [type], string, hostname),
  member("getPort", [type], string, (url: Url) => host.exec(url.host)?.[3] ?? ""),
  member("getEscapedPath", [type], string, ({ path }: Url) => escapedPath(path)),
  member("getQuery", [type], map(string, list(string)), queryOf, querying),
];
