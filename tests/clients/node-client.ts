/**
 * A script as people write them with the published TypeScript client: informers, watches, patches of every kind, a custom
 * resource with what it owns; or, given a pod that runs, exec. Drives the cluster of the kubeconfig that it is given and prints
 * one line a step. Run: node node-client.ts KUBECONFIG [POD]
 */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ApiextensionsV1Api,
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  Exec,
  KubeConfig,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  VersionApi,
  Watch,
  type V1ConfigMap,
  type V1Status,
} from "@kubernetes/client-node";

const [kubeconfig = "", pod] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(kubeconfig);
const core = config.makeApiClient(CoreV1Api);
const namespace = "node-client";

async function step(name: string, work: () => Promise<void>): Promise<void> {
  await work();
  process.stdout.write(`ok ${name}\n`);
}

/** Asks again until the answer is not undefined, for a minute at most. */
async function eventually<T>(what: string, probe: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const until = performance.now() + 60_000;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    assert.ok(performance.now() < until, `waited in vain: ${what}`);
    await sleep(20);
  }
}

const isGone = (error: unknown): boolean => (error as { code?: number }).code === 404;

async function execStory(name: string): Promise<void> {
  await step("exec: input, output, error and the exit code", async () => {
    const input = new PassThrough();
    const output = new PassThrough();
    const errors = new PassThrough();
    const texts = Promise.all([text(output), text(errors)]);
    const sent = "a line\n".repeat(5000);
    const command = ["sh", "-c", `head -c ${sent.length}; echo problem >&2; exit 3`];
    const status = new Promise<V1Status>((resolve, reject) => {
      new Exec(config).exec("default", name, "", command, output, errors, input, false, resolve).catch(reject);
    });
    input.end(sent);
    const { status: verdict, details } = await status;
    assert.equal(verdict, "Failure");
    assert.equal(details?.causes?.find(({ reason }) => reason === "ExitCode")?.message, "3");
    output.end();
    errors.end();
    assert.deepEqual(await texts, [sent, "problem\n"]);
  });
}

async function informerStory(): Promise<void> {
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  const map = (name: string): V1ConfigMap => ({ metadata: { name, labels: { seen: "yes" } }, data: { k: "v" } });
  await core.createNamespacedConfigMap({ namespace, body: map("before") });
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const list = (): Promise<{ items: V1ConfigMap[] }> =>
    core.listNamespacedConfigMap({ namespace, labelSelector: "seen=yes" });
  const informer = makeInformer(config, path, list as Parameters<typeof makeInformer<V1ConfigMap>>[2], "seen=yes");
  const events: string[] = [];
  for (const verb of ["add", "update", "delete"] as const)
    informer.on(verb, (object) => void events.push(`${verb} ${object.metadata?.name ?? ""}`));
  await informer.start();
  await step("an informer knows what was there", async () => {
    assert.equal((await eventually("before", () => informer.get("before", namespace)))?.data?.["k"], "v");
  });
  await step("and what came, changed and went", async () => {
    await core.createNamespacedConfigMap({ namespace, body: map("after") });
    await eventually("after", () => informer.get("after", namespace));
    const merge = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
    await core.patchNamespacedConfigMap({ namespace, name: "after", body: { data: { k: "w" } } }, merge);
    await eventually("the change", () => (informer.get("after", namespace)?.data?.["k"] === "w" ? true : undefined));
    await core.deleteNamespacedConfigMap({ namespace, name: "after" });
    await eventually("the end", () => (informer.get("after", namespace) === undefined ? true : undefined));
    assert.deepEqual(events, ["add before", "add after", "update after", "delete after"]);
  });
  await informer.stop();
}

async function watchStory(): Promise<void> {
  await step("a watch ends when its time is over, having told all in order", async () => {
    const seen: string[] = [];
    const made = await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "watched" } } });
    const resourceVersion = made.metadata?.resourceVersion ?? "";
    const ended = new Promise<void>((resolve, reject) => {
      new Watch(config)
        .watch(
          `/api/v1/namespaces/${namespace}/configmaps`,
          { resourceVersion, timeoutSeconds: 6, fieldSelector: "metadata.name=watched" },
          (type) => seen.push(type),
          (error) => (error === null ? resolve() : reject(error as Error)),
        )
        .catch(reject);
    });
    await core.replaceNamespacedConfigMap({ namespace, name: "watched", body: { ...made, data: { a: "b" } } });
    await core.deleteNamespacedConfigMap({ namespace, name: "watched" });
    await ended;
    assert.deepEqual(seen, ["MODIFIED", "DELETED"]);
  });
}

