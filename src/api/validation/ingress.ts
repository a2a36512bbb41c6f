import type { HTTPIngressPath, Ingress, IngressBackend } from "../generated/networking-v1.ts";
import type { RuleContext } from "../kind.ts";
import type { FieldErrors } from "./field-errors.ts";
import { isValidIp, parseIp } from "./ip-address.ts";
import {
  isDns1035Label,
  isDns1123Subdomain,
  isPathSegmentName,
  isValidPortName,
  isWildcardDns1123Subdomain,
} from "./names.ts";
import { validatePortNumber } from "./ports.ts";

const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];
const invalidSequences = ["//", "/./", "/../", "%2f", "%2F"];
const invalidSuffixes = ["/..", "/."];
const classAnnotation = "kubernetes.io/ingress.class";

function validateHost(errors: FieldErrors, field: string, host: string): void {
  if (parseIp(host) !== undefined) errors.invalid(field, host, "must be a DNS name, not an IP address");
  else
    errors.invalidEach(field, host, host.includes("*") ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host));
}

function validateBackend(errors: FieldErrors, field: string, backend: IngressBackend | undefined): void {
  if (backend?.resource !== undefined) {
    if (backend.service !== undefined) {
      errors.invalid(field, "", "cannot set both resource and service backends");
      return;
    }
    const { kind, name } = backend.resource;
    if (!kind) errors.required(`${field}.resource.kind`);
    else errors.invalidEach(`${field}.resource.kind`, kind, isPathSegmentName(kind));
    if (!name) errors.required(`${field}.resource.name`);
    else errors.invalidEach(`${field}.resource.name`, name, isPathSegmentName(name));
    return;
  }
  if (backend?.service === undefined) {
    errors.required(field, "must specify either `service` or `resource`");
    return;
  }
  const { name, port } = backend.service;
  if (!name) errors.required(`${field}.service.name`);
  else errors.invalidEach(`${field}.service.name`, name, isDns1035Label(name));
  if (port?.name && port.number) {
    errors.invalid(field, "", "cannot set both port name & port number");
  } else if (port?.name) {
    errors.invalidEach(`${field}.service.port.name`, port.name, isValidPortName(port.name));
  } else if (port?.number) {
    validatePortNumber(errors, `${field}.service.port.number`, port.number);
  } else {
    errors.required(field, "port name or number is required");
  }
}

function validatePath(errors: FieldErrors, field: string, path: HTTPIngressPath): void {
  if (path.pathType === undefined) {
    errors.required(`${field}.pathType`, "pathType must be specified");
  } else if (path.pathType === "Exact" || path.pathType === "Prefix") {
    const text = path.path ?? "";
    if (!text.startsWith("/")) errors.invalid(`${field}.path`, text, "must be an absolute path");
    else {
      for (const sequence of invalidSequences) {
        if (text.includes(sequence)) errors.invalid(`${field}.path`, text, `must not contain '${sequence}'`);
      }
      for (const suffix of invalidSuffixes) {
        if (text.endsWith(suffix)) errors.invalid(`${field}.path`, text, `cannot end with '${suffix}'`);
      }
    }
  } else if (path.pathType === "ImplementationSpecific") {
    if (path.path && !path.path.startsWith("/")) errors.invalid(`${field}.path`, path.path, "must be an absolute path");
  } else {
    errors.notSupported(`${field}.pathType`, path.pathType, pathTypes);
  }
  validateBackend(errors, `${field}.backend`, path.backend);
}

export function validateIngress(errors: FieldErrors, ingress: Ingress): void {
  const { spec } = ingress;
  const annotation = ingress.metadata.annotations?.[classAnnotation];
  if (annotation !== undefined && spec.ingressClassName !== undefined && annotation !== spec.ingressClassName) {
    errors.invalid(
      `metadata.annotations.${classAnnotation}`,
      annotation,
      "must match `ingressClassName` when both are specified",
    );
  }
  if ((spec.rules?.length ?? 0) === 0 && spec.defaultBackend === undefined) {
    errors.invalid("spec", spec.rules ?? [], "either `defaultBackend` or `rules` must be specified");
  }
  if (spec.defaultBackend !== undefined) validateBackend(errors, "spec.defaultBackend", spec.defaultBackend);
  spec.rules?.forEach((rule, index) => {
    const at = `spec.rules[${index}]`;
    if (rule.host) validateHost(errors, `${at}.host`, rule.host);
    if (rule.http === undefined) return;
    if ((rule.http.paths ?? []).length === 0) errors.required(`${at}.http.paths`);
    rule.http.paths?.forEach((path, pathIndex) => validatePath(errors, `${at}.http.paths[${pathIndex}]`, path));
  });
  spec.tls?.forEach((tls, index) => {
    tls.hosts?.forEach((host, hostIndex) => validateHost(errors, `spec.tls[${index}].hosts[${hostIndex}]`, host));
    if (tls.secretName)
      errors.invalidEach(`spec.tls[${index}].secretName`, tls.secretName, isDns1123Subdomain(tls.secretName));
  });
  if (spec.ingressClassName !== undefined) {
    errors.invalidEach("spec.ingressClassName", spec.ingressClassName, isDns1123Subdomain(spec.ingressClassName));
  }
}

export function validateIngressUpdate(
  errors: FieldErrors,
  ingress: Ingress,
  _old: Ingress,
  context: RuleContext,
): void {
  if (context.subresource !== "status") return;
  ingress.status.loadBalancer?.ingress?.forEach((entry, index) => {
    const at = `status.loadBalancer.ingress[${index}]`;
    if (entry.ip) errors.invalidEach(`${at}.ip`, entry.ip, isValidIp(entry.ip));
    if (entry.hostname) {
      errors.invalidEach(`${at}.hostname`, entry.hostname, isDns1123Subdomain(entry.hostname));
      if (parseIp(entry.hostname) !== undefined)
        errors.invalid(`${at}.hostname`, entry.hostname, "must be a DNS name, not an IP address");
    }
  });
}
