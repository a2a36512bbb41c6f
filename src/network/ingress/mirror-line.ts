import { decodeBase64 } from "./pem.ts";

/** A request that is to be copied, as HAProxy tells it when its answer has gone out. */
export interface CopyLine {
  /** Where the copy goes: the name of HAProxy's backend. */
  readonly target: string;
  /** `RUN/others`. */
  readonly side: string;
  readonly method: string;
  /** What everybody else's pods answered: -1 when the user went away first. */
  readonly status: number;
  /** Milliseconds until the first byte of that answer; -1 when there was none. */
  readonly answerMs: number;
  /** As base64, still to be read: most lines of a busy proxy are dropped before. */
  readonly path: string;
  readonly headers: string;
  readonly body: string;
}

export type MirrorLine =
  | { readonly kind: "copy"; readonly copy: CopyLine }
  /** HAProxy's ring was full. */
  | { readonly kind: "dropped"; readonly count: number }
  /** Another event, or a copy that was too long for a line. */
  | { readonly kind: "cut" | "other" };

const base64 = "[A-Za-z0-9+/]*={0,2}";
const copyPattern = new RegExp(`^(b\\d+) (\\S+) ([A-Z]+) (${base64}) (${base64}) (-|${base64}) \\.$`);

/** Reads a line of the ring `copies`: `SIDE STATUS WHAT MS|MS COPY`. */
export function readMirrorLine(line: string): MirrorLine {
  const dropped = /^(\d+) events? dropped/.exec(line);
  if (dropped !== null) return { kind: "dropped", count: Number(dropped[1]) };
  const bar = line.lastIndexOf("|");
  const times = /^(-?\d+) /.exec(line.slice(bar + 1));
  const status = /^\S+ (-?\d+) /.exec(line);
  if (bar === -1 || times === null || status === null) return { kind: "other" };
  const text = line.slice(bar + 1 + times[0].length);
  const found = copyPattern.exec(text);
  if (found === null) return { kind: text === "-" ? "other" : "cut" };
  const [, target = "", side = "", method = "", path = "", headers = "", body = ""] = found;
  const answered = { status: Number(status[1]), answerMs: Number(times[1]) };
  return { kind: "copy", copy: { target, side, method, ...answered, path, headers, body: body === "-" ? "" : body } };
}

/** What belongs to one connection, what we say ourselves, and what only a proxy of ours may say. */
const notCopied = new Set([
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "proxy-connection",
  "steersman-mirrored",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const headerPattern = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)$/;
const pathPattern = /^\/[^\s\0]*$/;

/** The bytes of a copy, with the header that tells it from the request of a user; undefined when a part is none of HTTP. */
export function copyBytes({ method, path, headers, body }: CopyLine): Uint8Array | undefined {
  const [target, block, content] = [decodeBase64(path), decodeBase64(headers), decodeBase64(body)];
  if (target === undefined || block === undefined || content === undefined || !pathPattern.test(target))
    return undefined;
  const kept: string[] = [];
  for (const line of block.split("\r\n")) {
    if (line === "") continue;
    const name = headerPattern.exec(line)?.[1]?.toLowerCase();
    if (name === undefined) return undefined;
    if (!notCopied.has(name)) kept.push(line);
  }
  const length = content === "" ? [] : [`content-length: ${content.length}`];
  const head = [`${method} ${target} HTTP/1.1`, ...kept, ...length, "steersman-mirrored: true", "connection: close"];
  return bytesOf(`${head.join("\r\n")}\r\n\r\n${content}`);
}

/** The path of a copy for people, without its query: that may hold secrets. */
export function pathOf({ path }: CopyLine): string {
  return (decodeBase64(path) ?? "").split("?", 1)[0] ?? "";
}

/** One byte a character, as HAProxy gave them. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
