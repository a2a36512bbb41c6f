import assert from "node:assert/strict";
import { clientBinary } from "#main/client-binaries.ts";
import { arrayAt, nameOf, pick, unique, type Answer, type Conformance, type Json, type Scene } from "./cluster.ts";
import { define } from "./custom-resources.ts";
import { allowed, denied, objectOf, patching, serveWebhooks } from "./webhook-server.ts";
import { definition, image, pod } from "./workloads.ts";
import { eventually } from "../eventually.ts";

const group = "/apis/admissionregistration.k8s.io/v1";
const validating = `${group}/validatingwebhookconfigurations`;
const mutating = `${group}/mutatingwebhookconfigurations`;

function rule(operations: readonly string[], resources: readonly string[], apiGroups: readonly string[] = [""]): Json {
  return { operations, apiGroups, apiVersions: ["*"], resources };
}

function webhook(scene: Scene, name: string, clientConfig: Json, rules: readonly Json[], extra: Json = {}): Json {
  return {
    name: `${name}.test.example.com`,
    clientConfig,
    rules,
    sideEffects: "None",
    admissionReviewVersions: ["v1", "v1beta1"],
    timeoutSeconds: 30,
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": scene.namespace } },
    ...extra,
  };
}

/** Registers webhooks until the test ends. */
async function register(
  { api, cleanUp }: Scene,
  collection: string,
  webhooks: readonly Json[],
  labels: Json = {},
): Promise<string> {
  const name = `conformance-${unique()}`;
  await api.create(collection, { metadata: { name, labels }, webhooks });
  cleanUp(() => api.request("DELETE", `${collection}/${name}`));
  return name;
}

function isDenied(answer: Answer, part: string): void {
  assert.ok(answer.status >= 400, `expected a refusal, got ${answer.status}`);
  assert.ok(String(answer.body.message).includes(part), `${part} in ${String(answer.body.message)}`);
}

const merge = { headers: { "content-type": "application/merge-patch+json" } };
const badMap = (request: Json): Json =>
  pick(objectOf(request), "data.webhook-e2e-test") === "webhook-disallow"
    ? denied("the configmap contains unwanted key and value")
    : allowed;
const badMapObject = (name: string): Json => ({ metadata: { name }, data: { "webhook-e2e-test": "webhook-disallow" } });

async function listing(scene: Scene): Promise<void> {
  const { api, core } = scene;
  const server = await serveWebhooks(scene, { "/maps": badMap });
  const label = `list-${unique()}`;
  for (let i = 0; i < 10; i++)
    await register(
      scene,
      validating,
      [webhook(scene, "deny", server.at("/maps"), [rule(["CREATE"], ["configmaps"])])],
      { [label]: "true" },
    );
  const selected = `${validating}?labelSelector=${label}%3Dtrue`;
  assert.equal(arrayAt(await api.get(selected)).length, 10);
  isDenied(await api.request("POST", core("configmaps"), badMapObject("refused")), "denied the request");
  await api.expect("DELETE", selected);
  await api.create(core("configmaps"), badMapObject("accepted"));
}

async function switching(scene: Scene): Promise<void> {
  const { api, core } = scene;
  const server = await serveWebhooks(scene, { "/maps": badMap });
  const name = await register(scene, validating, [
    webhook(scene, "deny", server.at("/maps"), [rule(["CREATE"], ["configmaps"])]),
  ]);
  isDenied(await api.request("POST", core("configmaps"), badMapObject("a")), "denied the request");
  const current = await api.get(`${validating}/${name}`);
  const [first] = arrayAt(current, "webhooks");
  await api.expect("PUT", `${validating}/${name}`, {
    ...current,
    webhooks: [{ ...first, rules: [rule(["UPDATE"], ["configmaps"])] }],
  });
  await api.create(core("configmaps"), badMapObject("b"));
  await api.patch(
    `${validating}/${name}`,
    [{ op: "replace", path: "/webhooks/0/rules/0/operations", value: ["CREATE"] }],
    "json",
  );
  isDenied(await api.request("POST", core("configmaps"), badMapObject("c")), "denied the request");
}

async function conditionsAreKept(scene: Scene): Promise<void> {
  const { api } = scene;
  const server = await serveWebhooks(scene, {});
  const conditions = [{ name: "expression-1", expression: "object.metadata.namespace == 'production'" }];
  const extra = { matchConditions: conditions };
  const name = await register(scene, mutating, [
    webhook(scene, "mutate", server.at("/"), [rule(["CREATE"], ["pods"])], extra),
  ]);
  const made = await api.get(`${mutating}/${name}`);
  assert.deepEqual(pick(made, "webhooks.0.matchConditions"), conditions);
  const changed = [{ name: "expression-1", expression: "object.metadata.namespace == 'staging'" }];
  const [first] = arrayAt(made, "webhooks");
  await api.expect("PUT", `${mutating}/${name}`, { ...made, webhooks: [{ ...first, matchConditions: changed }] });
  assert.deepEqual(pick(await api.get(`${mutating}/${name}`), "webhooks.0.matchConditions"), changed);
}

