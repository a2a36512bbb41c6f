/** Whom webhooks see what of: versions by their match policy, dry runs by their side effects, fields by who sent them. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { startSecured, type Answered, type SecuredServer } from "../security/cluster.ts";
import { startOutside, type OutsideServer } from "../security/outside.ts";

interface Review {
  readonly request: {
    readonly uid: string;
    readonly operation: string;
    readonly userInfo: { readonly username: string };
    readonly dryRun?: boolean;
    readonly kind: { readonly version: string };
    readonly requestKind: { readonly version: string };
    readonly object: { readonly apiVersion: string; readonly spec?: Record<string, unknown> } | null;
    readonly oldObject: object | null;
  };
}

let hook: OutsideServer;
let secured: SecuredServer;
const seen: Review["request"][] = [];

before(async () => {
  hook = await startOutside(({ body }) => {
    const { request } = JSON.parse(body) as Review;
    // Controllers of the server write too, when it suits them.
    if (request.userInfo.username === "root") seen.push(request);
    const response = { uid: request.uid, allowed: true, warnings: [`seen as ${request.kind.version}`] };
    return { body: { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response } };
  });
  secured = await startSecured({ "tokens.csv": 'root,root,1,"system:masters"\n' });
});
after(async () => {
  await secured.close();
  await hook.close();
});
beforeEach(() => seen.splice(0));

function ask(method: string, path: string, body?: object): Promise<Answered> {
  return secured.ask({ method, path, token: "root", ...(body !== undefined && { body }) });
}

const configurations = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const scalers = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";

/** Plays with one webhook for autoscalers of version 2 in force. */
async function hooked(webhook: object, play: () => Promise<void>): Promise<void> {
  const rules = [
    {
      operations: ["*"],
      apiGroups: ["autoscaling"],
      apiVersions: ["v2"],
      resources: ["horizontalpodautoscalers", "horizontalpodautoscalers/status"],
    },
  ];
  const made = await ask("POST", configurations, {
    metadata: { name: "w" },
    webhooks: [
      {
        name: "w.example.com",
        clientConfig: { url: `${hook.url}/`, caBundle: btoa(hook.ca) },
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        rules,
        ...webhook,
      },
    ],
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  try {
    await play();
  } finally {
    await ask("DELETE", `${configurations}/w`);
  }
}

function scaler(name: string): object {
  const scaleTargetRef = { kind: "Deployment", name: "d", apiVersion: "apps/v1" };
  return { metadata: { name }, spec: { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 70 } };
}

test("a webhook for another version sees the object in it, unless its match policy is Exact", async () => {
  await hooked({}, async () => {
    const made = await ask("POST", scalers, scaler("equivalent"));
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.match(String(made.headers["warning"]), /seen as v2/);
    const [request] = seen;
    assert.deepEqual(
      [request?.kind.version, request?.requestKind.version, request?.object?.apiVersion],
      ["v2", "v1", "autoscaling/v2"],
    );
    assert.ok(Array.isArray(request?.object?.spec?.["metrics"]), "converted, not only renamed");
  });
  seen.splice(0);
  await hooked({ matchPolicy: "Exact" }, async () => {
    assert.equal((await ask("POST", scalers, scaler("exact"))).status, 201);
    assert.equal(seen.length, 0);
    const young = scalers.replace("/v1/", "/v2/");
    assert.equal((await ask("GET", `${young}/exact`)).status, 200);
    assert.equal((await ask("DELETE", `${young}/exact`)).status, 200);
    assert.deepEqual(
      seen.map(({ operation, object, oldObject }) => [operation, object, oldObject !== null]),
      [["DELETE", null, true]],
    );
  });
});

test("a dry run never reaches a webhook with side effects; others are told that it is one", async () => {
  await hooked({ sideEffects: "NoneOnDryRun" }, async () => {
    assert.equal((await ask("POST", `${scalers}?dryRun=All`, scaler("dry"))).status, 201);
    assert.deepEqual(
      seen.map(({ dryRun }) => dryRun),
      [true],
    );
  });
  assert.equal((await ask("GET", `${scalers}/dry`)).status, 404);
});

test("status is a resource of its own for webhooks", async () => {
  await hooked(
    { rules: [{ operations: ["UPDATE"], apiGroups: ["autoscaling"], apiVersions: ["v2"], resources: ["*/status"] }] },
    async () => {
      assert.equal((await ask("POST", scalers, scaler("parts"))).status, 201);
      const { body } = await ask("GET", `${scalers}/parts`);
      assert.equal(
        (await ask("PUT", `${scalers}/parts`, { ...body, spec: { ...(body["spec"] as object), maxReplicas: 4 } }))
          .status,
        200,
      );
      assert.equal(seen.length, 0);
      const now = (await ask("GET", `${scalers}/parts`)).body;
      const changed = await ask("PUT", `${scalers}/parts/status`, {
        ...now,
        status: { currentReplicas: 1, desiredReplicas: 1 },
      });
      assert.equal(changed.status, 200, JSON.stringify(changed.body));
      assert.equal(seen.length, 1);
    },
  );
});
