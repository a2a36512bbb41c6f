/** Words that fields cannot be called in expressions. */
const reserved: ReadonlySet<string> = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

/** Schemes of characters that identifiers cannot hold. */
const codes: Readonly<Record<string, string>> = { ".": "__dot__", "-": "__dash__", "/": "__slash__" };

/**
 * A property's name as expressions write it; undefined when they cannot reach it. From the published rules:
 * https://kubernetes.io/docs/reference/using-api/cel/#escaping
 */
export function escapedName(name: string): string | undefined {
  if (reserved.has(name)) return `__${name}__`;
  if (!/^[A-Za-z_./-][-\w./]*$/.test(name)) return undefined;
  const escaped = name.replace(/__|[./-]/g, (part) => codes[part] ?? "__underscores__");
  return /^[A-Za-z_]/.test(escaped) ? escaped : undefined;
}
