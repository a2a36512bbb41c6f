import type { Pod } from "#api/generated/core-v1.ts";
import { podHostname } from "../pods/sandbox-config.ts";

const header = "# Kubernetes-managed hosts file.\n";

/** A pod's /etc/hosts; with the node's network it is the node's own, with the pod's aliases behind it. */
export function hostsFile(pod: Pod, podIps: readonly string[], clusterDomain: string, nodeHosts: string): string {
  const aliases = (pod.spec.hostAliases ?? [])
    .map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join("\t")}\n`)
    .join("");
  const added = aliases === "" ? "" : `\n# Entries added by HostAliases.\n${aliases}`;
  if (pod.spec.hostNetwork === true)
    return `${header.trimEnd().replace(".", " (host network).")}\n${nodeHosts}${added}`;
  const hostname = podHostname(pod);
  const subdomain = pod.spec.subdomain;
  const full = subdomain ? `${hostname}.${subdomain}.${pod.metadata.namespace ?? ""}.svc.${clusterDomain}\t` : "";
  return [
    header,
    "127.0.0.1\tlocalhost\n",
    "::1\tlocalhost ip6-localhost ip6-loopback\n",
    "fe00::0\tip6-localnet\n",
    "fe00::0\tip6-mcastprefix\n",
    "fe00::1\tip6-allnodes\n",
    "fe00::2\tip6-allrouters\n",
    ...podIps.map((ip) => `${ip}\t${full}${hostname}\n`),
    added,
  ].join("");
}
