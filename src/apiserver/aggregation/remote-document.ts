import { parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import type { HttpRequest, HttpResponse } from "#world/http.ts";
import { readWhole } from "../connect/read-whole.ts";
import { fingerprint } from "../openapi/document.ts";
import { openApiBytesMax } from "./limits.ts";

/** What an aggregated server publishes of one of its group versions. */
export interface RemoteDocument {
  readonly body: Uint8Array;
  /** Differs when the body does. */
  readonly hash: string;
  /** How the server itself calls this state; empty: not at all. */
  readonly etag: string;
}

/**
 * The OpenAPI 3 document of `apis/{group}/{version}` from the server that answers it: the known one while it is the same, a new
 * one, or undefined where the server has none that can be read.
 */
export async function remoteDocument(
  ask: (request: HttpRequest) => Promise<HttpResponse>,
  apiVersion: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  known: RemoteDocument | undefined,
): Promise<RemoteDocument | undefined> {
  const response = await ask({
    method: "GET",
    target: `/openapi/v3/apis/${apiVersion}`,
    headers: {
      ...headers,
      accept: "application/json",
      ...(known !== undefined && known.etag !== "" && { "if-none-match": known.etag }),
    },
    body: new Uint8Array(0),
    signal,
  });
  const body = await readWhole(response, openApiBytesMax);
  if (response.status === 304) return known;
  if (response.status !== 200 || body === undefined) return undefined;
  const parsed = parseJson(body);
  if (!parsed.ok || !isRecord(parsed.value) || !isRecord(parsed.value["paths"])) return undefined;
  return { body, hash: fingerprint(new TextDecoder().decode(body)), etag: response.headers["etag"] ?? "" };
}
