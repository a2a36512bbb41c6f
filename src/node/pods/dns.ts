import type { Pod } from "#api/generated/core-v1.ts";

/** The machine's own resolver settings. */
export interface HostDns {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** Bounds of resolvers that containers use (glibc, musl): more are cut off, as documented. */
const serversMax = 3;
const searchesMax = 32;
const searchCharactersMax = 2048;

/** Reads resolv.conf; unknown lines are skipped. */
export function parseResolvConf(text: string): HostDns {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...rest] = line.trim().split(/\s+/);
    if (keyword === "nameserver" && rest[0] !== undefined) servers.push(rest[0]);
    else if (keyword === "search" || keyword === "domain") searches = rest;
    else if (keyword === "options") options = rest;
  }
  return { servers, searches, options };
}

/** What a pod's resolv.conf says, by its dnsPolicy and dnsConfig. */
export function podDns(
  pod: Pod,
  settings: { readonly clusterDns: readonly string[]; readonly clusterDomain: string },
  host: HostDns,
): HostDns {
  const policy = pod.spec.dnsPolicy ?? "ClusterFirst";
  const clusterFirst =
    policy === "ClusterFirstWithHostNet" || (policy === "ClusterFirst" && pod.spec.hostNetwork !== true);
  const domain = settings.clusterDomain;
  const base: HostDns =
    policy === "None"
      ? { servers: [], searches: [], options: [] }
      : clusterFirst && settings.clusterDns.length > 0
        ? {
            servers: settings.clusterDns,
            searches: [
              `${pod.metadata.namespace ?? "default"}.svc.${domain}`,
              `svc.${domain}`,
              domain,
              ...host.searches,
            ],
            options: ["ndots:5"],
          }
        : host;
  const extra = pod.spec.dnsConfig;
  const searches = [...new Set([...base.searches, ...(extra?.searches ?? [])])].slice(0, searchesMax);
  while (searches.join(" ").length > searchCharactersMax) searches.pop();
  return {
    servers: [...new Set([...base.servers, ...(extra?.nameservers ?? [])])].slice(0, serversMax),
    searches,
    options: mergeOptions(base.options, extra?.options ?? []),
  };
}

function mergeOptions(
  base: readonly string[],
  extra: readonly { readonly name?: string; readonly value?: string }[],
): readonly string[] {
  const byName = new Map(base.map((option) => [option.split(":")[0] ?? option, option]));
  for (const { name = "", value } of extra)
    if (name !== "") byName.set(name, value === undefined ? name : `${name}:${value}`);
  return [...byName.values()];
}
