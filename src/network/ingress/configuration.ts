import { holdDefaults, holdFrontendName, holdGlobalLines, holdRules, holdTables, wasHeld } from "./hold-rules.ts";
import { certificateList, type DataPlane } from "./wanted.ts";
import {
  specialRequestRules,
  splitLogLines,
  splitRequestRules,
  splitResponseRules,
  splitTables,
} from "./split-rules.ts";
import { mirrorLogLines, mirrorRequestRules, mirrorTables } from "./mirror-rules.ts";
import { podBackendLines, podBackendNames, serviceFrontend, type ServiceListen } from "./service-rules.ts";
import { backendName, serverName, type Slots } from "./slots.ts";
import {
  placeRule,
  trafficBackendName,
  trafficBackendRules,
  trafficDefaults,
  trafficRequestRules,
  trafficResponseRules,
  trafficTables,
} from "./traffic-rules.ts";

export interface IngressListen {
  /** Addresses of this node to listen on. */
  readonly addresses: readonly string[];
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Where packet rules send what pods ask of Services; absent: nowhere. */
  readonly services?: ServiceListen;
}

/** What is of one process of HAProxy. */
export interface ProcessSettings {
  /** The user and group that it runs as; undefined: ours. */
  readonly user: string | undefined;
  /** Where its runtime API listens. */
  readonly socket: string;
}

/**
 * HAProxy's configuration: ports, limits and numbered places, with the addresses of their servers so that a start or reload
 * serves at once. No text of users: routes are map lines, certificates are files with numbers for names.
 */
export function configuration(listen: IngressListen, slots: Slots, plane: DataPlane, process: ProcessSettings): string {
  const binds = listen.addresses.flatMap((address) => [
    `  bind ${address}:${listen.httpPort}`,
    `  bind ${address}:${listen.httpsPort} ssl crt-list ${certificateList} alpn h2,http/1.1`,
  ]);
  const backends: string[] = [];
  for (let slot = 1; slot <= slots.count; slot++) {
    const name = backendName(slot);
    backends.push(`backend ${name} ${trafficBackendName}`, ...trafficBackendRules, ...serverLines(name, plane));
  }
  for (const name of listen.services === undefined ? [] : podBackendNames(slots))
    backends.push(
      `backend ${name} ${trafficBackendName}`,
      ...podBackendLines,
      ...trafficBackendRules,
      ...serverLines(name, plane),
    );
  return `${[
    ...globalLines(process),
    ...defaultLines,
    ...trafficDefaults,
    ...holdDefaults,
    // What no section names holds for all that follow.
    "defaults from usual",
    ...splitTables,
    ...trafficTables,
    ...mirrorTables,
    ...holdTables,
    `frontend web ${holdFrontendName}`,
    ...binds,
    ...frontendLines,
    ...(listen.services === undefined ? [] : serviceFrontend(listen.services)),
    ...backends,
  ].join("\n")}\n`;
}

function serverLines(backend: string, plane: DataPlane): string[] {
  return (plane.servers.get(backend) ?? []).map(
    ({ address, port, weight }, index) => `  server ${serverName(index + 1)} ${address}:${port} weight ${weight}`,
  );
}

function globalLines({ user, socket }: ProcessSettings): string[] {
  return [
    "global",
    // What clients and pods do is not written to a file that grows with it; what is wrong at a start is told all the same.
    "  quiet",
    `  stats socket unix@${socket} mode 600 level admin expose-fd listeners`,
    "  stats timeout 24d",
    // Connections follow from what the system allows, up to this many files.
    "  fd-hard-limit 65536",
    "  hard-stop-after 3600s",
    "  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
    "  tune.ssl.default-dh-param 2048",
    ...holdGlobalLines,
    ...(user === undefined ? [] : [`  user ${user}`, `  group ${user}`]),
  ];
}

const defaultLines = [
  "defaults usual",
  "  mode http",
  "  timeout connect 2s",
  "  timeout client 60s",
  "  timeout server 60s",
  "  timeout queue 10s",
  "  timeout tunnel 3600s",
  "  timeout http-request 30s",
  "  timeout http-keep-alive 60s",
  "  balance roundrobin",
  // A pod that went a moment ago must not cost a request: another one gets it.
  "  retries 3",
  "  option redispatch 1",
  "  retry-on conn-failure empty-response",
];

const isRouted = "{ var(txn.route) -m found }";
const isPlain = "{ var(txn.to) -m beg b }";
const isOther = "{ var(txn.host) -m found }";

/** The longest line of the routes that host and path begin with, as they were sent. */
const asAskedRule = "  http-request set-var(txn.route) base,concat(/?),map_beg(routes.map)";
/** The same where that found nothing: without port and capitals, for any name below a parent, for any host. */
const asMeantRules = [
  `  http-request set-var(txn.host) req.hdr(host),field(1,:),lower unless ${isRouted}`,
  `  http-request set-var(txn.path) path unless ${isRouted}`,
  `  http-request set-var(txn.route) var(txn.host),concat(,txn.path,/?),map_beg(routes.map) if ${isOther} !${isRouted}`,
  `  http-request set-var(txn.route) var(txn.host),regsub(^[^.]+,*),concat(,txn.path,/?),map_beg(routes.map) if ${isOther} !${isRouted}`,
  `  http-request set-var(txn.route) str(_),concat(,txn.path,/?),map_beg(routes.map) unless ${isRouted}`,
];

const frontendLines = [
  // What may have been carried out already is not sent twice.
  "  http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE }",
  "  http-request set-header X-Forwarded-For %[src]",
  "  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
  "  http-request set-header X-Forwarded-Host %[req.hdr(host)]",
  "  http-request set-log-level silent",
  ...trafficRequestRules,
  // Host and path as they came are nearly always a route already, and then all is said.
  asAskedRule,
  placeRule,
  `  http-request allow if ${isPlain}`,
  ...splitRequestRules,
  ...asMeantRules,
  placeRule,
  ...holdRules,
  `${asAskedRule} if ${wasHeld}`,
  ...asMeantRules,
  placeRule,
  `  http-request allow if ${isPlain}`,
  ...splitRequestRules,
  ...specialRequestRules,
  ...mirrorRequestRules,
  ...trafficResponseRules,
  ...splitResponseRules,
  ...splitLogLines,
  ...mirrorLogLines,
  // The own name of the backend that a place stands for; a name that is none has no route.
  "  use_backend b%[var(txn.to),bytes(1)]",
  "  default_backend nothing",
  "backend nothing",
  '  http-request return status 404 content-type text/plain string "404: no Ingress serves this host and path\\n"',
];
