import assert from "node:assert/strict";
import { arrayAt, nameOf, pick, unique, type Json, type Scene } from "./cluster.ts";
import { eventually } from "../eventually.ts";

export interface CrudOptions {
  readonly groupVersion: string;
  readonly resource: string;
  readonly kind: string;
  /** Absent: the resource has no namespaces. */
  readonly namespaced?: boolean;
  readonly spec: Json;
  /** A patch of the main resource and the path that shows it. */
  readonly change: { readonly patch: Json; readonly path: string; readonly expected: unknown };
  /** Subresources to get, patch and update, with a patch and the path that shows it. */
  readonly subresources?: readonly {
    readonly name: string;
    readonly patch: Json;
    readonly path: string;
    readonly expected: unknown;
  }[];
}

/** What every "should support … API operations" asks: discovery, all verbs, watch events, status, deletecollection. */
export async function everyVerb(scene: Scene, options: CrudOptions): Promise<void> {
  const { api } = scene;
  await discoverable(scene, options);
  const base = options.groupVersion === "v1" ? "/api/v1" : `/apis/${options.groupVersion}`;
  const collection =
    options.namespaced === true ? scene.at(options.groupVersion, options.resource) : `${base}/${options.resource}`;
  const label = `conformance=${unique()}`;
  const [key = "", value = ""] = label.split("=");
  const object = (): Json => ({
    apiVersion: options.groupVersion,
    kind: options.kind,
    metadata: { generateName: "conformance-", labels: { [key]: value } },
    ...structuredClone(options.spec),
  });
  const selected = `${collection}?labelSelector=${encodeURIComponent(label)}`;

  const made = await api.create(collection, object());
  scene.cleanUp(() => api.request("DELETE", selected));
  await api.create(collection, object());
  await api.create(collection, object());
  const name = nameOf(made);
  const path = `${collection}/${name}`;
  assert.equal(pick(await api.get(path), "metadata.uid"), pick(made, "metadata.uid"));
  const listed = await api.get(selected);
  assert.equal(arrayAt(listed).length, 3);

  const watch = await api.watch(`${selected}&resourceVersion=${String(pick(listed, "metadata.resourceVersion"))}`);
  scene.cleanUp(() => watch.close());
  const patched = await api.patch(path, { metadata: { annotations: { patched: "true" } } });
  assert.equal(pick(patched, "metadata.annotations.patched"), "true");
  await watch.next(
    "the patch",
    (event) => event.type === "MODIFIED" && pick(event.object, "metadata.annotations.patched") === "true",
  );

  const changed = await api.patch(path, options.change.patch);
  assert.deepEqual(pick(changed, options.change.path), options.change.expected);
  // Controllers write too: as every client, begin again when one was faster.
  const current = await eventually("the update", async () => {
    const read = await api.get(path);
    const metadata = { ...(read.metadata as Json), annotations: { updated: "true" } };
    return (await api.request("PUT", path, { ...read, metadata })).status === 200 && read;
  });
  await watch.next("the update", (event) => pick(event.object, "metadata.annotations.updated") === "true");
  assert.equal((await api.request("PUT", path, current)).status, 409, "an update of an older revision is refused");

  for (const { name: subresource, patch, path: at, expected } of options.subresources ?? []) {
    const before = await api.get(`${path}/${subresource}`);
    assert.equal(pick(before, "metadata.uid"), pick(made, "metadata.uid"));
    assert.deepEqual(pick(await api.patch(`${path}/${subresource}`, patch), at), expected);
    const updated = await eventually("the update of the subresource", async () => {
      const answer = await api.request("PUT", `${path}/${subresource}`, await api.get(`${path}/${subresource}`));
      return answer.status === 200 && answer.body;
    });
    assert.deepEqual(pick(updated, at), expected);
  }

  await api.expect("DELETE", path);
  await watch.next("the deletion", (event) => event.type === "DELETED" && nameOf(event.object) === name);
  assert.equal((await api.request("GET", path)).status, 404);
  await api.expect("DELETE", selected);
  assert.equal(arrayAt(await api.get(selected)).length, 0);
}

async function discoverable({ api }: Scene, { groupVersion, resource, subresources = [] }: CrudOptions): Promise<void> {
  const [group = "", version = ""] = groupVersion.split("/");
  if (version !== "") {
    const groups = arrayAt(await api.get("/apis"), "groups");
    assert.ok(
      groups.some((candidate) => candidate.name === group),
      `/apis lists ${group}`,
    );
    const versions = arrayAt(await api.get(`/apis/${group}`), "versions");
    assert.ok(
      versions.some((candidate) => candidate.groupVersion === groupVersion),
      `/apis/${group} lists ${groupVersion}`,
    );
  }
  const names = arrayAt(await api.get(version === "" ? "/api/v1" : `/apis/${groupVersion}`), "resources").map(
    ({ name }) => name,
  );
  for (const wanted of [resource, ...subresources.map(({ name }) => `${resource}/${name}`)])
    assert.ok(names.includes(wanted), `${groupVersion} lists ${wanted}`);
}
