import { parseArgs } from "node:util";

/** Flags of every bench of the API: where it may write, somebody else's cluster, which stories are told. */
export interface StoryFlags {
  readonly folder: string;
  readonly kubeconfig: string | undefined;
  readonly only: string;
}

/** Reads the flags that all have and the bench's own, given with their defaults. Throws at a flag that nobody knows. */
export function storyFlags<Own extends Readonly<Record<string, string>>>(
  only: string,
  own: Own,
): StoryFlags & { readonly [Name in keyof Own]: string } {
  const defaults: Readonly<Record<string, string>> = { folder: "/var/tmp", only, ...own };
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, { type: "string", default: value } as const]),
  );
  const { values } = parseArgs({ options: { ...options, kubeconfig: { type: "string" } } });
  return values as StoryFlags & { readonly [Name in keyof Own]: string };
}

/** Tells the stories that were asked for, in that order. Throws at a name that there is none of. */
export async function tellStories(
  only: string,
  stories: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<void> {
  for (const name of only.split(",")) {
    const story = stories[name];
    if (story === undefined) throw new Error(`There is no story ${name}; there are ${Object.keys(stories).join(", ")}`);
    await story();
  }
}
