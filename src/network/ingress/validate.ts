import { pathBytesMax } from "./limits.ts";

const label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const hostPattern = new RegExp(`^(\\*\\.)?${label}(\\.${label})*$`);
/** What a URL's path holds, less `;`, quotes and what HAProxy's command language gives a meaning. */
const pathPattern = /^\/[A-Za-z0-9._~!$&()*+,:=@%/-]*$/;

/** Undefined when a host may be in the table, else why not. Whatever passes holds no byte that HAProxy's maps cannot. */
export function hostFault(host: string): string | undefined {
  if (253 < host.length) return "it is longer than 253 characters";
  return hostPattern.test(host) ? undefined : "it is no DNS name in lower case, nor one behind `*.`";
}

/** Undefined when a path may be in the table, else why not. */
export function pathFault(path: string): string | undefined {
  if (pathBytesMax < path.length) return `it is longer than ${pathBytesMax} characters`;
  if (!path.startsWith("/")) return "it does not begin with `/`";
  if (!pathPattern.test(path)) return "it holds characters that are not allowed in routes";
  if (/\/\/|\/\.\.?(\/|$)|%2f|%00/i.test(path)) return "it holds `//`, `.`, `..`, `%2f` or `%00`";
  return undefined;
}
