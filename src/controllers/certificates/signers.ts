import type { CertificateInfo } from "#world/crypto.ts";

/** The signers of Kubernetes that this controller serves ("Certificates and Certificate Signing Requests"). */
const clientSigner = "kubernetes.io/kube-apiserver-client";
export const nodeClientSigner = "kubernetes.io/kube-apiserver-client-kubelet";
export const nodeServingSigner = "kubernetes.io/kubelet-serving";

export const nodesOrganization = "system:nodes";
export const nodePrefix = "system:node:";

/** A request as its own bytes say it, after its signature was checked. */
export type RequestInfo = Omit<CertificateInfo, "notBefore" | "notAfter">;

/** What a signer would make of a request; or why it would make nothing. */
export type Judgement =
  | { readonly ok: true; readonly usages: readonly ("client" | "server")[] }
  | { readonly ok: false; readonly why: string };

const refuse = (why: string): Judgement => ({ ok: false, why });

/** Whether a signer may sign this request, whoever approved it. */
export function judgeRequest(signer: string, request: RequestInfo, usages: readonly string[]): Judgement {
  switch (signer) {
    case clientSigner:
      return judgeUsages(usages, "client auth") ?? { ok: true, usages: ["client"] };
    case nodeClientSigner:
      return (
        judgeNode(request) ??
        judgeNoNames(request) ??
        judgeUsages(usages, "client auth") ?? { ok: true, usages: ["client"] }
      );
    case nodeServingSigner:
      return (
        judgeNode(request) ??
        judgeServingNames(request) ??
        judgeUsages(usages, "server auth") ?? { ok: true, usages: ["server"] }
      );
    default:
      return refuse(`signer ${signer} is not served here`);
  }
}

function judgeNode({ subject }: RequestInfo): Judgement | undefined {
  const organizations = subject.organizations ?? [];
  if (organizations.length !== 1 || organizations[0] !== nodesOrganization)
    return refuse(`subject organization is not ${nodesOrganization}`);
  if (!subject.commonName.startsWith(nodePrefix))
    return refuse(`subject common name does not begin with ${nodePrefix}`);
  return subject.commonName === nodePrefix ? refuse("subject common name has no node's name") : undefined;
}

function judgeNoNames(request: RequestInfo): Judgement | undefined {
  const { dnsNames, addresses, emailAddresses = [], uris = [] } = request;
  const count = dnsNames.length + addresses.length + emailAddresses.length + uris.length;
  return count === 0 ? undefined : refuse("subject alternative names are not allowed");
}

function judgeServingNames(request: RequestInfo): Judgement | undefined {
  const { dnsNames, addresses, emailAddresses = [], uris = [] } = request;
  if (emailAddresses.length !== 0) return refuse("email subject alternative names are not allowed");
  if (uris.length !== 0) return refuse("URI subject alternative names are not allowed");
  return dnsNames.length + addresses.length === 0
    ? refuse("DNS or IP subject alternative name is required")
    : undefined;
}

function judgeUsages(usages: readonly string[], needed: string): Judgement | undefined {
  const known = new Set([needed, "digital signature", "key encipherment"]);
  const odd = usages.find((usage) => !known.has(usage));
  if (odd !== undefined) return refuse(`usage "${odd}" is not allowed`);
  return usages.includes(needed) ? undefined : refuse(`usage "${needed}" is required`);
}
