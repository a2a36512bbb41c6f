import type { PodSpec } from "../../generated/core-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { isValidIp } from "../ip-address.ts";
import { isDns1123Label, isDns1123Subdomain } from "../names.ts";

const policies = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const nameserversMax = 3;
const searchPathsMax = 32;
const searchListLengthMax = 2048;
const hostNameLengthMax = 64;

/** How a pod names itself and finds others: hostname, hosts file and resolver. */
export function validateNaming(errors: FieldErrors, field: string, spec: PodSpec): void {
  if (spec.hostname) errors.invalidEach(`${field}.hostname`, spec.hostname, isDns1123Label(spec.hostname));
  if (spec.subdomain) errors.invalidEach(`${field}.subdomain`, spec.subdomain, isDns1123Label(spec.subdomain));
  if (spec.hostnameOverride !== undefined) {
    const at = `${field}.hostnameOverride`;
    if (spec.hostNetwork === true) errors.forbidden(at, "may not be specified when hostNetwork is true");
    if (spec.setHostnameAsFQDN === true) errors.forbidden(at, "may not be specified when setHostnameAsFQDN is true");
    if (spec.hostnameOverride.length > hostNameLengthMax) errors.tooLong(at, hostNameLengthMax);
    errors.invalidEach(at, spec.hostnameOverride, isDns1123Subdomain(spec.hostnameOverride));
  }
  spec.hostAliases?.forEach((alias, index) => {
    const at = `${field}.hostAliases[${index}]`;
    errors.invalidEach(`${at}.ip`, alias.ip, isValidIp(alias.ip ?? ""));
    alias.hostnames?.forEach((name, at2) =>
      errors.invalidEach(`${at}.hostnames[${at2}]`, name, isDns1123Subdomain(name)),
    );
  });
  if (!spec.dnsPolicy) errors.required(`${field}.dnsPolicy`);
  else if (!policies.includes(spec.dnsPolicy)) errors.notSupported(`${field}.dnsPolicy`, spec.dnsPolicy, policies);
  validateDnsConfig(errors, `${field}.dnsConfig`, spec);
}

function validateDnsConfig(errors: FieldErrors, field: string, spec: PodSpec): void {
  const config = spec.dnsConfig;
  const nameservers = config?.nameservers ?? [];
  if (spec.dnsPolicy === "None") {
    if (config === undefined) {
      errors.required(field, "must provide `dnsConfig` when `dnsPolicy` is None");
      return;
    }
    if (nameservers.length === 0) {
      errors.required(`${field}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
  }
  if (config === undefined) return;
  if (nameservers.length > nameserversMax) {
    errors.invalid(`${field}.nameservers`, nameservers, `must not have more than ${nameserversMax} nameservers`);
  }
  nameservers.forEach((server, index) =>
    errors.invalidEach(`${field}.nameservers[${index}]`, server, isValidIp(server)),
  );
  const searches = config.searches ?? [];
  if (searches.length > searchPathsMax) {
    errors.invalid(`${field}.searches`, searches, `must not have more than ${searchPathsMax} search paths`);
  }
  if (searches.join(" ").length > searchListLengthMax) {
    errors.invalid(
      `${field}.searches`,
      searches,
      `must not have more than ${searchListLengthMax} characters (including spaces) in the search list`,
    );
  }
  searches.forEach((search, index) => {
    // A single dot is the root; underscores appear in service records; a trailing dot makes a name absolute.
    if (search === ".") return;
    const name = search.replace(/\.$/, "").replaceAll("_", "-");
    errors.invalidEach(`${field}.searches[${index}]`, search, isDns1123Subdomain(name));
  });
  config.options?.forEach((option, index) => {
    if (!option.name) errors.required(`${field}.options[${index}]`, "must not be empty");
  });
}
