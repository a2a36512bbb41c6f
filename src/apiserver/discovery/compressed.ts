import type { Call, Outcome } from "../call.ts";
import { Failure } from "../failure.ts";
import { gzipFor, gzippedHeaders } from "../objects/respond.ts";

/** By the bytes of a document, which are the same ones until what is served changes: each is compressed once. */
const known = new WeakMap<Uint8Array, Promise<Uint8Array>>();

/** The document as it is or, where it is large and the client asks for that, compressed; its ETag is the same. */
export function compressed(call: Call, document: Outcome): Outcome | Promise<Outcome> {
  if (document === undefined || document instanceof Failure) return document;
  const { status, headers, body } = document;
  if (!(body instanceof Uint8Array)) return document;
  const gzip = gzipFor(call, body.length);
  if (gzip === undefined) return document;
  let small = known.get(body);
  if (small === undefined) known.set(body, (small = gzip(body)));
  return small.then((bytes) => ({ status, headers: gzippedHeaders(headers), body: bytes }));
}
