import assert from "node:assert/strict";
import { test } from "node:test";
import type { CertificateSigningRequest } from "#api/generated/certificates-v1.ts";
import { certificateMsMax, issuedKeptMs, pendingKeptMs } from "./limits.ts";
import { planCertificate, type Observed } from "./plan.ts";
import type { RequestInfo } from "./signers.ts";

const now = Date.UTC(2026, 0, 1);
const caNotAfter = now + 10 * certificateMsMax;

const nodeRequest: RequestInfo = {
  subject: { commonName: "system:node:n1", organizations: ["system:nodes"] },
  publicKey: "PEM",
  dnsNames: [],
  addresses: [],
  usages: [],
};
const servingRequest: RequestInfo = { ...nodeRequest, dnsNames: ["n1"], addresses: ["10.0.0.7"] };

interface Change {
  readonly spec?: Partial<CertificateSigningRequest["spec"]>;
  readonly conditions?: readonly string[];
  readonly certificate?: string;
  readonly ageMs?: number;
  readonly request?: Partial<RequestInfo> | "broken";
  readonly nodeAddresses?: readonly string[] | undefined;
  readonly mayAutoApprove?: boolean;
  readonly caNotAfter?: number;
}

function observed(base: { signer: string; usages: string[]; request: RequestInfo }, change: Change): Observed {
  const conditions = (change.conditions ?? []).map((type) => ({ type, status: "True" }));
  const created = new Date(now - (change.ageMs ?? 1000)).toISOString();
  return {
    csr: {
      metadata: { name: "r", creationTimestamp: created },
      spec: {
        request: "",
        signerName: base.signer,
        usages: base.usages,
        username: "system:node:n1",
        groups: ["system:nodes", "system:authenticated"],
        ...change.spec,
      },
      status: { conditions, ...(change.certificate === undefined ? {} : { certificate: change.certificate }) },
    },
    request: change.request === "broken" ? undefined : { ...base.request, ...change.request },
    nodeAddresses:
      "nodeAddresses" in change ? change.nodeAddresses && new Set(change.nodeAddresses) : new Set(["10.0.0.7"]),
    mayAutoApprove: change.mayAutoApprove ?? true,
    caNotAfter: change.caNotAfter ?? caNotAfter,
  };
}

const client = {
  signer: "kubernetes.io/kube-apiserver-client-kubelet",
  usages: ["digital signature", "client auth"],
  request: nodeRequest,
};
const serving = {
  signer: "kubernetes.io/kubelet-serving",
  usages: ["digital signature", "server auth"],
  request: servingRequest,
};
const person = {
  signer: "kubernetes.io/kube-apiserver-client",
  usages: ["client auth"],
  request: { ...nodeRequest, subject: { commonName: "jane" } },
};
const foreign = { signer: "example.com/other", usages: ["client auth"], request: nodeRequest };

const cases: readonly [string, Parameters<typeof observed>[0], Change, string][] = [
  ["a node that may ask is approved", client, {}, "approve"],
  ["who may not ask waits for a person", client, { mayAutoApprove: false }, "wait"],
  ["a node client request with names waits", client, { request: { dnsNames: ["evil"] } }, "wait"],
  ["a node client request with an email waits", client, { request: { emailAddresses: ["a@b"] } }, "wait"],
  [
    "a node client request of another group waits",
    client,
    { request: { subject: { commonName: "system:node:n1", organizations: ["system:masters"] } } },
    "wait",
  ],
  [
    "a node client request of two groups waits",
    client,
    { request: { subject: { commonName: "system:node:n1", organizations: ["system:nodes", "system:masters"] } } },
    "wait",
  ],
  ["a node client request for serving waits", client, { spec: { usages: ["server auth"] } }, "wait"],
  ["an approved node client request is signed", client, { conditions: ["Approved"] }, "sign"],
  [
    "an approved request with the wrong subject fails",
    client,
    { conditions: ["Approved"], request: { subject: { commonName: "jane" } } },
    "fail",
  ],
  ["a denied request is not signed", client, { conditions: ["Denied", "Approved"] }, "wait"],
  ["bytes that are no request fail", client, { request: "broken" }, "fail"],
  ["a node's own serving request is approved", serving, {}, "approve"],
  ["a serving request for a foreign address waits", serving, { request: { addresses: ["10.0.0.8"] } }, "wait"],
  [
    "a serving request for a foreign name waits",
    serving,
    { request: { dnsNames: ["kubernetes.default.svc"] } },
    "wait",
  ],
  ["a serving request before its Node exists waits", serving, { nodeAddresses: undefined }, "wait"],
  ["a serving request by somebody else waits", serving, { spec: { username: "system:node:n2" } }, "wait"],
  ["a serving request by who is no node waits", serving, { spec: { groups: ["system:authenticated"] } }, "wait"],
  ["a serving request without names waits", serving, { request: { dnsNames: [], addresses: [] } }, "wait"],
  ["a serving request with a URI waits", serving, { request: { uris: ["spiffe://x"] } }, "wait"],
  ["an approved serving request is signed", serving, { conditions: ["Approved"] }, "sign"],
  ["a person's request waits for a person", person, {}, "wait"],
  ["a person's approved request is signed", person, { conditions: ["Approved"] }, "sign"],
  [
    "a person's approved request for a server fails",
    person,
    { conditions: ["Approved"], spec: { usages: ["server auth"] } },
    "fail",
  ],
  ["another signer's request is left alone", foreign, { conditions: ["Approved"] }, "wait"],
  ["an issued certificate stays an hour", client, { certificate: "PEM", ageMs: issuedKeptMs - 1 }, "wait"],
  ["an issued certificate's request goes after an hour", client, { certificate: "PEM", ageMs: issuedKeptMs }, "delete"],
  ["a pending request goes after a day", person, { ageMs: pendingKeptMs }, "delete"],
];
for (const [name, base, change, expected] of cases) {
  test(name, () => assert.equal(planCertificate(observed(base, change), now).what, expected));
}

const lives: readonly [string, Change, number][] = [
  ["a year when nothing is asked", {}, now + certificateMsMax],
  ["as long as asked", { spec: { expirationSeconds: 600 } }, now + 600_000],
  ["a year when more is asked", { spec: { expirationSeconds: 10 * 365 * 86_400 } }, now + certificateMsMax],
  ["no longer than its CA", { caNotAfter: now + 1000 }, now + 1000],
];
for (const [name, change, expected] of lives) {
  test(`a certificate lives ${name}`, () => {
    const decision = planCertificate(observed(client, { ...change, conditions: ["Approved"] }), now);
    assert.ok(decision.what === "sign");
    assert.equal(decision.notAfter, expected);
    assert.ok(decision.notBefore < now);
  });
}
