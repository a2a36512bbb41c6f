import assert from "node:assert/strict";
import { test } from "node:test";
import { createModelCluster } from "../testing/model-cluster.ts";

test("a claim that names a volume is judged again when the volume becomes known, also as another's", async () => {
  const cluster = await createModelCluster({ only: ["persistent-volume"] });
  const spec = { accessModes: ["ReadWriteOnce"], storageClassName: "", volumeName: "taken" };
  const first = { metadata: { name: "first", namespace: "default" }, spec, status: { phase: "Pending" } };
  const { uid } = cluster.api.put("persistentvolumeclaims", first).metadata;
  cluster.api.put("persistentvolumeclaims", { ...first, metadata: { name: "second", namespace: "default" } });
  await cluster.time.advance(1_000);
  assert.deepEqual(cluster.api.list("events"), []);
  cluster.api.put("persistentvolumes", {
    metadata: { name: "taken" },
    spec: { accessModes: ["ReadWriteOnce"], claimRef: { namespace: "default", name: "first", uid } },
  });
  await cluster.time.advance(1_000);
  const told = cluster.api.list("events").map(({ reason, message }) => `${String(reason)}: ${String(message)}`);
  assert.deepEqual(told, ['FailedBinding: volume "taken" already bound to a different claim.']);
  const phase = cluster.api.get("persistentvolumeclaims", "default/first")!.status?.["phase"];
  assert.equal(phase, "Bound");
});

test("a claim that names no class gets the default one when there is one, and one without a class does not", async () => {
  const cluster = await createModelCluster({ only: ["persistent-volume"] });
  const claim = (name: string, more: object): void =>
    void cluster.api.put("persistentvolumeclaims", {
      metadata: { name, namespace: "default" },
      spec: { accessModes: ["ReadWriteOnce"], ...more },
      status: { phase: "Pending" },
    });
  claim("any", {});
  claim("none", { storageClassName: "" });
  await cluster.time.advance(1_000);
  const storageClass = (name: string, isDefault: string): void =>
    void cluster.api.put("storageclasses", {
      metadata: { name, annotations: { "storageclass.kubernetes.io/is-default-class": isDefault } },
      provisioner: "example.com/disks",
    });
  storageClass("other", "false");
  await cluster.time.advance(1_000);
  const classes = (): unknown[] =>
    ["any", "none"].map(
      (name) => cluster.api.get("persistentvolumeclaims", `default/${name}`)!.spec!["storageClassName"],
    );
  assert.deepEqual(classes(), [undefined, ""]);
  storageClass("fast", "true");
  await cluster.time.advance(1_000);
  assert.deepEqual(classes(), ["fast", ""]);
});
