import type { Checker, Report, View } from "./checker.ts";

/** 50: nothing is left whose owners are all gone, no pod without its node, no endpoints without their Service. */
export function orphanChecker(view: View, report: Report): Checker {
  return {
    name: "orphans",
    settled() {
      const { history } = view;
      const uids = new Set<string>();
      for (const resource of history.resources())
        for (const { metadata } of history.all(resource).values()) uids.add(metadata.uid);
      for (const resource of history.resources()) {
        for (const [key, { metadata }] of history.all(resource)) {
          const owners = metadata.ownerReferences ?? [];
          if (owners.length > 0 && owners.every(({ uid }) => !uids.has(uid)))
            report("50 orphans", `${key} is owned by nothing that exists`);
        }
      }
      for (const [key, { spec }] of history.all("pods")) {
        const node = spec?.["nodeName"];
        if (typeof node === "string" && history.get(`/registry/core/nodes/${node}`) === undefined) {
          report("50 orphans", `${key} is on ${node}, which does not exist`);
        }
      }
      for (const [key, { metadata }] of history.all("discovery.k8s.io/endpointslices")) {
        const service = metadata.labels?.["kubernetes.io/service-name"];
        if (history.get(`/registry/core/services/${metadata.namespace}/${service}`) === undefined) {
          report("50 orphans", `${key} is of service ${service}, which does not exist`);
        }
      }
    },
  };
}
