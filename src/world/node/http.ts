import type { Http } from "../http.ts";
import { listenHttp } from "./http-server.ts";
import { openTransport } from "./http-transport.ts";

/** HTTP of the machine: servers with TLS, HTTP/1.1 and HTTP/2; clients over HTTP/1.1. */
export const nodeHttp: Http = { listen: listenHttp, transport: openTransport };
