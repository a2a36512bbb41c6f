import type { CertificateSigningRequest } from "../generated/certificates-v1.ts";
import type { RuleContext } from "../kind.ts";
import { decodeBase64Text } from "./base64.ts";
import type { FieldErrors } from "./field-errors.ts";
import { semanticallyEqual } from "./immutable.ts";
import { isDns1123Subdomain } from "./names.ts";

const usages = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];
const signerNameLengthMax = 571;
const lifetimeMinSeconds = 600;
const verdicts = ["Approved", "Denied", "Failed"];

function validateSignerName(errors: FieldErrors, field: string, name: string): void {
  if (!name) {
    errors.required(field);
    return;
  }
  const segments = name.split("/");
  if (segments.length !== 2) {
    errors.invalid(field, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    return;
  }
  const [domain = "", path = ""] = segments;
  errors.invalidEach(field, domain, isDns1123Subdomain(domain));
  if (domain.split(".").length < 2)
    errors.invalid(field, domain, "should be a domain with at least two segments separated by dots");
  for (const label of path.split(".")) errors.invalidEach(field, path, isDns1123Subdomain(label));
  if (name.length > signerNameLengthMax) errors.tooLong(field, signerNameLengthMax);
}

export function validateSigningRequest(errors: FieldErrors, request: CertificateSigningRequest): void {
  const { spec } = request;
  const pem = decodeBase64Text(spec.request ?? "") ?? "";
  if (!/^-----BEGIN (NEW )?CERTIFICATE REQUEST-----\r?\n[\s\S]+-----END (NEW )?CERTIFICATE REQUEST-----/m.test(pem)) {
    errors.invalid("spec.request", spec.request ?? "", "PEM block type must be CERTIFICATE REQUEST");
  }
  if ((spec.usages ?? []).length === 0) errors.required("spec.usages");
  const seen = new Set<string>();
  spec.usages?.forEach((usage, index) => {
    if (!usages.includes(usage)) errors.notSupported(`spec.usages[${index}]`, usage, usages);
    if (seen.has(usage)) errors.duplicate(`spec.usages[${index}]`, usage);
    seen.add(usage);
  });
  if (spec.signerName === "kubernetes.io/legacy-unknown") {
    errors.invalid("spec.signerName", spec.signerName, "the legacy signerName is not allowed via this API version");
  } else {
    validateSignerName(errors, "spec.signerName", spec.signerName);
  }
  if (spec.expirationSeconds !== undefined && spec.expirationSeconds < lifetimeMinSeconds) {
    errors.invalid(
      "spec.expirationSeconds",
      spec.expirationSeconds,
      "may not specify a duration less than 600 seconds (10 minutes)",
    );
  }
  validateConditions(errors, request);
}

function validateConditions(errors: FieldErrors, request: CertificateSigningRequest): void {
  const seen = new Set<string>();
  request.status?.conditions?.forEach((condition, index) => {
    const at = `status.conditions[${index}]`;
    if (!condition.type) errors.required(`${at}.type`);
    else if (seen.has(condition.type)) errors.duplicate(`${at}.type`, condition.type);
    seen.add(condition.type);
    if (verdicts.includes(condition.type) && condition.status !== "True") {
      if (!condition.status) errors.required(`${at}.status`);
      else errors.notSupported(`${at}.status`, condition.status, ["True"]);
    }
  });
  if (seen.has("Approved") && seen.has("Denied")) {
    errors.invalid("status.conditions", "Denied", "Approved and Denied conditions are mutually exclusive");
  }
}

export function validateSigningRequestUpdate(
  errors: FieldErrors,
  request: CertificateSigningRequest,
  old: CertificateSigningRequest,
  context: RuleContext,
): void {
  if (context.subresource === "status") validateConditions(errors, request);
  const isApproval = context.subresource === "approval";
  for (const type of ["Approved", "Denied", "Failed"]) {
    const before = old.status?.conditions?.filter((condition) => condition.type === type) ?? [];
    const now = request.status?.conditions?.filter((condition) => condition.type === type) ?? [];
    if (before.length === 0 && now.length > 0 && !isApproval && type !== "Failed") {
      errors.forbidden("status.conditions", `updates may not add a condition of type ${JSON.stringify(type)}`);
    } else if (before.length > 0 && now.length === 0) {
      errors.forbidden("status.conditions", `updates may not remove a condition of type ${JSON.stringify(type)}`);
    }
  }
  if (old.status?.certificate && old.status.certificate !== request.status?.certificate) {
    errors.forbidden("status.certificate", "updates may not set or modify certificate content once it is issued");
    return;
  }
  if (
    context.subresource === "status" &&
    request.status.certificate &&
    !semanticallyEqual(request.status.certificate, old.status?.certificate)
  ) {
    const pem = decodeBase64Text(request.status.certificate) ?? "";
    if (!/-----BEGIN CERTIFICATE-----/.test(pem))
      errors.invalid("status.certificate", "<certificate data>", "must contain at least one CERTIFICATE PEM block");
  }
}
