import tls from "node:tls";
import type { Target } from "./target.ts";

/**
 * HTTP/1.1 by hand over TLS, so that what is measured is the server: requests are prepared bytes, of answers only status and
 * length are read.
 */
export function connectTls(target: Target, protocol: "http/1.1" | "h2" = "http/1.1"): tls.TLSSocket {
  return tls.connect({
    host: target.host,
    port: target.port,
    ca: target.ca,
    servername: target.serverName,
    ALPNProtocols: [protocol],
    ...(target.token === undefined &&
      target.certificate !== undefined && { cert: target.certificate, key: target.key }),
  });
}

function headLines(target: Target, accept = "application/json"): string {
  const token = target.token === undefined ? "" : `authorization: Bearer ${target.token}\r\n`;
  return `host: ${target.serverName}\r\n${token}user-agent: bench\r\naccept: ${accept}\r\n`;
}

export function getBytes(target: Target, path: string, accept?: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${headLines(target, accept)}\r\n`);
}

export function writeBytes(target: Target, method: string, path: string, body: string, type: string): Buffer {
  const length = Buffer.byteLength(body);
  const head = `${method} ${path} HTTP/1.1\r\n${headLines(target)}content-type: ${type}\r\n`;
  return Buffer.from(`${head}content-length: ${length}\r\n\r\n${body}`);
}

/** Calls back for each whole answer; content-length or chunked. `bytes` is what came, framing of chunks included. */
export function readAnswers(socket: tls.TLSSocket, answered: (status: number, bytes: number) => void): void {
  let gathered: Buffer = Buffer.alloc(0);
  let missing = 0;
  let status = 0;
  let total = 0;
  let isChunked = false;
  let tail = "";
  const answer = (): void => {
    const bytes = total;
    total = 0;
    answered(status, bytes);
  };
  const readChunked = (): void => {
    total += gathered.length;
    tail = (tail + gathered.subarray(-5).toString("latin1")).slice(-5);
    gathered = Buffer.alloc(0);
    if (tail !== "0\r\n\r\n") return;
    isChunked = false;
    answer();
  };
  /** False: more bytes are needed. */
  const readHead = (): boolean => {
    const end = gathered.indexOf("\r\n\r\n");
    if (end === -1) return false;
    const head = gathered.toString("latin1", 0, end);
    status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: (\d+)/i.exec(head);
    if (length === null) {
      isChunked = true;
      tail = "";
      gathered = gathered.subarray(end + 4);
      return true;
    }
    total = Number(length[1]);
    const have = gathered.length - end - 4;
    if (have < total) {
      missing = total - have;
      gathered = Buffer.alloc(0);
      return false;
    }
    gathered = gathered.subarray(end + 4 + total);
    answer();
    return true;
  };
  socket.on("data", (chunk: Buffer) => {
    if (chunk.length < missing) {
      missing -= chunk.length;
      return;
    }
    if (missing > 0) {
      gathered = chunk.subarray(missing);
      missing = 0;
      answer();
    } else gathered = gathered.length === 0 ? chunk : Buffer.concat([gathered, chunk]);
    while (gathered.length > 0) {
      if (isChunked) readChunked();
      else if (!readHead()) return;
    }
  });
}
