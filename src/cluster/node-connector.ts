import { parseIpv4 } from "#base/cidr.ts";
import type { Node } from "#api/generated/core-v1.ts";
import { nodes as nodeResource } from "#api/generated/resources.ts";
import { readWhole } from "#apiserver/connect/read-whole.ts";
import { answerInstead } from "#apiserver/connect/upgrade.ts";
import { addressFilter } from "#apiserver/connect/addresses.ts";
import type { Destination, NodeConnector } from "#apiserver/node-connector.ts";
import type { ObjectReader } from "#apiserver/object-reader.ts";
import { joinConnections } from "#streams/join.ts";
import type { Http, HttpRequest, HttpResponse, TlsIdentity, Transport, UpgradeResult } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";

const connectTimeoutMs = 5000;
/** Transports kept open, one a node; the least recently made goes first. */
const transportsMax = 1000;
const portDefault = 10250;
/** Bytes of the body of a refused upgrade that are passed on. */
const refusalBytesMax = 64 * 1024;

export interface NodeConnectorOptions {
  readonly http: Http;
  readonly objects: () => ObjectReader;
  /** CA that signed the agents' serving certificates. */
  readonly ca: string;
  /** Client certificate by which agents know the server; a function where it may be renewed. */
  readonly identity: TlsIdentity | (() => TlsIdentity);
  /** Client certificate by which aggregated servers trust the server's word about who asks; the same. */
  readonly frontProxy?: TlsIdentity | (() => TlsIdentity);
  /** Networks that may be dialled although they are loopback or link-local. */
  readonly dialAllow?: readonly string[];
}

/** The agent of this name cannot be dialled. */
class NodeUnreachableError extends Error {
  override readonly name = "NodeUnreachableError";
}

/**
 * Reaches agents at the address and port that their Nodes publish. Whatever a Node claims as its address, the other side must
 * hold a certificate of our CA for the node's name, and loopback and link-local addresses are refused (CVE-2022-3294).
 */
export function createNodeConnector(options: NodeConnectorOptions): NodeConnector {
  const transports = new Map<string, Transport & { close(): void }>();
  const transportTo = (nodeName: string): Transport => {
    const baseUrl = `https://${agentAddress(options.objects(), nodeName)}`;
    const identity = counting(options.identity);
    const key = `${nodeName} ${baseUrl} ${identity.key}`;
    const known = transports.get(key);
    if (known !== undefined) return known;
    const made = options.http.transport({
      baseUrl,
      ca: options.ca,
      identity,
      serverName: nodeName,
      connectTimeoutMs,
    });
    transports.set(key, made);
    const [oldest] = transports;
    if (transports.size > transportsMax && oldest !== undefined) {
      oldest[1].close();
      transports.delete(oldest[0]);
    }
    return made;
  };
  const outward = openOutward(options);
  return {
    request: async (nodeName, request) => await transportTo(nodeName).send(request),
    upgrade: (nodeName, request, connection) => void joinUpgrade(() => transportTo(nodeName), request, connection),
    dial: async (destination, request) => await outward(destination).send(request),
    dialUpgrade: (destination, request, connection) =>
      void joinUpgrade(() => outward(destination), request, connection),
  };
}

/** The identity that counts now. */
function counting<T extends TlsIdentity | undefined>(identity: T | (() => TlsIdentity)): T | TlsIdentity {
  return typeof identity === "function" ? identity() : identity;
}

/**
 * Transports to pods, webhooks and aggregated servers, under the dial rules; the one that was used longest ago goes first.
 */
export function openOutward(
  options: Pick<NodeConnectorOptions, "http" | "dialAllow" | "frontProxy">,
): (destination: Destination) => Transport {
  const transports = new Map<string, Transport & { close(): void }>();
  const allowAddress = addressFilter(options.dialAllow ?? []);
  return (destination) => {
    const { scheme, host, port, serverName, ca, insecure, asFrontProxy } = destination;
    const identity = asFrontProxy === true ? counting(options.frontProxy) : destination.identity;
    const key = `${scheme} ${host} ${port} ${serverName ?? ""} ${insecure === true} ${ca ?? ""} ${identity?.key ?? ""}`;
    let transport = transports.get(key);
    if (transport === undefined) {
      transport = options.http.transport({
        baseUrl: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`,
        allowAddress,
        connectTimeoutMs,
        ...(serverName !== undefined && { serverName }),
        ...(ca !== undefined && { ca }),
        ...(insecure === true && { insecure }),
        ...(identity !== undefined && { identity }),
      });
    } else transports.delete(key);
    transports.set(key, transport);
    const [oldest] = transports;
    if (transports.size > transportsMax && oldest !== undefined) {
      oldest[1].close();
      transports.delete(oldest[0]);
    }
    return transport;
  };
}

/** `10.0.0.5:10250` of a stored Node. Throws `NodeUnreachableError`. */
function agentAddress(objects: ObjectReader, nodeName: string): string {
  const node = objects.get(nodeResource, undefined, nodeName) as Node | undefined;
  if (node === undefined) throw new NodeUnreachableError(`node ${nodeName} does not exist`);
  const address = node.status.addresses?.find(({ type }) => type === "InternalIP")?.address;
  if (address === undefined) throw new NodeUnreachableError(`node ${nodeName} has no address yet`);
  const value = parseIpv4(address);
  const isForbidden = value === undefined || value >>> 24 === 127 || value >>> 24 === 0 || value >>> 16 === 0xa9fe;
  if (isForbidden) throw new NodeUnreachableError(`node ${nodeName} claims the address ${address}, which is refused`);
  const port = node.status.daemonEndpoints.kubeletEndpoint.Port;
  return `${address}:${port > 0 ? port : portDefault}`;
}

async function joinUpgrade(transportTo: () => Transport, request: HttpRequest, connection: Connection): Promise<void> {
  let result: UpgradeResult;
  try {
    const opened = await transportTo().upgrade?.(request);
    if (opened === undefined) throw new NodeUnreachableError("the transport cannot upgrade");
    result = opened;
  } catch (error) {
    const message = error instanceof NodeUnreachableError ? error.message : "the node's agent gave no answer";
    answerInstead(connection, badGateway(message));
    return;
  }
  if (!result.upgraded) {
    answerInstead(connection, await refusalOf(result.response));
    return;
  }
  const head = Object.entries(result.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  connection.write(new TextEncoder().encode(`HTTP/1.1 101 Switching Protocols\r\n${head.join("")}\r\n`));
  joinConnections(connection, result.connection);
}

/** A refusal is short: it is read, so that the client learns why. Where it would lead the client elsewhere, or on and on, it is not. */
async function refusalOf(response: HttpResponse): Promise<HttpResponse> {
  const isRedirect = 300 <= response.status && response.status < 400;
  const body = await readWhole(response, refusalBytesMax);
  if (isRedirect) return badGateway("the other side redirects, which is not followed");
  if (body === undefined) return badGateway("the other side refused at too great length");
  return { ...response, body };
}

function badGateway(message: string): HttpResponse {
  const status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason: "ServiceUnavailable",
    code: 502,
  };
  return {
    status: 502,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(status)),
  };
}
