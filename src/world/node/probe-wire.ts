import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import type { HttpProbeRequest, ProbeWire } from "../probe-wire.ts";
import { nodeHttp, nodeHttps } from "./node-http.ts";
import { message, decodeMessage, encodeMessage } from "./proto/wire.ts";

const healthRequest = message([1, "service", "string"]);
const healthResponse = message([1, "status", ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]]);

/** Probes from this machine. As documented, certificates are not checked and redirects to other hosts are not followed. */
export function linuxProbeWire(): ProbeWire {
  return { tcp, http, grpcHealth };
}

function tcp(host: string, port: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.once("timeout", () => socket.destroy(new Error(`dial tcp ${host}:${port}: i/o timeout`)));
    socket.once("error", reject);
  });
}

function http(wanted: HttpProbeRequest): Promise<{ readonly status: number }> {
  return new Promise((resolve, reject) => {
    const own = new Set(wanted.headers.map(({ name }) => name.toLowerCase()));
    const headers: Record<string, string | string[]> = {};
    if (!own.has("user-agent")) headers["user-agent"] = "kube-probe/1.36";
    if (!own.has("accept")) headers["accept"] = "*/*";
    headers["connection"] = "close";
    for (const { name, value } of wanted.headers) {
      const known = headers[name];
      headers[name] = known === undefined || !own.has(name.toLowerCase()) ? value : [known, value].flat();
    }
    const options = {
      host: wanted.host,
      port: wanted.port,
      path: wanted.path.startsWith("/") ? wanted.path : `/${wanted.path}`,
      headers,
      agent: false as const,
    };
    const url = `${wanted.scheme}://${wanted.host}:${wanted.port}${options.path}`;
    const request =
      wanted.scheme === "https"
        ? nodeHttps.request({ ...options, rejectUnauthorized: false })
        : nodeHttp.request(options);
    const timer = setTimeout(() => request.destroy(new Error("context deadline exceeded")), wanted.timeoutMs);
    request.on("close", () => clearTimeout(timer));
    request.once("response", (response) => {
      resolve({ status: response.statusCode ?? 0 });
      let read = 0;
      response.on("data", (chunk: Buffer) => {
        read += chunk.length;
        if (read > wanted.bodyBytesMax) request.destroy();
      });
      response.on("error", () => undefined);
    });
    request.on("error", (error) => reject(new Error(`Get "${url}": ${error.message}`)));
    request.end();
  });
}

function grpcHealth(host: string, port: number, service: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
    const timer = setTimeout(
      () => fail(new Error(`timeout: failed to connect service "${host}:${port}" within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const fail = (error: Error): void => {
      clearTimeout(timer);
      session.destroy();
      reject(error);
    };
    session.on("error", fail);
    const body = encodeMessage(healthRequest, { service });
    const framed = Buffer.alloc(body.length + 5);
    framed.writeUInt32BE(body.length, 1);
    framed.set(body, 5);
    const call = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let status = "";
    call.on("error", fail);
    call.on("response", (headers) => (status = String(headers["grpc-status"] ?? "")));
    call.on("trailers", (headers) => (status = String(headers["grpc-status"] ?? status)));
    call.on("data", (chunk: Buffer) => chunks.push(chunk));
    call.on("end", () => {
      const answer = Buffer.concat(chunks);
      if (answer.length < 5 || (status !== "" && status !== "0")) {
        fail(new Error(`error: health rpc failed with code ${status === "" ? "unknown" : status}`));
        return;
      }
      clearTimeout(timer);
      session.close();
      resolve(decodeMessage<{ status: string }>(healthResponse, answer.subarray(5)).status);
    });
    call.end(framed);
  });
}
