import assert from "node:assert/strict";
import { pick, unique, type Conformance, type Json, type Scene } from "./cluster.ts";
import { everyVerb, type CrudOptions } from "./crud.ts";
import { deployment } from "./workloads.ts";
import { eventually } from "../eventually.ts";

const groupVersion = "admissionregistration.k8s.io/v1";
const group = `/apis/${groupVersion}`;

function onDeployments(operations: readonly string[] = ["CREATE", "UPDATE"]): Json {
  return { resourceRules: [{ apiGroups: ["apps"], apiVersions: ["v1"], operations, resources: ["deployments"] }] };
}

/** Puts a policy and its binding into force in the scene's namespace alone. */
async function bind({ api, namespace, cleanUp }: Scene, sort: "validating" | "mutating", spec: Json): Promise<void> {
  const name = `conformance-${unique()}`;
  const kind = sort === "validating" ? "ValidatingAdmissionPolicy" : "MutatingAdmissionPolicy";
  const [policies, bindings] = [`${group}/${sort}admissionpolicies`, `${group}/${sort}admissionpolicybindings`];
  await api.create(policies, { apiVersion: groupVersion, kind, metadata: { name }, spec });
  cleanUp(() => api.request("DELETE", `${policies}/${name}`));
  const matchResources = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } } };
  const actions = sort === "validating" ? { validationActions: ["Deny"] } : {};
  await api.create(bindings, { metadata: { name }, spec: { policyName: name, matchResources, ...actions } });
  cleanUp(() => api.request("DELETE", `${bindings}/${name}`));
}

async function validates(scene: Scene, spec: Json, message: RegExp): Promise<void> {
  const { api, at } = scene;
  const collection = at("apps/v1", "deployments");
  await bind(scene, "validating", { matchConstraints: onDeployments(), ...spec });
  await eventually("the policy to be in force", async () => {
    const answer = await api.request("POST", `${collection}?dryRun=All`, deployment("marker", 1));
    return answer.status === 422 || answer.status === 403;
  });
  const refused = await api.request("POST", collection, deployment("refused", 1));
  assert.ok(refused.status >= 400);
  assert.match(String(refused.body.message), message);
  await api.create(collection, deployment("accepted", 2));
  assert.match(String((await scale(scene, 1)).body.message), message);
}

function scale({ api, at }: Scene, replicas: number): ReturnType<Scene["api"]["request"]> {
  return api.request(
    "PATCH",
    at("apps/v1", "deployments", "accepted"),
    { spec: { replicas } },
    {
      headers: { "content-type": "application/merge-patch+json" },
    },
  );
}

async function mutates(scene: Scene, mutations: readonly Json[], path: string, expected: unknown): Promise<void> {
  const { api, at } = scene;
  const collection = at("apps/v1", "deployments");
  await bind(scene, "mutating", {
    matchConstraints: onDeployments(["CREATE"]),
    failurePolicy: "Fail",
    reinvocationPolicy: "Never",
    mutations,
  });
  const made = await eventually("the policy to be in force", async () => {
    const answer = await api.request("POST", collection, deployment(`mutated-${unique()}`, 1));
    assert.equal(answer.status, 201, answer.text);
    return pick(answer.body, path) === expected && answer.body;
  });
  assert.equal(pick(made, path), expected);
}

const validation = {
  expression: "object.spec.replicas > 1",
  messageExpression: "'wants replicas > 1, got ' + string(object.spec.replicas)",
};
const composited = {
  variables: [
    { name: "replicas", expression: "object.spec.replicas" },
    { name: "oddReplicas", expression: "variables.replicas % 2 == 1" },
  ],
  validations: [{ expression: "variables.replicas > 1" }, { expression: "!variables.oddReplicas" }],
};

const applied = {
  patchType: "ApplyConfiguration",
  applyConfiguration: { expression: "Object{ spec: Object.spec{ replicas: object.spec.replicas + 100 } }" },
};
const annotated = {
  patchType: "ApplyConfiguration",
  applyConfiguration: {
    expression: `Object{ metadata: Object.metadata{ annotations: {"my-foo-annotation": "myAnnotationValue"} } }`,
  },
};

const spec = (extra: Json): Json => ({ spec: { matchConstraints: onDeployments(), failurePolicy: "Fail", ...extra } });
const validatingSpec = spec({ validations: [{ expression: "object.spec.replicas <= 100" }] });
const mutatingSpec = spec({ reinvocationPolicy: "Never", mutations: [applied] });
const failurePolicy = { patch: { spec: { failurePolicy: "Ignore" } }, path: "spec.failurePolicy", expected: "Ignore" };
const policyName = {
  patch: { spec: { policyName: "other.example.com" } },
  path: "spec.policyName",
  expected: "other.example.com",
};
const condition = { type: "Tested", status: "True", reason: "Test", message: "m" };
const status = {
  name: "status",
  patch: { status: { conditions: [condition] } },
  path: "status.conditions.0.reason",
  expected: "Test",
};

const validating = "ValidatingAdmissionPolicy [Privileged:ClusterAdmin]";
const mutating = "MutatingAdmissionPolicy [Privileged:ClusterAdmin]";

function verbs(
  resource: string,
  kind: string,
  object: Json,
  change: CrudOptions["change"],
  hasStatus = false,
): Conformance {
  const subresources = hasStatus ? { subresources: [status] } : {};
  return (scene) => everyVerb(scene, { groupVersion, resource, kind, spec: object, change, ...subresources });
}

export const policies: Readonly<Record<string, Conformance>> = {
  [`${mutating} should mutate a Deployment`]: (scene) => mutates(scene, [applied], "spec.replicas", 101),
  [`${mutating} should mutate a Deployment with annotations`]: (scene) =>
    mutates(scene, [annotated], "metadata.annotations.my-foo-annotation", "myAnnotationValue"),
  [`${mutating} should support MutatingAdmissionPolicy API operations`]: verbs(
    "mutatingadmissionpolicies",
    "MutatingAdmissionPolicy",
    mutatingSpec,
    failurePolicy,
  ),
  [`${mutating} should support MutatingAdmissionPolicyBinding API operations`]: verbs(
    "mutatingadmissionpolicybindings",
    "MutatingAdmissionPolicyBinding",
    { spec: { policyName: "nobody.example.com" } },
    policyName,
  ),
  [`${validating} should allow expressions to refer variables.`]: (scene) =>
    validates(scene, composited, /failed expression: variables.replicas > 1/),
  [`${validating} should support ValidatingAdmissionPolicy API operations`]: verbs(
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    validatingSpec,
    failurePolicy,
    true,
  ),
  [`${validating} should support ValidatingAdmissionPolicyBinding API operations`]: verbs(
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    { spec: { policyName: "nobody.example.com", validationActions: ["Deny"] } },
    policyName,
  ),
  [`${validating} should validate against a Deployment`]: (scene) =>
    validates(scene, { validations: [validation] }, /wants replicas > 1, got 1/),
};