const wrongConditions =
  (collection: string): Conformance =>
  async (scene) => {
    const wrong = [{ name: "invalid-expression-1", expression: "... [] bad expression" }];
    const extra = { matchConditions: wrong };
    const hook = webhook(scene, "wrong", { url: "https://127.0.0.1:1/" }, [rule(["CREATE"], ["pods"])], extra);
    const answer = await scene.api.request("POST", collection, {
      metadata: { name: `wrong-${unique()}` },
      webhooks: [hook],
    });
    assert.equal(answer.status, 422);
    isDenied(answer, "compilation failed");
  };

async function denyAttach(scene: Scene): Promise<void> {
  const { api, core, cluster, namespace } = scene;
  const server = await serveWebhooks(scene, {
    "/attach": (request) =>
      request.name === "to-be-attached-pod" ? denied("attaching to pod 'to-be-attached-pod' is not allowed") : allowed,
  });
  await eventually(
    "the default account",
    async () => (await api.request("GET", core("serviceaccounts", "default"))).status === 200,
  );
  await api.create(core("pods"), pod("to-be-attached-pod"));
  await eventually(
    "the pod to run",
    async () => pick(await api.get(core("pods", "to-be-attached-pod")), "status.phase") === "Running",
  );
  await register(scene, validating, [
    webhook(scene, "attach", server.at("/attach"), [rule(["CONNECT"], ["pods/attach"])]),
  ]);
  // Not at once: the webhook is served by this process.
  const attaching = cluster.start(clientBinary("kubectl"), [
    "attach",
    "-n",
    namespace,
    "to-be-attached-pod",
    "-i",
    "-c=main",
  ]);
  let stderr = "";
  attaching.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise((resolve) => attaching.on("close", resolve));
  assert.notEqual(code, 0);
  assert.match(stderr, /attaching to pod 'to-be-attached-pod' is not allowed/);
  assert.equal(pick(server.seen[0], "request.object.kind"), "PodAttachOptions");
}

async function denyCustom(scene: Scene): Promise<void> {
  const { api } = scene;
  const custom = await define(scene);
  const server = await serveWebhooks(scene, {
    "/custom": (request) => {
      const bad = pick(objectOf(request), "data.webhook-e2e-test") === "webhook-disallow";
      return bad ? denied("the custom resource contains unwanted data") : allowed;
    },
  });
  const rules = [rule(["CREATE", "UPDATE", "DELETE"], [custom.plural], [custom.group])];
  await register(scene, validating, [webhook(scene, "custom", server.at("/custom"), rules)]);
  const bad = { data: { "webhook-e2e-test": "webhook-disallow" } };
  isDenied(
    await api.request("POST", custom.collection(), custom.object("bad", bad)),
    "the custom resource contains unwanted data",
  );
  await api.create(custom.collection(), custom.object("good", { data: { key: "value" } }));
  isDenied(
    await api.request("PATCH", `${custom.collection()}/good`, bad, merge),
    "the custom resource contains unwanted data",
  );
  // What may not be deleted was made while nobody looked.
  const other = { data: { "webhook-e2e-test": "webhook-nondeletable" } };
  await api.create(custom.collection(), custom.object("lasting", other));
  const nonDeletable = await serveWebhooks(scene, { "/keep": () => denied("the custom resource cannot be deleted") });
  const keep = webhook(scene, "keep", nonDeletable.at("/keep"), [rule(["DELETE"], [custom.plural], [custom.group])]);
  const keeper = await register(scene, validating, [keep]);
  isDenied(await api.request("DELETE", `${custom.collection()}/lasting`), "cannot be deleted");
  await api.expect("DELETE", `${validating}/${keeper}`);
  await api.expect("DELETE", `${custom.collection()}/lasting`);
}

