import { namespaces, resourceclaims, resourceclaimtemplates } from "#api/generated/resources.ts";
import type { DeviceClaim } from "#api/generated/resource-v1.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { getStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { allow, forbid, isAbout, objectOf } from "./request.ts";

const label = "resource.kubernetes.io/admin-access";

/**
 * Devices that others use are for claims of namespaces that an administrator has marked, whoever may write claims there.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#admin-access
 */
export function deviceAdminAccess(objects: ObjectReader): AdmissionPlugin {
  return {
    name: "DeviceAdminAccess",
    validate(request) {
      // The spec of both kinds never changes once it is stored.
      if (request.operation !== "CREATE") return allow;
      let claim: DeviceClaim | undefined;
      if (isAbout(request, resourceclaims)) claim = objectOf(request, resourceclaims)?.spec?.devices;
      else if (isAbout(request, resourceclaimtemplates))
        claim = objectOf(request, resourceclaimtemplates)?.spec?.spec?.devices;
      if (claim?.requests?.some(({ exactly }) => exactly?.adminAccess === true) !== true) return allow;
      const labels = getStored(objects, namespaces, undefined, request.namespace)?.metadata.labels;
      if (labels?.[label] === "true") return allow;
      return forbid(`admin access to devices requires the \`${label}: true\` label on the containing namespace`);
    },
  };
}
