// Admission policies in a running server: what users write into them, and what happens to requests.
import assert from "node:assert/strict";
import { test } from "node:test";
import { send, type TestServer } from "../api/harness.ts";
import { create, startServer } from "./server.ts";

const group = "/apis/admissionregistration.k8s.io/v1";
const configMaps = "/api/v1/namespaces/default/configmaps";
const deployments = "/apis/apps/v1/namespaces/default/deployments";

function story(name: string, play: (server: TestServer) => Promise<void>): void {
  test(name, async () => {
    const server = await startServer();
    try {
      await play(server);
    } finally {
      await server.close();
    }
  });
}

const onConfigMaps = {
  resourceRules: [
    { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["configmaps"] },
  ],
};
const onDeployments = {
  resourceRules: [
    { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["deployments"] },
  ],
};

async function validating(server: TestServer, spec: object, binding: object = {}): Promise<void> {
  await create(server, `${group}/validatingadmissionpolicies`, { metadata: { name: "p" }, spec });
  await create(server, `${group}/validatingadmissionpolicybindings`, {
    metadata: { name: "b" },
    spec: { policyName: "p", validationActions: ["Deny"], ...binding },
  });
}

async function mutating(server: TestServer, name: string, spec: object, binding: object = {}): Promise<void> {
  await create(server, `${group}/mutatingadmissionpolicies`, {
    metadata: { name },
    spec: { reinvocationPolicy: "Never", ...spec },
  });
  await create(server, `${group}/mutatingadmissionpolicybindings`, {
    metadata: { name },
    spec: { policyName: name, ...binding },
  });
}

function configMap(data: Record<string, string>, labels: Record<string, string> = {}): object {
  return { metadata: { name: "c", labels }, data };
}

function deployment(replicas: number): object {
  const labels = { app: "web" };
  const containers = [{ name: "web", image: "web:1" }];
  return {
    metadata: { name: "web" },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  };
}

story("a policy without a binding does nothing; with one it denies in its own words", async (server) => {
  const spec = {
    matchConstraints: onDeployments,
    variables: [{ name: "replicas", expression: "object.spec.replicas" }],
    validations: [
      {
        expression: "variables.replicas <= 5",
        messageExpression: "'at most 5 replicas, not ' + string(variables.replicas)",
      },
    ],
  };
  await create(server, `${group}/validatingadmissionpolicies`, { metadata: { name: "p" }, spec });
  const dry = await send(server, "POST", `${deployments}?dryRun=All`, deployment(9));
  assert.equal(dry.status, 201, dry.text);
  await create(server, `${group}/validatingadmissionpolicybindings`, {
    metadata: { name: "b" },
    spec: { policyName: "p", validationActions: ["Deny"] },
  });
  const denied = await send(server, "POST", deployments, deployment(9));
  assert.equal(denied.status, 422, denied.text);
  assert.equal(
    denied.body.message,
    `deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: at most 5 replicas, not 9`,
  );
  assert.equal(denied.body.reason, "Invalid");
  await create(server, deployments, deployment(5));
});

story("warnings and audit annotations let the request pass", async (server) => {
  await validating(
    server,
    {
      matchConstraints: onConfigMaps,
      validations: [{ expression: "has(object.metadata.labels)", message: "labels are wanted", reason: "Forbidden" }],
      auditAnnotations: [{ key: "size", valueExpression: "string(object.data.size())" }],
    },
    { validationActions: ["Warn", "Audit"] },
  );
  const made = await send(server, "POST", configMaps, { metadata: { name: "c" }, data: { a: "1" } });
  assert.equal(made.status, 201, made.text);
  assert.match(
    String(made.headers["warning"]),
    /Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': labels are wanted/,
  );
});

story("parameters come from objects, by name or by selector, each judged on its own", async (server) => {
  const params = (name: string, max: string, labels: object): object => ({ metadata: { name, labels }, data: { max } });
  await create(server, configMaps, params("strict", "2", { limit: "yes" }));
  await create(server, configMaps, params("lax", "8", { limit: "yes" }));
  await validating(
    server,
    {
      matchConstraints: onDeployments,
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      validations: [
        {
          expression: "object.spec.replicas <= int(params.data.max)",
          messageExpression: "'at most ' + params.data.max",
        },
      ],
    },
    { paramRef: { selector: { matchLabels: { limit: "yes" } }, parameterNotFoundAction: "Deny" } },
  );
  const denied = await send(server, "POST", deployments, deployment(5));
  assert.match(String(denied.body.message), /at most 2$/);
  await send(server, "DELETE", `${configMaps}/strict`);
  await create(server, deployments, deployment(5));
  await send(server, "DELETE", `${configMaps}/lax`);
  const none = await send(
    server,
    "PATCH",
    `${deployments}/web`,
    { spec: { replicas: 1 } },
    { "content-type": "application/merge-patch+json" },
  );
  assert.match(String(none.body.message), /failed to configure binding: no params found/);
});

