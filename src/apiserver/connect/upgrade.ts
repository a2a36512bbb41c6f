import { concatBytes } from "#base/bytes.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";
import { bytesOf } from "../objects/bytes.ts";

const phrases: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** Writes an ordinary answer to a connection that asked for an upgrade, and closes it: nothing after it is a request. */
export function answerInstead(connection: Connection, response: HttpResponse): void {
  const { body } = response;
  if ("open" in body) {
    body.close();
    connection.destroy();
    return;
  }
  const whole = body instanceof Uint8Array ? body : concatBytes(body);
  const headers = { ...response.headers, "content-length": String(whole.length), connection: "close" };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, " ")}\r\n`);
  const head = `HTTP/1.1 ${response.status} ${phrases[response.status] ?? "Answer"}\r\n${lines.join("")}\r\n`;
  connection.start({ data: () => undefined, end: () => undefined, close: () => undefined, drain: () => undefined });
  connection.write(concatBytes([bytesOf(head), whole]));
  connection.end();
}
