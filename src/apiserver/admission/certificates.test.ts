import assert from "node:assert/strict";
import { test } from "node:test";
import { certificatesigningrequests } from "#api/generated/resources.ts";
import { createCertificates } from "#world/node/certificates.ts";
import { createCrypto } from "#world/node/crypto.ts";
import type { Attributes, Decision } from "../authorizer.ts";
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from "./certificates.ts";
import { admit, requestFor } from "./request-in-tests.ts";

const certificates = createCertificates();
const { privateKey } = createCrypto().generateKey();

/** Allows one verb on one signer. */
function allowing(verb: string, signer: string): { authorize: (wanted: Attributes) => Decision } {
  return {
    authorize: (wanted) =>
      wanted.verb === verb && wanted.resource === "signers" && wanted.name === signer
        ? { allowed: true, reason: "" }
        : { allowed: false, denied: false, reason: "" },
  };
}

const csr = (status: object = {}): object => ({
  metadata: { name: "r" },
  spec: { signerName: "example.com/one", request: "" },
  status,
});
const approved = { conditions: [{ type: "Approved", status: "True" }] };

const cases: readonly [string, string, string, "approval" | "status", object, boolean][] = [
  ["approves with the right for the signer", "approve", "example.com/one", "approval", approved, true],
  ["approves with the right for the domain", "approve", "example.com/*", "approval", approved, true],
  ["does not approve for another signer", "approve", "example.com/two", "approval", approved, false],
  ["does not approve with the right to sign", "sign", "example.com/one", "approval", approved, false],
  ["signs with the right for the signer", "sign", "example.com/one", "status", { certificate: "x" }, true],
  ["does not sign with the right to approve", "approve", "example.com/one", "status", { certificate: "x" }, false],
  ["does not declare a failure without the right", "approve", "example.com/one", "status", approved, false],
  ["writes a status that says nothing", "none", "none", "status", {}, true],
];
for (const [name, verb, signer, subresource, status, allowed] of cases) {
  test(`a user ${name}`, async () => {
    const authorizer = allowing(verb, signer);
    const plugin = subresource === "approval" ? certificateApproval(authorizer) : certificateSigning(authorizer);
    const request = requestFor(certificatesigningrequests, { subresource, object: csr(status), oldObject: csr() });
    const message = await admit(plugin, request);
    assert.equal(message === undefined, allowed);
    if (!allowed) assert.match(message ?? "", /^user not permitted to (approve|sign) requests with signerName/);
  });
}

test("nobody asks for a superuser's certificate", async () => {
  const plugin = certificateSubjectRestriction(certificates);
  const ask = async (organizations: string[], signerName: string): Promise<string | undefined> => {
    const pem = await certificates.createSigningRequest({ commonName: "jane", organizations }, privateKey);
    const object = { metadata: { name: "r" }, spec: { signerName, request: btoa(pem) } };
    return admit(plugin, requestFor(certificatesigningrequests, { object }));
  };
  const signer = "kubernetes.io/kube-apiserver-client";
  assert.equal(await ask(["dev"], signer), undefined);
  assert.match((await ask(["dev", "system:masters"], signer)) ?? "", /system:masters group is not allowed/);
  assert.equal(await ask(["system:masters"], "example.com/own"), undefined);
});
