/** The variable `authorizer` of expressions asks everybody who judges requests, also servers outside that take their time. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startSecured, type Answered, type SecuredServer } from "./cluster.ts";
import { authorizationBy, kubeconfigFor, startOutside, type OutsideServer, type Reply, type Seen } from "./outside.ts";
import { eventually } from "../eventually.ts";

let judge: OutsideServer;
let secured: SecuredServer;
const asked: string[] = [];

interface Review {
  readonly spec: {
    readonly user: string;
    readonly resourceAttributes?: Readonly<Record<string, string>>;
    readonly nonResourceAttributes?: { readonly path: string; readonly verb: string };
  };
}

/** Everybody may write; only ann may `publish`, only the service account `robot` may `sign`, everybody may go to /door. */
function mayThey({ body }: Seen): Reply {
  const { spec, ...review } = JSON.parse(body) as Review;
  const { verb = "", resource = "", name = "" } = spec.resourceAttributes ?? {};
  asked.push(`${spec.user} ${verb} ${resource} ${name}`.trim());
  const isWrite = verb === "create" || verb === "patch";
  const mayPublish = verb === "publish" && spec.user === "ann";
  const maySign = verb === "sign" && spec.user === "system:serviceaccount:default:robot";
  const mayPass = spec.nonResourceAttributes?.path === "/door";
  const allowed = isWrite || mayPublish || maySign || mayPass;
  return { body: { ...review, status: { allowed, reason: allowed ? "" : `no ${verb} for ${spec.user}` } } };
}

before(async () => {
  judge = await startOutside(mayThey);
  secured = await startSecured({
    "tokens.csv": 'root,root,1,"system:masters"\nann,ann,2\nbob,bob,3\n',
    "judge.kubeconfig": kubeconfigFor(judge),
    "authorization.yaml": authorizationBy({ authorizedTTL: "0s", unauthorizedTTL: "0s" }, ["RBAC"]),
  });
  for (const name of ["validated", "mutated", "hooked"]) {
    await put("/api/v1/namespaces", { metadata: { name, labels: { story: name } } });
    // The ConfigMap that every namespace gets must not come among those that the stories judge.
    const path = `/api/v1/namespaces/${name}/configmaps/kube-root-ca.crt`;
    await eventually(`${name} has it`, async () => (await secured.ask({ path, token: "root" })).status === 200);
  }
});

after(async () => {
  await secured.close();
  await judge.close();
});

async function put(path: string, body: object): Promise<void> {
  const answer = await secured.ask({ method: "POST", path, body, token: "root" });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
}

function write(who: string, namespace: string, name: string): Promise<Answered> {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  return secured.ask({ method: "POST", path, body: { metadata: { name }, data: { k: "v" } }, token: who });
}

const group = "/apis/admissionregistration.k8s.io/v1";
const rules = [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }];
const within = (story: string): object => ({ namespaceSelector: { matchLabels: { story } } });
const publish = "authorizer.group('').resource('configmaps').namespace(request.namespace).name(object.metadata.name)";

test("a validating policy asks the webhook, each question once for a request, and its messages come once", async () => {
  await put(`${group}/validatingadmissionpolicies`, {
    metadata: { name: "publishers" },
    spec: {
      matchConstraints: { resourceRules: rules, ...within("validated") },
      variables: [{ name: "may", expression: `${publish}.check('publish').allowed()` }],
      validations: [
        { expression: "variables.may", messageExpression: `${publish}.check('publish').reason()` },
        {
          expression:
            "authorizer.serviceAccount('default', 'robot').group('').resource('keys').check('sign').allowed()",
        },
        { expression: "authorizer.path('/door').check('get').allowed()" },
        { expression: "!authorizer.path('/vault').check('get').allowed()" },
      ],
      auditAnnotations: [{ key: "may", valueExpression: "string(variables.may)" }],
    },
  });
  await put(`${group}/validatingadmissionpolicybindings`, {
    metadata: { name: "publishers" },
    spec: { policyName: "publishers", validationActions: ["Deny"] },
  });
  await put(`${group}/validatingadmissionpolicybindings`, {
    metadata: { name: "publishers-warn" },
    spec: { policyName: "publishers", validationActions: ["Warn"] },
  });
  asked.length = 0;
  assert.equal((await write("ann", "validated", "of-ann")).status, 201);
  const questions = asked.filter((each) => !each.includes(" create "));
  assert.deepEqual(questions.toSorted(), [
    "ann",
    "ann",
    "ann publish configmaps of-ann",
    "system:serviceaccount:default:robot sign keys",
  ]);
  const refused = await write("bob", "validated", "of-bob");
  assert.equal(refused.status, 422);
  assert.match(String(refused.body["message"]), /denied request: no publish for bob$/);
  assert.equal(String(refused.headers["warning"]).match(/no publish for bob/g)?.length, 1);
});

test("a mutating policy begins again with the answer, from the object as it came", async () => {
  const size = "string(size(object.metadata.?annotations.orValue({})))";
  const may = `string(${publish}.check('publish').allowed())`;
  const appended = `[
    JSONPatch{op: 'add', path: '/metadata/annotations', value: dyn({'n': ${size}})},
    JSONPatch{op: 'add', path: '/data/may', value: ${may}}
  ]`;
  await put(`${group}/mutatingadmissionpolicies`, {
    metadata: { name: "marks" },
    spec: {
      matchConstraints: { resourceRules: rules, ...within("mutated") },
      reinvocationPolicy: "Never",
      mutations: [
        {
          patchType: "JSONPatch",
          jsonPatch: { expression: "[JSONPatch{op: 'add', path: '/data/first', value: string(size(object.data))}]" },
        },
        { patchType: "JSONPatch", jsonPatch: { expression: appended } },
      ],
    },
  });
  await put(`${group}/mutatingadmissionpolicybindings`, { metadata: { name: "marks" }, spec: { policyName: "marks" } });
  for (const [who, may] of [
    ["ann", "true"],
    ["bob", "false"],
  ] as const) {
    const made = await write(who, "mutated", `of-${who}`);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.deepEqual(made.body["data"], { k: "v", first: "1", may });
  }
});

for (const kind of ["Validating", "Mutating"] as const) {
  test(`match conditions of ${kind.toLowerCase()} webhooks ask it too`, async () => {
    const configurations = `${group}/${kind.toLowerCase()}webhookconfigurations`;
    await put(configurations, {
      metadata: { name: "nobody-there" },
      webhooks: [
        {
          name: "nobody.example.com",
          clientConfig: { url: "https://127.0.0.1:1/" },
          rules,
          ...within("hooked"),
          failurePolicy: "Fail",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          matchConditions: [{ name: "publishers", expression: `!${publish}.check('publish').allowed()` }],
        },
      ],
    });
    assert.equal((await write("ann", "hooked", `of-ann-${kind.toLowerCase()}`)).status, 201);
    const refused = await write("bob", "hooked", `of-bob-${kind.toLowerCase()}`);
    assert.equal(refused.status, 500);
    assert.match(String(refused.body["message"]), /failed calling webhook "nobody\.example\.com"/);
    await secured.ask({ method: "DELETE", path: `${configurations}/nobody-there`, token: "root" });
  });
}

test("an authorizer that is down is a no, not a failure of the expression's own", async () => {
  const { answer } = judge;
  judge.answer = (request) => (request.body.includes('"publish"') ? { status: 503 } : answer(request));
  const refused = await write("ann", "validated", "while-down");
  judge.answer = answer;
  assert.equal(refused.status, 422);
  assert.match(String(refused.body["message"]), /the authorizer judge gave no verdict/);
});
