import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "#api/generated/certificates-v1.ts";
import { timeText } from "#reconcile/object-view.ts";
import { backdateMs, certificateMsMax, deniedKeptMs, issuedKeptMs, pendingKeptMs } from "./limits.ts";
import {
  judgeRequest,
  nodeClientSigner,
  nodePrefix,
  nodeServingSigner,
  nodesOrganization,
  type RequestInfo,
} from "./signers.ts";

/** Everything that a decision about one request may look at. */
export interface Observed {
  readonly csr: CertificateSigningRequest;
  /** Undefined: the bytes are no valid request. */
  readonly request: RequestInfo | undefined;
  /** Names and addresses of the Node that the request is for, when it exists. */
  readonly nodeAddresses: ReadonlySet<string> | undefined;
  /** Whether who made the request may have it approved without a person (`nodeclient` or `selfnodeclient`). */
  readonly mayAutoApprove: boolean;
  /** When the CA's own certificate ends, in milliseconds since 1970. */
  readonly caNotAfter: number;
}

/** What is to be done with a request; times are milliseconds since 1970. */
export type Decision =
  | { readonly what: "approve"; readonly condition: CertificateSigningRequestCondition; readonly reason: string }
  | { readonly what: "fail"; readonly condition: CertificateSigningRequestCondition; readonly reason: string }
  | {
      readonly what: "sign";
      readonly usages: readonly ("client" | "server")[];
      readonly notBefore: number;
      readonly notAfter: number;
      readonly reason: string;
    }
  | { readonly what: "delete"; readonly reason: string }
  | { readonly what: "wait"; readonly lookAgainMs: number };

/** Approves and signs the requests of nodes, signs what people approved, and removes what is over. */
export function planCertificate(observed: Observed, now: number): Decision {
  const { csr } = observed;
  const condition = (type: string): boolean => (csr.status.conditions ?? []).some((one) => one.type === type);
  const age = now - Date.parse(csr.metadata.creationTimestamp ?? timeText(now));
  if (condition("Denied") || condition("Failed")) return keepUntil(age, deniedKeptMs, "denied or failed");
  if (csr.status.certificate) return keepUntil(age, issuedKeptMs, "issued");
  if (observed.request === undefined) return fail("the request is not a valid PKCS#10 request", now);
  return condition("Approved")
    ? planSigning(observed, observed.request, now)
    : planApproval(observed, observed.request, age, now);
}

function keepUntil(age: number, keptMs: number, what: string): Decision {
  if (age < keptMs) return { what: "wait", lookAgainMs: keptMs - age };
  return { what: "delete", reason: `the request was ${what} and is older than ${keptMs / 3_600_000} h` };
}

function planApproval(observed: Observed, request: RequestInfo, age: number, now: number): Decision {
  const { csr } = observed;
  const pending = keepUntil(age, pendingKeptMs, "pending");
  if (!judgeRequest(csr.spec.signerName, request, csr.spec.usages ?? []).ok) return pending;
  if (csr.spec.signerName === nodeClientSigner && observed.mayAutoApprove) {
    const self = csr.spec.username === request.subject.commonName ? "self " : "";
    const message = `Auto approving ${self}kubelet client certificate after SubjectAccessReview.`;
    return approve(message, `${csr.spec.username} may have a node certificate for ${request.subject.commonName}`, now);
  }
  if (csr.spec.signerName === nodeServingSigner && isOwnServingRequest(observed, request)) {
    const names = [...request.dnsNames, ...request.addresses].join(", ");
    return approve(
      "Auto approving kubelet serving certificate for the node's own names.",
      `${names} belong to ${csr.spec.username}`,
      now,
    );
  }
  return pending;
}

/** Nobody but a node asks for its own serving certificate, and only for names that its Node object has. */
function isOwnServingRequest({ csr, nodeAddresses }: Observed, request: RequestInfo): boolean {
  const { username = "", groups = [] } = csr.spec;
  if (username !== request.subject.commonName || !groups.includes(nodesOrganization) || nodeAddresses === undefined)
    return false;
  const name = username.slice(nodePrefix.length);
  return [...request.dnsNames, ...request.addresses].every((one) => one === name || nodeAddresses.has(one));
}

function approve(message: string, reason: string, now: number): Decision {
  return { what: "approve", condition: conditionAt(now, "Approved", "AutoApproved", message), reason };
}

function fail(message: string, now: number): Decision {
  return { what: "fail", condition: conditionAt(now, "Failed", "SignerValidationFailure", message), reason: message };
}

function conditionAt(now: number, type: string, reason: string, message: string): CertificateSigningRequestCondition {
  return { type, status: "True", reason, message, lastUpdateTime: timeText(now), lastTransitionTime: timeText(now) };
}

function planSigning({ csr, caNotAfter }: Observed, request: RequestInfo, now: number): Decision {
  const judgement = judgeRequest(csr.spec.signerName, request, csr.spec.usages ?? []);
  if (!judgement.ok) {
    // Another signer's requests are another signer's work.
    return isServed(csr.spec.signerName) ? fail(judgement.why, now) : { what: "wait", lookAgainMs: pendingKeptMs };
  }
  const asked = csr.spec.expirationSeconds === undefined ? certificateMsMax : csr.spec.expirationSeconds * 1000;
  const notAfter = Math.min(now + Math.min(asked, certificateMsMax), caNotAfter);
  return {
    what: "sign",
    usages: judgement.usages,
    notBefore: now - backdateMs,
    notAfter,
    reason: `the request of ${csr.spec.username} is approved for ${csr.spec.signerName}`,
  };
}

function isServed(signer: string): boolean {
  return signer.startsWith("kubernetes.io/") && signer !== "kubernetes.io/legacy-unknown";
}