async function denyPodsAndMaps(scene: Scene): Promise<void> {
  const { api, core, cleanUp } = scene;
  const server = await serveWebhooks(scene, {
    "/maps": badMap,
    "/pods": (request) => {
      const containers = arrayAt(objectOf(request), "spec.containers").map(({ name }) => name);
      return containers.includes("webhook-disallow") ? denied("the pod contains unwanted container name") : allowed;
    },
    "/hang": () => new Promise((resolve) => setTimeout(() => resolve(allowed), 3000)),
  });
  await eventually(
    "the default account",
    async () => (await api.request("GET", core("serviceaccounts", "default"))).status === 200,
  );
  const selector = { matchExpressions: [{ key: "skip-webhook-admission", operator: "NotIn", values: ["yes"] }] };
  const here = { matchLabels: { "kubernetes.io/metadata.name": scene.namespace }, ...selector };
  const hang = { objectSelector: { matchLabels: { hang: "true" } }, timeoutSeconds: 1 };
  await register(scene, validating, [
    webhook(scene, "pods", server.at("/pods"), [rule(["CREATE"], ["pods"])], { namespaceSelector: here }),
    webhook(scene, "maps", server.at("/maps"), [rule(["CREATE", "UPDATE"], ["configmaps"])], {
      namespaceSelector: selector,
    }),
    webhook(scene, "hang", server.at("/hang"), [rule(["CREATE"], ["pods"])], hang),
  ]);
  const container = { containers: [{ name: "webhook-disallow", image }] };
  isDenied(await api.request("POST", core("pods"), pod("bad", container)), "the pod contains unwanted container name");
  isDenied(
    await api.request("POST", core("pods"), pod("hangs", {}, { labels: { hang: "true" } })),
    "context deadline exceeded",
  );
  isDenied(
    await api.request("POST", core("configmaps"), badMapObject("bad")),
    "the configmap contains unwanted key and value",
  );
  await api.create(core("configmaps"), { metadata: { name: "good" } });
  const bad = { data: { "webhook-e2e-test": "webhook-disallow" } };
  const current = await api.get(core("configmaps", "good"));
  isDenied(await api.request("PUT", core("configmaps", "good"), { ...current, ...bad }), "unwanted key and value");
  isDenied(await api.request("PATCH", core("configmaps", "good"), bad, merge), "unwanted key and value");
  const skipped = `skipped-${unique()}`;
  await api.create("/api/v1/namespaces", { metadata: { name: skipped, labels: { "skip-webhook-admission": "yes" } } });
  cleanUp(() => api.request("DELETE", `/api/v1/namespaces/${skipped}`));
  await api.create(`/api/v1/namespaces/${skipped}/configmaps`, badMapObject("accepted"));
}

async function denyDefinitions(scene: Scene): Promise<void> {
  const { api } = scene;
  const server = await serveWebhooks(scene, { "/crd": () => denied("the crd contains unwanted label") });
  const extra = { namespaceSelector: {}, objectSelector: { matchLabels: { webhook: scene.namespace } } };
  const rules = [rule(["CREATE"], ["customresourcedefinitions"], ["apiextensions.k8s.io"])];
  await register(scene, validating, [webhook(scene, "crd", server.at("/crd"), rules, extra)]);
  const refused = definition("refusals", `test-${unique()}.example.com`);
  const object = { ...refused, metadata: { ...(refused.metadata as Json), labels: { webhook: scene.namespace } } };
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  isDenied(await api.request("POST", path, object), "the crd contains unwanted label");
  assert.equal((await api.request("GET", `${path}/${nameOf(object)}`)).status, 404);
}

async function timeouts(scene: Scene): Promise<void> {
  const { api, core } = scene;
  const slow = async (): Promise<Json> => {
    await new Promise((resolve) => setTimeout(resolve, 2500));
    return allowed;
  };
  const server = await serveWebhooks(scene, { "/slow": slow });
  const attempt = async (name: string, extra: Json): Promise<Answer> => {
    const hook = webhook(scene, "slow", server.at("/slow"), [rule(["CREATE"], ["configmaps"])], extra);
    const registered = await register(scene, validating, [hook]);
    const answer = await api.request("POST", core("configmaps"), { metadata: { name } });
    await api.expect("DELETE", `${validating}/${registered}`);
    return answer;
  };
  isDenied(await attempt("short", { timeoutSeconds: 1 }), "context deadline exceeded");
  assert.match(server.seen.at(-1)?.url ?? "", /timeout=1s/);
  assert.equal((await attempt("ignored", { timeoutSeconds: 1, failurePolicy: "Ignore" })).status, 201);
  assert.equal((await attempt("long", { timeoutSeconds: 10 })).status, 201);
  assert.equal((await attempt("default", { timeoutSeconds: undefined })).status, 201);
  assert.match(server.seen.at(-1)?.url ?? "", /timeout=10s/);
}

const stage =
  (number: number) =>
  (request: Json): Json =>
    pick(objectOf(request), `data.mutation-${number === 1 ? "start" : "stage-1"}`) === "yes"
      ? patching({ op: "add", path: `/data/mutation-stage-${number}`, value: "yes" })
      : allowed;