async function patchStory(): Promise<void> {
  const apps = config.makeApiClient(AppsV1Api);
  const labels = { app: "patched" };
  const container = (name: string): { name: string; image: string } => ({ name, image: "localhost/nobody" });
  await apps.createNamespacedDeployment({
    namespace,
    body: {
      metadata: { name: "patched" },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container("a"), container("b")] } },
      },
    },
  });
  const patched = async (strategy: string, body: unknown): Promise<string[]> => {
    const deployment = await apps.patchNamespacedDeployment(
      {
        namespace,
        name: "patched",
        body,
        fieldManager: "node-client",
        ...(strategy.includes("apply") && { force: true }),
      },
      setHeaderOptions("Content-Type", strategy),
    );
    return deployment.spec?.template.spec?.containers.map(({ name, image }) => `${name}=${image ?? ""}`) ?? [];
  };
  const of = (containers: unknown): unknown => ({ spec: { template: { spec: { containers } } } });
  await step("patches: strategic, merge, JSON and apply", async () => {
    assert.deepEqual(await patched(PatchStrategy.StrategicMergePatch, of([{ name: "b", image: "localhost/two" }])), [
      "a=localhost/nobody",
      "b=localhost/two",
    ]);
    assert.deepEqual(await patched(PatchStrategy.MergePatch, of([container("c")])), ["c=localhost/nobody"]);
    const replace = { op: "replace", path: "/spec/template/spec/containers/0/image", value: "localhost/three" };
    assert.deepEqual(await patched(PatchStrategy.JsonPatch, [replace]), ["c=localhost/three"]);
    const applied = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "patched" } };
    assert.deepEqual(
      await patched(PatchStrategy.ServerSideApply, {
        ...applied,
        ...(of([{ name: "c", image: "localhost/four" }]) as object),
      }),
      ["c=localhost/four"],
    );
  });
}

/** An owner of a kind that is new: what it owns goes with it, even when it has gone before anybody looked at its kind. */
async function customStory(): Promise<void> {
  const group = "node.example.com";
  const definitions = config.makeApiClient(ApiextensionsV1Api);
  const objects = config.makeApiClient(CustomObjectsApi);
  const schema = { openAPIV3Schema: { type: "object", properties: { spec: { type: "object" } } } };
  await definitions.createCustomResourceDefinition({
    body: {
      metadata: { name: `owners.${group}` },
      spec: {
        group,
        scope: "Namespaced",
        names: { plural: "owners", kind: "Owner" },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    },
  });
  const at = { group, version: "v1", namespace, plural: "owners" };
  await step("what a custom object owned is collected, however short its life was", async () => {
    const body = { apiVersion: `${group}/v1`, kind: "Owner", metadata: { name: "short" }, spec: {} };
    const owner = await eventually("the new kind", async () => {
      return (await objects.createNamespacedCustomObject({ ...at, body }).catch((error: unknown) => {
        if (isGone(error)) return undefined;
        throw error;
      })) as { metadata: { uid: string } } | undefined;
    });
    const ownerReferences = [{ apiVersion: `${group}/v1`, kind: "Owner", name: "short", uid: owner.metadata.uid }];
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "owned", ownerReferences } } });
    await objects.deleteNamespacedCustomObject({ ...at, name: "short" });
    await eventually("owned is collected", async () => {
      const left = await core.readNamespacedConfigMap({ namespace, name: "owned" }).catch((error: unknown) => error);
      return isGone(left) ? true : undefined;
    });
  });
  await definitions.deleteCustomResourceDefinition({ name: `owners.${group}` });
}

if (pod === undefined) {
  await step("the version is known", async () => {
    assert.match((await config.makeApiClient(VersionApi).getCode()).gitVersion, /^v1\.36\./);
  });
  await informerStory();
  await watchStory();
  await patchStory();
  await customStory();
  await core.deleteNamespace({ name: namespace });
} else await execStory(pod);
process.stdout.write("ok all\n");