story("selectors, exclusions, match conditions and the authorizer narrow what is judged", async (server) => {
  await validating(server, {
    matchConstraints: {
      ...onConfigMaps,
      namespaceSelector: { matchLabels: { team: "a" } },
      objectSelector: { matchExpressions: [{ key: "free", operator: "DoesNotExist" }] },
      excludeResourceRules: [{ ...onConfigMaps.resourceRules[0], resourceNames: ["excluded"] }],
    },
    matchConditions: [{ name: "not-jane", expression: "request.userInfo.username != 'jane'" }],
    validations: [
      {
        expression: "authorizer.group('').resource('secrets').namespace('kube-system').check('use').allowed()",
        message: "you may not",
      },
    ],
  });
  const status = async (object: object): Promise<number> =>
    (await send(server, "POST", `${configMaps}?dryRun=All`, object)).status;
  assert.equal(await status({ metadata: { name: "c" } }), 422);
  assert.equal(await status({ metadata: { name: "c", labels: { free: "yes" } } }), 201);
  assert.equal(await status({ metadata: { name: "excluded" } }), 201);
  await create(server, "/api/v1/namespaces", { metadata: { name: "other" } });
  const other = await send(server, "POST", "/api/v1/namespaces/other/configmaps", { metadata: { name: "c" } });
  assert.equal(other.status, 201);
});

story("what fails while it runs denies or passes, as the policy says", async (server) => {
  const spec = { matchConstraints: onConfigMaps, validations: [{ expression: "object.data.missing == 'x'" }] };
  await validating(server, spec);
  const denied = await send(server, "POST", configMaps, configMap({ a: "1" }));
  assert.match(
    String(denied.body.message),
    /expression 'object.data.missing == 'x'' resulted in error: no such key: missing/,
  );
  const ignoring = await send(
    server,
    "PATCH",
    `${group}/validatingadmissionpolicies/p`,
    { spec: { failurePolicy: "Ignore" } },
    { "content-type": "application/merge-patch+json" },
  );
  assert.equal(ignoring.status, 200, ignoring.text);
  await create(server, configMaps, configMap({ a: "1" }));
});

story("updates see the old object; deletions have no new one", async (server) => {
  await validating(server, {
    matchConstraints: {
      resourceRules: [{ ...onConfigMaps.resourceRules[0], operations: ["UPDATE", "DELETE"] }],
    },
    validations: [
      {
        expression: "request.operation != 'UPDATE' || object.data.fixed == oldObject.data.fixed",
        message: "fixed is fixed",
      },
      {
        expression: "request.operation != 'DELETE' || object == null && oldObject.data.fixed != 'keep'",
        message: "kept",
      },
    ],
  });
  await create(server, configMaps, configMap({ fixed: "keep" }));
  const merge = { "content-type": "application/merge-patch+json" };
  const changed = await send(server, "PATCH", `${configMaps}/c`, { data: { fixed: "x" } }, merge);
  assert.match(String(changed.body.message), /fixed is fixed/);
  const deleted = await send(server, "DELETE", `${configMaps}/c`);
  assert.match(String(deleted.body.message), /kept/);
});

story("an apply configuration merges into the object as server-side apply would", async (server) => {
  await mutating(server, "sidecar", {
    matchConstraints: onDeployments,
    mutations: [
      {
        patchType: "ApplyConfiguration",
        applyConfiguration: {
          expression: `Object{
            metadata: Object.metadata{labels: {"by": "policy"}},
            spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [
              Object.spec.template.spec.containers{name: "mesh", image: "mesh:" + string(object.spec.replicas)}
            ]}}}
          }`,
        },
      },
    ],
  });
  const made = await create(server, deployments, deployment(3));
  const { spec, metadata } = made as {
    spec: { template: { spec: { containers: { name: string; image: string; imagePullPolicy: string }[] } } };
    metadata: { labels: object };
  };
  assert.deepEqual(
    spec.template.spec.containers.map(({ name, image, imagePullPolicy }) => [name, image, imagePullPolicy]),
    [
      ["web", "web:1", "IfNotPresent"],
      ["mesh", "mesh:3", "IfNotPresent"],
    ],
  );
  assert.deepEqual({ ...metadata.labels }, { by: "policy" });
});

story("JSON patches come one after the other, and a policy may look again", async (server) => {
  const patch = (expression: string): object => ({ patchType: "JSONPatch", jsonPatch: { expression } });
  await mutating(server, "a-counts", {
    matchConstraints: onConfigMaps,
    reinvocationPolicy: "IfNeeded",
    mutations: [
      patch(
        `[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("n/m"), value: string(object.data.size())}]`,
      ),
    ],
  });
  await mutating(server, "b-adds", {
    matchConstraints: onConfigMaps,
    mutations: [
      patch(`[JSONPatch{op: "add", path: "/data/first", value: "1"}]`),
      patch(
        `[JSONPatch{op: "test", path: "/data/first", value: "1"}, JSONPatch{op: "add", path: "/data/second", value: "2"}]`,
      ),
    ],
  });
  const made = await create(server, configMaps, configMap({ own: "0" }, { a: "b" }));
  assert.deepEqual({ ...(made.data as object) }, { own: "0", first: "1", second: "2" });
  assert.deepEqual((made.metadata as { labels: object }).labels, { a: "b", "n/m": "3" });
});

