import { isRecord } from "#codec/record.ts";
import type { Clock } from "#world/clock.ts";
import { destinationOf, type Remote } from "../../remote/remote.ts";
import { BoundedCache } from "../bounded-cache.ts";
import {
  claimFailureKeepMs,
  claimKeepMs,
  claimTimeoutMs,
  claimsKeptMax,
  issuerLeewayMs,
  tokenCharsMax,
} from "../limits.ts";
import type { IssuerKeys } from "./key-set.ts";
import { claimsProblem, issuerOf, readToken } from "./token.ts";

type Claims = Readonly<Record<string, unknown>>;

/** The claims of a token with the one that lay elsewhere, or why it cannot be had: then the token makes nobody. */
export type Completed =
  | { readonly ok: true; readonly claims: Claims }
  | { readonly ok: false; readonly detail: string };

/** What a token says of a claim that it does not hold. */
type Place =
  | { readonly kind: "here" }
  | { readonly kind: "broken"; readonly detail: string }
  | { readonly kind: "elsewhere"; readonly url: URL; readonly accessToken: string | undefined };

const here: Place = { kind: "here" };

/** Where a claim lies (OpenID Connect Core 1.0, 5.6.2). A claim that the token holds itself is looked for nowhere else. */
export function placeOf(claims: Claims, claim: string): Place {
  const names = claims["_claim_names"];
  if (claims[claim] !== undefined || names === undefined) return here;
  if (!isRecord(names)) return broken("_claim_names is no object");
  const name = names[claim];
  if (name === undefined) return here;
  const sources = claims["_claim_sources"];
  if (typeof name !== "string") return broken("_claim_names names no source");
  const source = isRecord(sources) ? sources[name] : undefined;
  if (!isRecord(source)) return broken("_claim_names names a source that _claim_sources lacks");
  const { endpoint, access_token: accessToken } = source;
  // An aggregated claim: it counts for nothing here, as upstream.
  if (endpoint === undefined || endpoint === "") return here;
  if (typeof endpoint !== "string" || !/^https:\/\/[^/?#@\\]+([/?#]|$)/.test(endpoint) || !URL.canParse(endpoint))
    return broken("the endpoint of a claim is no https URL without a user");
  const url = new URL(endpoint);
  if (accessToken === undefined || accessToken === "") return { kind: "elsewhere", url, accessToken: undefined };
  // It goes out in a header.
  if (typeof accessToken !== "string" || !/^[\x21-\x7e]+$/.test(accessToken))
    return broken("the access_token of a claim is no token");
  return { kind: "elsewhere", url, accessToken };
}

function broken(detail: string): Place {
  return { kind: "broken", detail };
}

export interface ClaimParts {
  readonly clock: Pick<Clock, "now" | "monotonic">;
  readonly remote: Remote;
  /** One of them must be an `aud` of what the endpoint answers. */
  readonly audiences: readonly string[];
  /** PEM of the CA that signed the endpoint's certificate; absent: those of the system. */
  readonly ca: string | undefined;
  /** The keys of whoever signed the answer; undefined for a name that is no https URL. */
  keysOf(issuer: string): IssuerKeys | undefined;
}

type Found = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly detail: string };

interface Kept {
  readonly found: Found;
  /** On the monotonic clock. */
  readonly until: number;
}

/**
 * Fetches the claim of an issuer's tokens that lies with another server (Kubernetes: "distributed claims" of the groups claim).
 * Only tokens whose signature holds come here. What the endpoint answers must be a token too, signed, for us and not at its end;
 * it gives this one claim and nothing else. One question a token at a time; what was found, and what was not, is remembered.
 */
export class DistributedClaim {
  readonly #claim: string;
  readonly #parts: ClaimParts;
  readonly #kept = new BoundedCache<Kept>(claimsKeptMax);
  readonly #asking = new Map<string, Promise<Found>>();

  constructor(claim: string, parts: ClaimParts) {
    this.#claim = claim;
    this.#parts = parts;
  }

  /** `digest` stands for the token. A promise only where an endpoint has to be asked. */
  complete(digest: string, claims: Claims): Completed | Promise<Completed> {
    const place = placeOf(claims, this.#claim);
    if (place.kind === "here") return { ok: true, claims };
    if (place.kind === "broken") return { ok: false, detail: place.detail };
    const known = this.#kept.get(digest);
    if (known !== undefined && this.#parts.clock.monotonic() < known.until) return this.#with(claims, known.found);
    let asking = this.#asking.get(digest);
    if (asking === undefined) {
      asking = this.#ask(digest, place.url, place.accessToken).finally(() => this.#asking.delete(digest));
      this.#asking.set(digest, asking);
    }
    return asking.then((found) => this.#with(claims, found));
  }

  #with(claims: Claims, found: Found): Completed {
    if (!found.ok) return { ok: false, detail: `the claim ${this.#claim} lies elsewhere: ${found.detail}` };
    // Defined, not assigned: whatever the claim is called, it is a claim.
    return { ok: true, claims: Object.fromEntries([...Object.entries(claims), [this.#claim, found.value]]) };
  }

  async #ask(digest: string, url: URL, accessToken: string | undefined): Promise<Found> {
    const { clock } = this.#parts;
    let keepMs = claimFailureKeepMs;
    const found = await this.#read(url, accessToken, (endMs) => {
      keepMs = Math.min(claimKeepMs, endMs - clock.now());
    });
    this.#kept.set(digest, { found, until: clock.monotonic() + keepMs });
    return found;
  }

  async #read(url: URL, accessToken: string | undefined, ends: (endMs: number) => void): Promise<Found> {
    const { remote, ca, clock, audiences } = this.#parts;
    const reply = await remote.getText(destinationOf(url, ca), `${url.pathname}${url.search}`, {
      headers: {
        accept: "application/jwt",
        ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
      },
      timeoutMs: claimTimeoutMs,
      bytesMax: tokenCharsMax,
    });
    if (!reply.ok) return { ok: false, detail: reply.problem };
    const token = readToken(reply.text.trim());
    if (token === undefined) return { ok: false, detail: "the answer is no token" };
    const problem = claimsProblem(token.claims, { audiences, nowMs: clock.now(), leewayMs: issuerLeewayMs });
    if (problem !== undefined) return { ok: false, detail: `the answer's ${problem}` };
    const keys = this.#parts.keysOf(issuerOf(token) ?? "");
    if (keys === undefined) return { ok: false, detail: "the answer names no issuer that https reaches" };
    const checked = await keys.check(token);
    if (!checked.ok) return checked;
    const value = token.claims[this.#claim];
    if (value === undefined) return { ok: false, detail: "the answer does not hold it" };
    ends(Number(token.claims["exp"]) * 1000);
    return { ok: true, value };
  }
}
