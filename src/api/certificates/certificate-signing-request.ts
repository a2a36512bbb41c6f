import { formatTime } from "#codec/time.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import type { CertificateSigningRequest } from "../generated/certificates-v1.ts";
import { ageOf, humanDuration } from "../human-duration.ts";
import type { KindRules, RuleContext } from "../kind.ts";
import { keepLabels } from "../strategy.ts";
import { validateSigningRequest, validateSigningRequestUpdate } from "../validation/certificate-signing-request.ts";
import { collect } from "../validation/field-errors.ts";

/** The user who asks is recorded by the server; what the client says about it is dropped. */
function recordRequester(request: CertificateSigningRequest, { user, requester }: RuleContext): void {
  const { spec } = request;
  spec.username = user;
  delete spec.uid;
  delete spec.groups;
  delete spec.extra;
  if (requester === undefined) return;
  if (requester.uid !== "") spec.uid = requester.uid;
  if (requester.groups.length > 0) spec.groups = [...requester.groups];
  if (Object.keys(requester.extra).length > 0) {
    spec.extra = {};
    for (const key in requester.extra) spec.extra[key] = [...(requester.extra[key] ?? [])];
  }
}

function statusOf(request: CertificateSigningRequest): string {
  let approved = false;
  let denied = false;
  let failed = false;
  for (const { type } of request.status?.conditions ?? []) {
    if (type === "Approved") approved = true;
    else if (type === "Denied") denied = true;
    else if (type === "Failed") failed = true;
  }
  const words = [denied ? "Denied" : approved ? "Approved" : "Pending"];
  if (failed) words.push("Failed");
  if (request.status?.certificate) words.push("Issued");
  return words.join(",");
}

/** Conditions get their times from the server. */
function stampConditions(
  request: CertificateSigningRequest,
  old: CertificateSigningRequest,
  context: RuleContext,
): void {
  const now = formatTime(context.now);
  for (const condition of request.status?.conditions ?? []) {
    const before = old.status?.conditions?.find((candidate) => candidate.type === condition.type);
    if (!condition.lastUpdateTime) condition.lastUpdateTime = now;
    if (condition.lastTransitionTime) continue;
    condition.lastTransitionTime =
      before !== undefined && before.status === condition.status && before.lastTransitionTime
        ? before.lastTransitionTime
        : now;
  }
}

export const certificateSigningRequestRules: KindRules<CertificateSigningRequest> = {
  nameFormat: "path-segment",
  defaults(request) {
    request.spec.usages ??= ["digital signature", "key encipherment"];
    for (const condition of request.status?.conditions ?? []) condition.status ||= "True";
  },
  prepareCreate(request, context) {
    recordRequester(request, context);
    request.status = {};
  },
  prepareUpdate(request, old, context) {
    // Nobody changes a request once it is made; /approval writes conditions, /status conditions and the certificate.
    request.spec = old.spec;
    switch (context.subresource) {
      case "status":
        keepLabels(request.metadata, old.metadata);
        stampConditions(request, old, context);
        break;
      case "approval": {
        const conditions = request.status?.conditions;
        request.status = { ...old.status };
        if (conditions !== undefined) request.status.conditions = conditions;
        else delete request.status.conditions;
        stampConditions(request, old, context);
        break;
      }
      default:
        request.status = old.status;
    }
  },
  validate: (request) => collect((errors) => validateSigningRequest(errors, request)),
  validateUpdate: (request, old, context) =>
    collect((errors) => validateSigningRequestUpdate(errors, request, old, context)),
  countsGeneration: false,
  columns: [
    nameColumn,
    ageColumn,
    column("SignerName", "signerName indicates the requested signer."),
    column("Requestor", "username contains the name of the user that created the CertificateSigningRequest."),
    column("RequestedDuration", "expirationSeconds is the requested duration of validity of the issued certificate."),
    column("Condition", "conditions applied to the request."),
  ],
  cells: (request, now) => [
    request.metadata.name,
    ageOf(request.metadata.creationTimestamp, now),
    request.spec.signerName || "<none>",
    request.spec.username ?? "",
    request.spec.expirationSeconds === undefined ? "<none>" : humanDuration(request.spec.expirationSeconds * 1000),
    statusOf(request),
  ],
  fieldSelectors: { "spec.signerName": (request) => request.spec.signerName ?? "" },
};