async function mutateCustom(scene: Scene): Promise<void> {
  const { api } = scene;
  const custom = await define(scene);
  const server = await serveWebhooks(scene, { "/one": stage(1), "/two": stage(2) });
  const rules = [rule(["CREATE"], [custom.plural], [custom.group])];
  await register(scene, mutating, [
    webhook(scene, "one", server.at("/one"), rules),
    webhook(scene, "two", server.at("/two"), rules),
  ]);
  const made = await api.create(custom.collection(), custom.object("mutated", { data: { "mutation-start": "yes" } }));
  assert.deepEqual(made.data, { "mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes" });
}

async function mutateOtherStored(scene: Scene): Promise<void> {
  const { api } = scene;
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  const version = (name: string, storage: boolean): Json => ({ name, storage, served: true, schema });
  const custom = await define(scene, { versions: [version("v1", true), version("v2", false)] });
  const server = await serveWebhooks(scene, { "/one": stage(1), "/two": stage(2) });
  const rules = [{ ...rule(["CREATE", "UPDATE"], [custom.plural], [custom.group]), apiVersions: ["v1"] }];
  await register(scene, mutating, [
    webhook(scene, "one", server.at("/one"), rules),
    webhook(scene, "two", server.at("/two"), rules),
  ]);
  await api.create(custom.collection("v1"), custom.object("moving", { data: {} }));
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${custom.name}`;
  await api.patch(path, { spec: { versions: [version("v1", false), version("v2", true)] } });
  await eventually("the new storage version", async () => {
    const found = await api.get(path);
    return (pick(found, "status.storedVersions") as unknown[]).includes("v2");
  });
  const patched = await api.patch(`${custom.collection("v2")}/moving`, { data: { "mutation-start": "yes" } });
  assert.equal(patched.apiVersion, `${custom.group}/v2`);
  assert.deepEqual(patched.data, { "mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes" });
}

async function mutatePods(scene: Scene): Promise<void> {
  const { api, core } = scene;
  await eventually(
    "the default account",
    async () => (await api.request("GET", core("serviceaccounts", "default"))).status === 200,
  );
  const server = await serveWebhooks(scene, {
    "/pods": () =>
      patching({
        op: "add",
        path: "/spec/initContainers",
        value: [{ image, name: "webhook-added-init-container", resources: {} }],
      }),
  });
  await register(scene, mutating, [webhook(scene, "pods", server.at("/pods"), [rule(["CREATE"], ["pods"])])]);
  const made = await api.create(core("pods"), pod("mutated"));
  const [added] = arrayAt(made, "spec.initContainers");
  assert.equal(added?.name, "webhook-added-init-container");
  assert.equal(added?.terminationMessagePolicy, "File");
  const mounts = arrayAt(added, "volumeMounts").map(({ mountPath }) => mountPath);
  assert.deepEqual(mounts, ["/var/run/secrets/kubernetes.io/serviceaccount"], "the steps before get a second turn");
}

async function failClosed(scene: Scene): Promise<void> {
  const { api, core } = scene;
  const hook = webhook(scene, "closed", { url: "https://127.0.0.1:1/" }, [rule(["CREATE"], ["configmaps"])], {
    failurePolicy: "Fail",
  });
  await register(scene, validating, [hook]);
  const refused = await api.request("POST", core("configmaps"), { metadata: { name: "refused" } });
  assert.equal(refused.status, 500);
  isDenied(refused, `failed calling webhook "closed.test.example.com"`);
}

const prefix = "AdmissionWebhook [Privileged:ClusterAdmin]";

export const webhooks: Readonly<Record<string, Conformance>> = {
  [`${prefix} listing validating webhooks should work`]: listing,
  [`${prefix} patching/updating a validating webhook should work`]: switching,
  [`${prefix} should be able to create and update mutating webhook configurations with match conditions`]:
    conditionsAreKept,
  [`${prefix} should be able to deny attaching pod`]: denyAttach,
  [`${prefix} should be able to deny custom resource creation, update and deletion`]: denyCustom,
  [`${prefix} should be able to deny pod and configmap creation`]: denyPodsAndMaps,
  [`${prefix} should deny crd creation`]: denyDefinitions,
  [`${prefix} should honor timeout`]: timeouts,
  [`${prefix} should mutate custom resource`]: mutateCustom,
  [`${prefix} should mutate custom resource with different stored version`]: mutateOtherStored,
  [`${prefix} should mutate pod and apply defaults after mutation`]: mutatePods,
  [`${prefix} should reject mutating webhook configurations with invalid match conditions`]: wrongConditions(mutating),
  [`${prefix} should reject validating webhook configurations with invalid match conditions`]:
    wrongConditions(validating),
  [`${prefix} should unconditionally reject operations on fail closed webhook`]: failClosed,
};
