import type { User } from "../user.ts";

/**
 * Reads a file of tokens: `token,user,uid` a line, and optionally `"group1,group2"` as the fourth column (Kubernetes: "Static
 * Token File"). A text says what is wrong with it.
 */
export function readStaticTokens(text: string): ReadonlyMap<string, User> | string {
  const tokens = new Map<string, User>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const columns = columnsOf(line);
    const [token = "", name = "", uid = "", groups = ""] = columns ?? [];
    if (columns === undefined || columns.length < 3) return `line ${index + 1} has not three columns`;
    if (token === "" || name === "") return `line ${index + 1} has an empty token or user`;
    if (/\s/.test(token)) return `line ${index + 1} has a token with white space`;
    // The token itself is never shown.
    if (tokens.has(token)) return `line ${index + 1} has a token that another line has`;
    const named = groups
      .split(",")
      .map((group) => group.trim())
      .filter((group) => group !== "");
    tokens.set(token, { name, uid, groups: named, extra: {} });
  }
  return tokens;
}

/** The columns of a line of RFC 4180 without line breaks inside quotes; undefined when quotes do not close. */
function columnsOf(line: string): string[] | undefined {
  const columns: string[] = [];
  let rest = line;
  for (;;) {
    const match = /^\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/.exec(rest);
    if (match === null) return undefined;
    columns.push(match[1]?.replaceAll('""', '"') ?? match[2]?.trim() ?? "");
    if (match[3] === "") return columns;
    rest = rest.slice(match[0].length);
  }
}
