import { mirrorLogLines, mirrorRequestRules } from "./mirror-rules.ts";
import { podAnswerMs, podIdleMs, podStickyClientsMax, podStickySeconds, podSlotsBase } from "./limits.ts";
import type { RouteTable, ServiceRoute } from "./route-table.ts";
import { backendName, type Slots } from "./slots.ts";
import { passedOnRequestRules, splitLogLines, splitResponseRules } from "./split-rules.ts";
import { placeRule, trafficRequestRules, trafficResponseRules } from "./traffic-rules.ts";

/** Where a node's packet rules send what its pods ask of Services; reached by them alone, since others' destinations are in no map. */
export interface ServiceListen {
  readonly address: string;
  readonly port: number;
}

const isRouted = "{ var(txn.route) -m found }";
const isPlain = "{ var(txn.to) -m beg b }";
const forwardedFor = "  http-request add-header X-Forwarded-For %[src]";

/**
 * The fixed part of HAProxy's configuration that serves Services to pods. The kernel tells where a client wanted to go before packet
 * rules sent it here: that alone chooses the Service, whatever the request says. Who came through others keeps their addresses.
 */
export function serviceFrontend({ address, port }: ServiceListen): string[] {
  return [
    "frontend services from usual",
    `  bind ${address}:${port}`,
    `  timeout client ${podAnswerMs}ms`,
    `  timeout http-keep-alive ${podIdleMs}ms`,
    `  timeout http-request ${podIdleMs}ms`,
    "  tcp-request connection set-var-fmt(sess.wanted) %[dst]:%[dst_port]",
    "  tcp-request connection set-var(sess.sticky) var(sess.wanted),map_str(sticky.map)",
    "  http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE }",
    "  http-request set-log-level silent",
    "  http-request set-var(txn.leaving) var(sess.wanted),map_str(leaving.map)",
    ...trafficRequestRules,
    "  http-request set-var(txn.route) var(sess.wanted),map_str(services.map)",
    '  http-request return status 503 content-type text/plain string "503: no Service is served here\\n"' +
      ` unless ${isRouted}`,
    placeRule,
    `${forwardedFor} if ${isPlain}`,
    `  http-request allow if ${isPlain}`,
    ...passedOnRequestRules(forwardedFor),
    ...mirrorRequestRules,
    "  http-after-response set-header Connection close if { var(txn.leaving) -m found }",
    ...trafficResponseRules,
    ...splitResponseRules,
    ...splitLogLines,
    ...mirrorLogLines,
    "  use_backend b%[var(txn.to),bytes(1)]",
  ];
}

/** Of each place for Services: a pod may take its time, and keeps clients where its Service wants that. */
export const podBackendLines = [
  `  timeout server ${podAnswerMs}ms`,
  `  stick-table type ip size ${podStickyClientsMax} expire ${podStickySeconds}s`,
  "  stick on src if { var(sess.sticky) -m found }",
];

/** The names of the places for Services. */
export function podBackendNames({ podCount }: Slots): string[] {
  return Array.from({ length: podCount }, (_, index) => backendName(podSlotsBase + 1 + index));
}

type Lines = ReadonlyMap<string, string>;

/** Which Service stands behind an address and port, whose clients stay, and which connections are to end. */
export function serviceLines(
  { services = [] }: RouteTable,
  leadsTo: (route: ServiceRoute) => string,
): { readonly "services.map": Lines; readonly "sticky.map": Lines; readonly "leaving.map": Lines } {
  const some = (which: (route: ServiceRoute) => boolean): Lines =>
    new Map(services.filter(which).map(({ destination }) => [destination, "1"]));
  return {
    "services.map": new Map(services.map((route) => [route.destination, leadsTo(route)])),
    "sticky.map": some(({ isSticky }) => isSticky),
    "leaving.map": some(({ isLeaving }) => isLeaving),
  };
}
