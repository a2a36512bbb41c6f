import type { Service } from "#api/generated/core-v1.ts";

/** Sets the address families of a Service in a cluster that has IPv4 only; what it cannot be is told as a field error. */
export function setIpFamilies(service: Service): { field: string; message: string } | undefined {
  const { spec } = service;
  if (spec.type === "ExternalName") return undefined;
  const headless = spec.clusterIP === "None" || spec.clusterIPs?.[0] === "None";
  const withoutSelector = Object.keys(spec.selector ?? {}).length === 0;
  if (headless && withoutSelector) return setOpenFamilies(service);
  const second = spec.ipFamilies?.findIndex((family) => family !== "IPv4") ?? -1;
  if (second !== -1) {
    const message = `Invalid value: "${spec.ipFamilies?.[second]}": not configured on this cluster`;
    return { field: `spec.ipFamilies[${second}]`, message };
  }
  spec.ipFamilyPolicy ??= "SingleStack";
  if (spec.ipFamilyPolicy === "RequireDualStack") {
    return {
      field: "spec.ipFamilyPolicy",
      message: 'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    };
  }
  if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = ["IPv4"];
  return undefined;
}

/** Nobody but the writer of its endpoints knows the families of a headless Service without selector. */
function setOpenFamilies(service: Service): undefined {
  const { spec } = service;
  spec.ipFamilyPolicy ??= (spec.ipFamilies ?? []).length === 1 ? "SingleStack" : "RequireDualStack";
  if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = ["IPv4"];
  const families = spec.ipFamilies ?? [];
  if (spec.ipFamilyPolicy !== "SingleStack" && families.length === 1)
    families.push(families[0] === "IPv4" ? "IPv6" : "IPv4");
}
