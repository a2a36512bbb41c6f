import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/core-v1.ts";
import type { ResourceClaim } from "#api/generated/resource-v1.ts";
import type { Action } from "#reconcile/action.ts";
import { projectPod } from "../views/pod.ts";
import { resourceClaimDeclaration, type ResourceClaimView } from "../views/resource-claim.ts";
import { planClaim } from "./plan-claim.ts";
import { planPodClaims } from "./plan-pod.ts";

const allocation = { devices: { results: [] } };
const protection = ["resource.kubernetes.io/delete-protection"];

function claim(words: Partial<ResourceClaim["status"]> & { metadata?: object } = {}): ResourceClaimView {
  const { metadata, ...status } = words;
  return resourceClaimDeclaration.project({
    metadata: { namespace: "default", name: "gpu", uid: "c", resourceVersion: "1000000000007", ...metadata },
    spec: { devices: { requests: [] } },
    status,
  });
}

const user = (name: string): { resource: string; name: string; uid: string } => ({ resource: "pods", name, uid: name });
const forPod = { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "web", uid: "web", controller: true }] };
const ending = { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: protection };

/** What is done, in short. */
function told(actions: readonly Action[]): string {
  const text = actions.map((action) => {
    if (action.verb === "event") return `event ${action.message}`;
    if (action.verb !== "patch") return action.verb;
    const { metadata, status } = action.patch as { metadata: { finalizers?: string[] }; status?: object };
    return `patch ${JSON.stringify(status ?? metadata.finalizers)}`;
  });
  return text.join(", ");
}

const claims: readonly { what: string; claim: ResourceClaimView; running: readonly string[]; expected: string }[] = [
  { what: "users that run stay", claim: claim({ allocation, reservedFor: [user("a")] }), running: ["a"], expected: "" },
  {
    what: "a user that is gone is taken out",
    claim: claim({ allocation, reservedFor: [user("a"), user("b")] }),
    running: ["b"],
    expected: 'patch {"reservedFor":[{"resource":"pods","name":"b","uid":"b"}]}',
  },
  {
    what: "the last takes the devices with it",
    claim: claim({ allocation, reservedFor: [user("a")] }),
    running: [],
    expected: 'patch {"reservedFor":null,"allocation":null}',
  },
  {
    what: "users that are no pods are their controllers' business",
    claim: claim({ allocation, reservedFor: [{ apiGroup: "example.com", resource: "jobs", name: "x", uid: "x" }] }),
    running: [],
    expected: "",
  },
  { what: "devices that were given to nobody yet stay", claim: claim({ allocation }), running: [], expected: "" },
  {
    what: "a claim that is to go gives its devices back first",
    claim: claim({ allocation, metadata: ending }),
    running: [],
    expected: 'patch {"reservedFor":null,"allocation":null}',
  },
  { what: "then it may go", claim: claim({ metadata: ending }), running: [], expected: "patch []" },
  {
    what: "the claim of a pod that will not run goes",
    claim: claim({ metadata: forPod }),
    running: [],
    expected: "delete",
  },
  { what: "that of one that runs stays", claim: claim({ metadata: forPod }), running: ["web"], expected: "" },
];

for (const { what, claim: view, running, expected } of claims) {
  test(what, () => {
    const { actions } = planClaim({ claim: view, uses: ({ uid }) => running.includes(uid) });
    assert.equal(told(actions), expected);
    for (const action of actions) assert.match(JSON.stringify(action), /"uid":"c"/, "the judged object is pinned");
  });
}

function pod(more: Partial<Pod["spec"]> = {}, status: Partial<Pod["status"]> = {}): ReturnType<typeof projectPod> {
  return projectPod({
    metadata: { namespace: "default", name: "web", uid: "web" },
    spec: { containers: [], resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "big" }], ...more },
    status,
  });
}

const template = { ...claim(), spec: { metadata: {}, spec: { devices: { requests: [] } } } };

test("a claim is made once, whatever was seen of the first attempt, then named in the status", () => {
  const base = { pod: pod(), templateNamed: () => template };
  const first = planPodClaims({ ...base, owned: [], claimNamed: () => undefined });
  const again = planPodClaims({ ...base, owned: [], claimNamed: () => undefined });
  assert.equal(told(first?.actions ?? []), "create");
  assert.deepEqual(first, again);
  const made = claim({ metadata: { ...forPod, annotations: { "resource.kubernetes.io/pod-claim-name": "gpu" } } });
  const named = planPodClaims({ ...base, owned: [made], claimNamed: () => made });
  assert.equal(
    told(named?.actions ?? []),
    'patch {"resourceClaimStatuses":[{"name":"gpu","resourceClaimName":"gpu"}]}',
  );
  const status = { resourceClaimStatuses: [{ name: "gpu", resourceClaimName: "gpu" }] };
  assert.deepEqual(
    planPodClaims({ ...base, pod: pod({}, status), owned: [made], claimNamed: () => made })?.actions,
    [],
  );
});

test("a claim of somebody else under the name is not used, and that is said", () => {
  const other = claim({ metadata: { name: "taken" } });
  const plan = planPodClaims({ pod: pod(), owned: [], claimNamed: () => other, templateNamed: () => template });
  assert.match(
    told(plan?.actions ?? []),
    /^event PodResourceClaim gpu: claim taken is there and belongs to somebody else$/,
  );
});

test("a pod that came to its node without the scheduler is named as user of its claims", () => {
  const spec = { nodeName: "n1", resourceClaims: [{ name: "gpu", resourceClaimName: "gpu" }] };
  const allocated = claim({ allocation });
  const plan = planPodClaims({
    pod: pod(spec),
    owned: [],
    claimNamed: () => allocated,
    templateNamed: () => undefined,
  });
  assert.equal(told(plan?.actions ?? []), 'patch {"reservedFor":[{"resource":"pods","name":"web","uid":"web"}]}');
});
