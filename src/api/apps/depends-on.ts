/** On a workload: those that must be there before its first pods may start, `statefulset/db,job/migrate`. */
export const dependsOnAnnotation = "steersman.dev/depends-on";
/** On a workload: the value of its depends-on for which all were there once; from then on its pods wait for nothing. */
export const dependenciesMetAnnotation = "steersman.dev/dependencies-met";
/** The scheduling gate of pods that wait for what their workload depends on. */
export const dependencyGate = "steersman.dev/depends-on";
/** The condition of a workload that says what it waits for. */
export const dependenciesCondition = "DependenciesMet";

const kinds = ["deployment", "statefulset", "daemonset", "job"] as const;

/** `statefulset/db`: a workload of the same namespace. */
export type DependencyKind = (typeof kinds)[number];

export interface Dependency {
  readonly kind: DependencyKind;
  readonly name: string;
}

type Annotations = Readonly<Record<string, string>>;

/** Whether pods that are made for a workload with these annotations have to wait. */
export function mustWait(annotations: Annotations): boolean {
  const text = annotations[dependsOnAnnotation];
  return text !== undefined && annotations[dependenciesMetAnnotation] !== text;
}

/** What a depends-on names; a word that names no workload is answered as `wrong`. */
export function dependenciesOf(text: string): {
  readonly named: readonly Dependency[];
  readonly wrong: readonly string[];
} {
  const named: Dependency[] = [];
  const wrong: string[] = [];
  for (const word of text.split(",").map((part) => part.trim())) {
    if (word === "") continue;
    const [kindWord = "", name = "", more] = word.split("/");
    const kind = kinds.find((one) => one === kindWord.toLowerCase());
    if (kind === undefined || name === "" || more !== undefined) wrong.push(word);
    else named.push({ kind, name });
  }
  return { named, wrong };
}
