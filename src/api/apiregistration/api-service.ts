import { ageColumn, column, nameColumn } from "../columns.ts";
import type { APIService } from "../generated/apiregistration-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { keepStatus } from "../strategy.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { isDns1035Label, isDns1123Subdomain } from "../validation/names.ts";
import { isPortNumber } from "../validation/ports.ts";

const httpsPort = 443;
const groupPriorityMax = 20_000;
const versionPriorityMax = 1000;

function validate(errors: FieldErrors, service: APIService): void {
  const { spec } = service;
  const group = spec.group ?? "";
  const version = spec.version ?? "";
  const name = service.metadata?.name ?? "";
  const wanted = `${version}.${group}`;
  if (name !== wanted)
    errors.invalid("metadata.name", name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`);
  if (group !== "") errors.invalidEach("spec.group", group, isDns1123Subdomain(group));
  errors.invalidEach("spec.version", version, isDns1035Label(version));
  if (spec.groupPriorityMinimum <= 0 || spec.groupPriorityMinimum > groupPriorityMax) {
    errors.invalid(
      "spec.groupPriorityMinimum",
      spec.groupPriorityMinimum,
      `must be positive and less than ${groupPriorityMax}`,
    );
  }
  if (spec.versionPriority <= 0 || spec.versionPriority > versionPriorityMax) {
    errors.invalid(
      "spec.versionPriority",
      spec.versionPriority,
      `must be positive and less than ${versionPriorityMax}`,
    );
  }
  if (spec.service === undefined) {
    if (spec.caBundle)
      errors.invalid("spec.caBundle", `${spec.caBundle.length} bytes`, "local APIServices may not have a caBundle");
    if (spec.insecureSkipTLSVerify === true) {
      errors.invalid("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify");
    }
    return;
  }
  if (!spec.service.namespace) errors.required("spec.service.namespace");
  if (!spec.service.name) errors.required("spec.service.name");
  if (!isPortNumber(spec.service.port ?? httpsPort)) {
    errors.invalid("spec.service.port", spec.service.port, "port is not valid: must be between 1 and 65535, inclusive");
  }
  if (spec.insecureSkipTLSVerify === true && spec.caBundle) {
    errors.invalid("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present");
  }
}

export const apiServiceRules: KindRules<APIService> = {
  nameFormat: "path-segment",
  defaults({ spec }) {
    if (spec.service !== undefined) spec.service.port ??= httpsPort;
  },
  prepareCreate(service) {
    service.status = {};
    // What this server itself answers is there by definition.
    if (service.spec.service === undefined) {
      service.status.conditions = [
        { type: "Available", status: "True", reason: "Local", message: "Local APIServices are always available" },
      ];
    }
  },
  prepareUpdate(service, old, context) {
    if (context.subresource === "status") service.spec = old.spec;
    else keepStatus(service, old);
  },
  validate: (service) => collect((errors) => validate(errors, service)),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("Service", "The reference to the service that hosts this API endpoint."),
    column("Available", "Whether this service is available."),
    ageColumn,
  ],
  cells(service, now) {
    const available = service.status?.conditions?.find((condition) => condition.type === "Available");
    const text = available?.status ?? "Unknown";
    return [
      service.metadata?.name,
      service.spec.service === undefined
        ? "Local"
        : `${service.spec.service.namespace ?? ""}/${service.spec.service.name ?? ""}`,
      text === "True" || !available?.reason ? text : `${text} (${available.reason})`,
      ageOf(service.metadata?.creationTimestamp, now),
    ];
  },
};
