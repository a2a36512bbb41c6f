import { parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import type { HttpRequest, HttpResponse } from "#world/http.ts";
import { readWhole } from "../connect/read-whole.ts";
import { fingerprint } from "../openapi/document.ts";
import { remotePartOf, type RemotePart } from "../openapi/merge-v2.ts";
import { openApiBytesMax, openApiDepthMax } from "./limits.ts";

/** What an aggregated server publishes of one of its group versions. */
export interface RemoteDocument<T> {
  readonly content: T;
  /** Differs when the document does. */
  readonly hash: string;
  /** How the server itself calls this state; empty: not at all. */
  readonly etag: string;
}

/** The documents of both dialects; undefined: the server has none that can be read. */
export interface RemoteDocuments {
  readonly v3: RemoteDocument<Uint8Array> | undefined;
  readonly v2: RemoteDocument<RemotePart> | undefined;
}

export interface Asking {
  readonly ask: (request: HttpRequest) => Promise<HttpResponse>;
  readonly apiVersion: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** A document that did not come in time, and why. */
  readonly failed: (target: string, error: unknown) => void;
}

/**
 * The OpenAPI documents of `{group}/{version}` from the server that answers it, one after the other, known ones while they are the
 * same. A document that does not come, or not in time, leaves the known one as it is.
 */
export async function remoteDocuments(asking: Asking, known: RemoteDocuments): Promise<RemoteDocuments> {
  const { apiVersion } = asking;
  const v3 = await fetched(asking, `/openapi/v3/apis/${apiVersion}`, known.v3, (body, value) =>
    isRecord(value["paths"]) ? body : undefined,
  );
  const v2 = await fetched(asking, "/openapi/v2", known.v2, (_body, value) => remotePartOf(value, apiVersion));
  return { v3, v2 };
}

async function fetched<T>(
  { ask, headers, signal, failed }: Asking,
  target: string,
  known: RemoteDocument<T> | undefined,
  read: (body: Uint8Array, value: Record<string, unknown>) => T | undefined,
): Promise<RemoteDocument<T> | undefined> {
  try {
    const condition = known !== undefined && known.etag !== "" ? { "if-none-match": known.etag } : {};
    const asked = { ...headers, accept: "application/json", ...condition };
    const response = await ask({ method: "GET", target, headers: asked, body: new Uint8Array(0), signal });
    const body = await readWhole(response, openApiBytesMax);
    if (response.status === 304) return known;
    if (response.status !== 200 || body === undefined) return undefined;
    const hash = fingerprint(new TextDecoder().decode(body));
    const etag = response.headers["etag"] ?? "";
    if (known?.hash === hash) return { ...known, etag };
    const parsed = parseJson(body, { depthMax: openApiDepthMax });
    const content = parsed.ok && isRecord(parsed.value) ? read(body, parsed.value) : undefined;
    return content === undefined ? undefined : { content, hash, etag };
  } catch (error) {
    failed(target, error);
    return known;
  }
}
