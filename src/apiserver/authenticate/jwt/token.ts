import { parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import { fromBase64Url } from "../base64.ts";

/** A signed token taken apart. Nothing in it is believed yet. */
export interface UnverifiedToken {
  readonly algorithm: string;
  readonly keyId: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Reads a JWS in compact form (RFC 7515) whose payload is a set of claims (RFC 7519). Undefined when it is none, or when
 * anything about it is ambiguous: keys given twice, critical extensions that nobody here knows.
 */
export function readToken(token: string): UnverifiedToken | undefined {
  const [head = "", body = "", tail = "", ...rest] = token.split(".", 4);
  if (tail === "" || rest.length > 0) return undefined;
  const header = objectOf(head);
  const claims = objectOf(body);
  const signature = fromBase64Url(tail);
  if (header === undefined || claims === undefined || signature === undefined) return undefined;
  const { alg, kid, crit, b64 } = header;
  if (typeof alg !== "string" || crit !== undefined || b64 !== undefined) return undefined;
  if (kid !== undefined && typeof kid !== "string") return undefined;
  const signed = new TextEncoder().encode(`${head}.${body}`);
  return { algorithm: alg, keyId: kid, claims, signed, signature };
}

/** The issuer that a token names, to choose who checks it. */
export function issuerOf({ claims }: UnverifiedToken): string | undefined {
  return typeof claims["iss"] === "string" ? claims["iss"] : undefined;
}

const depthMax = 64;

function objectOf(segment: string): Record<string, unknown> | undefined {
  const bytes = fromBase64Url(segment);
  const parsed = bytes === undefined ? undefined : parseJson(bytes, { depthMax });
  if (parsed?.ok !== true || parsed.duplicates.length > 0 || !isRecord(parsed.value)) return undefined;
  return parsed.value;
}

/** What is wrong with a token's times and audience at `nowMs`; undefined: nothing. */
export function claimsProblem(
  claims: Readonly<Record<string, unknown>>,
  expected: { readonly audiences: readonly string[]; readonly nowMs: number; readonly leewayMs: number },
): string | undefined {
  const { exp, nbf, aud } = claims;
  const { nowMs, leewayMs } = expected;
  if (typeof exp !== "number") return "token has no end";
  if (exp * 1000 <= nowMs) return "token has expired";
  if (nbf !== undefined && typeof nbf !== "number") return "token's beginning is no time";
  if (nbf !== undefined && nowMs + leewayMs < nbf * 1000) return "token is not valid yet";
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return expected.audiences.some((audience) => audiences.includes(audience))
    ? undefined
    : "token is for other audiences";
}