story(
  "what changes an object may come from parameters and variables, for all of them that are found",
  async (server) => {
    for (const [name, value] of [
      ["one", "1"],
      ["two", "2"],
    ] as const)
      await create(server, configMaps, { metadata: { name, labels: { role: "parameter" } }, data: { name, value } });
    const spec = {
      matchConstraints: onDeployments,
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      variables: [{ name: "label", expression: "'from-' + params.data.name" }],
      mutations: [
        {
          patchType: "JSONPatch",
          jsonPatch: {
            expression: `[JSONPatch{op: "add", path: "/metadata/labels/" + variables.label, value: params.data.value}]`,
          },
        },
      ],
    };
    const paramRef = { selector: { matchLabels: { role: "parameter" } }, parameterNotFoundAction: "Deny" };
    await mutating(server, "p", spec, { paramRef });
    const web = deployment(1) as { metadata: object };
    const made = await create(server, deployments, { ...web, metadata: { ...web.metadata, labels: { own: "0" } } });
    assert.deepEqual((made.metadata as { labels: object }).labels, { own: "0", "from-one": "1", "from-two": "2" });
    for (const name of ["one", "two"]) await send(server, "DELETE", `${configMaps}/${name}`);
    const none = await send(server, "POST", deployments, { ...web, metadata: { name: "other" } });
    assert.match(String(none.body.message), /no params found/);
  },
);

story("a policy that cannot change the object denies", async (server) => {
  await mutating(server, "p", {
    matchConstraints: onDeployments,
    mutations: [
      { patchType: "ApplyConfiguration", applyConfiguration: { expression: "Object{spec: Object.spec{unknown: 1}}" } },
    ],
  });
  const denied = await send(server, "POST", deployments, deployment(1));
  assert.equal(denied.status, 422);
  assert.match(String(denied.body.message), /spec.unknown: field not declared in schema/);
});

story("the types of a policy's expressions are checked against the kinds that it names", async (server) => {
  await validating(server, {
    matchConstraints: onDeployments,
    variables: [{ name: "count", expression: "object.spec.replica" }],
    validations: [
      { expression: "object.spec.replicas <= 5" },
      { expression: "object.spec.replicas <= 'five'", messageExpression: "object.spec.replicas" },
    ],
  });
  interface Status {
    readonly observedGeneration?: number;
    readonly typeChecking?: { readonly expressionWarnings?: { readonly fieldRef: string; readonly warning: string }[] };
  }
  let status: Status = {};
  while (status.observedGeneration === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    status = (await send(server, "GET", `${group}/validatingadmissionpolicies/p`)).body["status"] as Status;
  }
  const warnings = status.typeChecking?.expressionWarnings ?? [];
  assert.deepEqual(
    warnings.map(({ fieldRef }) => fieldRef),
    ["spec.variables[0].expression", "spec.validations[1].expression", "spec.validations[1].messageExpression"],
  );
  assert.match(warnings[0]!.warning, /^apps\/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replica'/);
});

story("expressions that cannot be compiled are refused, all at once", async (server) => {
  const spec = {
    matchConstraints: onConfigMaps,
    matchConditions: [{ name: "c", expression: "1 +" }],
    variables: [{ name: "v", expression: "unknown" }],
    validations: [{ expression: "'text'", messageExpression: "true" }],
  };
  const refused = await send(server, "POST", `${group}/validatingadmissionpolicies`, { metadata: { name: "p" }, spec });
  const { causes = [] } = refused.body["details"] as { causes?: { field: string }[] };
  assert.deepEqual(
    causes.map(({ field }) => field),
    [
      "spec.variables[0].expression",
      "spec.matchConditions[0].expression",
      "spec.validations[0].expression",
      "spec.validations[0].messageExpression",
    ],
  );
  assert.match(refused.text, /undeclared reference to 'unknown'/);
  assert.match(refused.text, /must evaluate to bool/);
});

story("a policy that runs too long denies", async (server) => {
  const data = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, "v"]));
  await validating(server, {
    matchConstraints: onConfigMaps,
    validations: [
      { expression: "object.data.all(a, object.data.all(b, object.data.all(c, a != b || b != c || true)))" },
    ],
  });
  const denied = await send(server, "POST", configMaps, configMap(data));
  assert.equal(denied.status, 422);
  assert.match(String(denied.body["message"]), /running out of cost budget, no further validation rules will be run/);
});

test("policies that take long let others have their turn", async () => {
  let now = 0;
  // Whoever looks at it has used up a turn.
  const server = await startServer({ monotonic: () => (now += 10) });
  try {
    const validations = Array.from({ length: 30 }, (_, index) => ({ expression: `size(object.data) != ${index}` }));
    await validating(server, { matchConstraints: onConfigMaps, validations });
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    const writing = send(server, "POST", configMaps, configMap({}));
    count();
    assert.equal((await writing).status, 422);
    isOver = true;
    assert.ok(30 <= turns, `${turns} turns`);
  } finally {
    await server.close();
  }
});
