/**
 * On an EndpointSlice: the version of each endpoint, in their order, as `VERSION*COUNT` joined by commas; one version alone holds for
 * all. Nodes may not read the pods of others: from here their proxies know which version of a workload answered.
 */
export const endpointVersionsAnnotation = "observability.steersman.dev/versions";

/** What people call the version of a workload; the first that a pod has. The last two are what a template's revision is named by. */
const versionLabels = [
  "app.kubernetes.io/version",
  "version",
  "pod-template-hash",
  "controller-revision-hash",
] as const;
/** Of labels, by https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
const versionPattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** The version that a pod's labels tell; "" when they tell none. */
export function versionOfLabels(labels: Readonly<Record<string, string>>): string {
  return versionLabels.map((label) => labels[label] ?? "").find((value) => versionPattern.test(value)) ?? "";
}

/** The annotation's value for these endpoints; undefined when none of them has a version. */
export function writeEndpointVersions(versions: readonly string[]): string | undefined {
  if (versions.every((version) => version === "")) return undefined;
  const runs: { readonly version: string; count: number }[] = [];
  for (const version of versions) {
    const last = runs.at(-1);
    if (last?.version === version) last.count += 1;
    else runs.push({ version, count: 1 });
  }
  if (runs.length === 1) return versions[0];
  return runs.map(({ version, count }) => `${version}*${count}`).join(",");
}

/** The versions of `count` endpoints; "" for each whose version the text does not tell. Slices may be anybody's, so may the text. */
export function readEndpointVersions(text: string | undefined, count: number): string[] {
  const versions: string[] = [];
  if (text === undefined) return Array.from({ length: count }, () => "");
  if (!text.includes("*")) return Array.from({ length: count }, () => (versionPattern.test(text) ? text : ""));
  for (const run of text.split(",")) {
    const [version = "", times = ""] = run.split("*");
    const length = Math.min(Number(times), count - versions.length);
    for (let at = 0; at < length; at++) versions.push(versionPattern.test(version) ? version : "");
  }
  while (versions.length < count) versions.push("");
  return versions;
}
