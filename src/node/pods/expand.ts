/**
 * Replaces `$(NAME)` by the variable's value; `$$(NAME)` stands for `$(NAME)`; a name that is not there is left as written.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (whole, name: string | undefined) => {
    if (whole === "$$") return "$";
    return name === undefined ? whole : (variables.get(name) ?? whole);
  });
}

export function expandAll(texts: readonly string[], variables: ReadonlyMap<string, string>): string[] {
  return texts.map((text) => expand(text, variables));
}
