import type { CertificateSigningRequest } from "#api/generated/certificates-v1.ts";
import type { Node } from "#api/generated/core-v1.ts";
import { certificatesigningrequests, nodes, subjectaccessreviews } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import type { Action } from "#reconcile/action.ts";
import type { Controller, Plan } from "#reconcile/controller.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";
import type { Certificates } from "#world/crypto.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { planCertificate, type Decision, type Observed } from "./plan.ts";
import { nodeClientSigner, nodePrefix, type RequestInfo } from "./signers.ts";

interface RequestView extends ObjectView {
  readonly username: string;
  /** Nothing will happen to it any more, but its removal. */
  readonly settled: boolean;
}

interface NodeNames extends ObjectView {
  readonly names: ReadonlySet<string>;
}

const requestDeclaration: InformerDeclaration<CertificateSigningRequest, RequestView> = {
  resource: certificatesigningrequests,
  indexes: { ...objectIndexes, user: (view: RequestView) => [view.username] },
  project: (csr) => ({
    ...objectView(csr.metadata),
    username: csr.spec.username ?? "",
    settled:
      (csr.status?.certificate ?? "") !== "" ||
      (csr.status?.conditions ?? []).some((condition) => condition.type === "Denied" || condition.type === "Failed"),
  }),
};

const nodeNamesDeclaration: InformerDeclaration<Node, NodeNames> = {
  resource: nodes,
  indexes: objectIndexes,
  project: (node) => ({
    ...objectView(node.metadata),
    names: new Set((node.status?.addresses ?? []).map((one) => one.address)),
  }),
};

export interface SigningAuthority {
  readonly certificates: Certificates;
  /** PEM. */
  readonly ca: { readonly certificate: string; readonly key: string };
}

/** Approves and signs certificate requests of nodes, and signs those for clients that somebody approved. */
export function createCertificateController(dependencies: Dependencies, authority: SigningAuthority): Controller {
  const { client, informers } = dependencies;
  const requests = informers.of(requestDeclaration);
  const nodeNames = informers.of(nodeNamesDeclaration);
  const caNotAfter = authority.certificates.read(authority.ca.certificate)?.notAfter ?? 0;

  async function observe(csr: CertificateSigningRequest): Promise<Observed> {
    const request = await authority.certificates.readSigningRequest(decoded(csr.spec.request));
    const node = request?.subject.commonName.slice(nodePrefix.length) ?? "";
    return {
      csr,
      request,
      nodeAddresses: nodeNames.get(node)?.names,
      mayAutoApprove:
        request !== undefined &&
        csr.spec.signerName === nodeClientSigner &&
        (await mayAutoApprove(client, csr, request)),
      caNotAfter,
    };
  }

  return createLoop(dependencies, {
    name: "certificates",
    eventSource: "certificate-controller",
    needs: [requests, nodeNames],
    watch: (enqueue) => [
      requests.handle((key) => enqueue(key)),
      // A serving certificate waits for the Node to tell its addresses.
      nodeNames.handle((_, old, current) => {
        if (current === undefined || (old !== undefined && sameNames(old.names, current.names))) return;
        for (const view of requests.by("user", `${nodePrefix}${current.name}`)) if (!view.settled) enqueue(view.key);
      }),
    ],
    async pass(key, { now }) {
      if (requests.get(key) === undefined) return undefined;
      const csr = await client.find(certificatesigningrequests, { name: key });
      if (csr === undefined) return undefined;
      const observed = await observe(csr);
      return toPlan(csr, planCertificate(observed, now), observed.request, authority);
    },
  });
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name));
}

/** Asks as the cluster would ask about any user: who joins needs `nodeclient`, a node that renews `selfnodeclient`. */
async function mayAutoApprove(client: Client, csr: CertificateSigningRequest, request: RequestInfo): Promise<boolean> {
  const { username, uid, groups, extra } = csr.spec;
  const subresource = username === request.subject.commonName ? "selfnodeclient" : "nodeclient";
  const resourceAttributes = {
    group: "certificates.k8s.io",
    resource: "certificatesigningrequests",
    subresource,
    verb: "create",
  };
  const spec = {
    resourceAttributes,
    ...(username === undefined ? {} : { user: username }),
    ...(uid === undefined ? {} : { uid }),
    ...(groups === undefined ? {} : { groups }),
    ...(extra === undefined ? {} : { extra }),
  };
  const review = await client.create(subjectaccessreviews, {}, { spec });
  return review.status?.allowed === true;
}

async function toPlan(
  csr: CertificateSigningRequest,
  decision: Decision,
  request: RequestInfo | undefined,
  authority: SigningAuthority,
): Promise<Plan | undefined> {
  const resource = certificatesigningrequests as Resource<unknown>;
  const { name = "", uid = "", resourceVersion = "" } = csr.metadata;
  const because = `certificates.k8s.io/certificatesigningrequests/${name}@${resourceVersion}`;
  const update = (
    subresource: "approval" | "status",
    status: Partial<CertificateSigningRequest["status"]>,
    reason: string,
  ): Plan => {
    const object = { ...csr, status: { ...csr.status, ...status } };
    const action: Action = { verb: "update", resource, name, object, subresource, reason };
    return { because, actions: [action] };
  };
  switch (decision.what) {
    case "wait":
      return { because, actions: [], lookAgainMs: decision.lookAgainMs };
    case "delete":
      return { because, actions: [{ verb: "delete", resource, name, uid, resourceVersion, reason: decision.reason }] };
    case "approve":
      return update(
        "approval",
        { conditions: [...(csr.status.conditions ?? []), decision.condition] },
        decision.reason,
      );
    case "fail":
      return update("status", { conditions: [...(csr.status.conditions ?? []), decision.condition] }, decision.reason);
    case "sign": {
      if (request === undefined) throw new Error(`Cannot sign ${name}: its request was not read`);
      const { subject, publicKey, dnsNames, addresses } = request;
      const { usages, notBefore, notAfter } = decision;
      const pem = await authority.certificates.issue(
        { subject, publicKey, dnsNames, addresses, usages, notBefore, notAfter },
        authority.ca,
      );
      return update("status", { certificate: btoa(pem) }, decision.reason);
    }
  }
}

function decoded(base64: string): string {
  try {
    return atob(base64);
  } catch {
    return "";
  }
}
