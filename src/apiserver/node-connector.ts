import type { HttpRequest, HttpResponse } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";

/** How the server reaches the API of a node's agent. Node names are those of stored Nodes. */
export interface NodeConnector {
  /** Rejects when the agent gave no answer at all. */
  request(nodeName: string, request: HttpRequest): Promise<HttpResponse>;
  /**
   * Opens the same upgrade at the agent and joins the two connections. Until the agent has answered 101 nothing of the
   * client may reach it; any other answer is written to the client and closes both sides (CVE-2018-1002105).
   */
  upgrade(nodeName: string, request: HttpRequest, connection: Connection): void;
  /** The same for a pod's or a service's own port: `address` was resolved and checked by the caller and is dialled as it is. */
  dial?(
    address: { readonly host: string; readonly port: number; readonly scheme: "http" | "https" },
    request: HttpRequest,
  ): Promise<HttpResponse>;
}
