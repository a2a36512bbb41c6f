import type { Resource } from "#api/resource.ts";

/** The resource of a kind with a scale; any served version of the group will do when the named one is not served. */
export function scalable(
  resources: readonly Resource<unknown>[],
  apiVersion: string,
  kind: string,
): Resource<unknown> | undefined {
  const [group, version] = apiVersion.includes("/") ? (apiVersion.split("/") as [string, string]) : ["", apiVersion];
  const all = resources.filter(
    (resource) =>
      resource.kind === kind && resource.group === group && resource.subresources.some(({ name }) => name === "scale"),
  );
  return all.find((resource) => resource.version === version) ?? all[0];
}
