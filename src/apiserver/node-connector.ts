import type { HttpRequest, HttpResponse, TlsIdentity } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";

/** Something outside of the nodes' agents that the server sends a request to: a pod, a webhook, an aggregated server. */
export interface Destination {
  readonly scheme: "http" | "https";
  /** An address, or a name that is resolved once: what it resolves to is checked and dialled (CVE-2020-8562). */
  readonly host: string;
  readonly port: number;
  /** Name that its certificate must carry; absent: the host. */
  readonly serverName?: string;
  /** PEM of the CA that must have signed its certificate; absent: those of the system. */
  readonly ca?: string;
  /** Its certificate is not looked at. */
  readonly insecure?: boolean;
  /** The server shows the certificate by which aggregated servers trust its identity headers. */
  readonly asFrontProxy?: boolean;
  /** The client certificate that it knows the server by. */
  readonly identity?: TlsIdentity;
}

/** How the server reaches the API of a node's agent. Node names are those of stored Nodes. */
export interface NodeConnector {
  /** Rejects when the agent gave no answer at all. */
  request(nodeName: string, request: HttpRequest): Promise<HttpResponse>;
  /**
   * Opens the same upgrade at the agent and joins the two connections. Until the agent has answered 101 nothing of the
   * client may reach it; any other answer is written to the client and closes both sides (CVE-2018-1002105).
   */
  upgrade(nodeName: string, request: HttpRequest, connection: Connection): void;
  /**
   * Sends a request to a destination. Rejects when no answer came, and for addresses that are never dialled for a tenant:
   * loopback, link-local, unspecified and multicast ones, unless they were allowed at the start (CVE-2020-8555).
   */
  dial?(destination: Destination, request: HttpRequest): Promise<HttpResponse>;
  /** The same for an upgrade, which is joined as `upgrade` does. */
  dialUpgrade?(destination: Destination, request: HttpRequest, connection: Connection): void;
}
