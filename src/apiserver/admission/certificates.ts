import { certificatesigningrequests } from "#api/generated/resources.ts";
import type { CertificateSigningRequest } from "#api/generated/certificates-v1.ts";
import type { Certificates } from "#world/crypto.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import type { Authorizer } from "../authorizer.ts";
import { textFromBase64 } from "../authenticate/base64.ts";
import { superuserGroup } from "../authorize/union.ts";
import { allow, forbid, isAbout, objectOf, oldObjectOf } from "./request.ts";

type Asker = Pick<Authorizer, "authorize">;

/** Who approves a request needs the verb `approve` on its signer. */
export function certificateApproval(authorizer: Asker): AdmissionPlugin {
  return {
    name: "CertificateApproval",
    validate(request) {
      if (request.operation !== "UPDATE" || !isAbout(request, certificatesigningrequests, "approval")) return allow;
      return mayForSigner("approve", request, authorizer);
    },
  };
}

/** Who writes a certificate, or declares that there will be none, needs the verb `sign` on its signer. */
export function certificateSigning(authorizer: Asker): AdmissionPlugin {
  return {
    name: "CertificateSigning",
    validate(request) {
      if (request.operation !== "UPDATE" || !isAbout(request, certificatesigningrequests, "status")) return allow;
      const after = objectOf(request, certificatesigningrequests)?.status;
      const before = oldObjectOf(request, certificatesigningrequests)?.status;
      const same =
        after?.certificate === before?.certificate &&
        JSON.stringify(after?.conditions) === JSON.stringify(before?.conditions);
      return same ? allow : mayForSigner("sign", request, authorizer);
    },
  };
}

/** The right is given for one signer, or for all of a domain by `domain/*`. */
async function mayForSigner(verb: string, request: AdmissionRequest, authorizer: Asker): Promise<Verdict> {
  const signer = oldObjectOf(request, certificatesigningrequests)?.spec.signerName ?? "";
  const common = {
    verb,
    isResource: true,
    group: "certificates.k8s.io",
    version: "v1",
    resource: "signers",
    subresource: "",
    namespace: "",
    path: "",
  };
  const names = [signer, `${signer.split("/")[0]}/*`];
  for (const name of names) {
    const decision = await authorizer.authorize({ ...common, user: request.user, name });
    if (decision.allowed) return allow;
  }
  return forbid(`user not permitted to ${verb} requests with signerName ${JSON.stringify(signer)}`);
}

/** Nobody becomes a superuser by a certificate that the cluster signs. */
export function certificateSubjectRestriction(certificates: Pick<Certificates, "readSigningRequest">): AdmissionPlugin {
  return {
    name: "CertificateSubjectRestriction",
    validate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, certificatesigningrequests)) return allow;
      const csr = objectOf(request, certificatesigningrequests);
      if (csr?.spec.signerName !== "kubernetes.io/kube-apiserver-client") return allow;
      return judgeSubject(csr, certificates);
    },
  };
}

async function judgeSubject(
  csr: CertificateSigningRequest,
  certificates: Pick<Certificates, "readSigningRequest">,
): Promise<Verdict> {
  const info = await certificates.readSigningRequest(textFromBase64(csr.spec.request));
  if (info === undefined) return forbid("unable to parse the certificate signing request");
  if (info.subject.organizations?.includes(superuserGroup) !== true) return allow;
  return forbid(`use of kubernetes.io/kube-apiserver-client signer with ${superuserGroup} group is not allowed`);
}
