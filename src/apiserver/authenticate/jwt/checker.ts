import type { Clock } from "#world/clock.ts";
import type { Crypto } from "#world/crypto.ts";
import type { JsonWebKeys } from "#world/json-web-keys.ts";
import type { Authentication } from "../../authenticator.ts";
import type { JwtIssuer } from "../../configuration/authentication.ts";
import type { Remote } from "../../remote/remote.ts";
import { toBase64Url } from "../base64.ts";
import { BoundedCache } from "../bounded-cache.ts";
import { claimIssuersMax, issuerLeewayMs, jwtKeepMs, jwtsMax } from "../limits.ts";
import { DistributedClaim, type Completed } from "./distributed-claims.ts";
import { IssuerKeys, type SignatureCheck } from "./key-set.ts";
import { compileMapping, type MapClaims, type Mapped } from "./mapping.ts";
import { soonInTurns, Turn, type TurnTimers } from "../../turns.ts";
import { claimsProblem, issuerOf, readToken, type UnverifiedToken } from "./token.ts";

export interface JwtChecker {
  /** Undefined: no issuer of ours made the token. A promise only where an issuer has to be asked for its keys. */
  check(token: string): Authentication | undefined | Promise<Authentication>;
}

export interface JwtParts {
  readonly clock: Clock;
  readonly timers: TurnTimers;
  readonly crypto: Pick<Crypto, "sha256">;
  readonly webKeys: JsonWebKeys;
  readonly remote: Remote;
}

interface Trusted {
  readonly issuer: JwtIssuer;
  readonly keys: IssuerKeys;
  readonly map: MapClaims;
  /** The groups where a claim holds them: they may lie with another server. */
  readonly distributed: DistributedClaim | undefined;
}

interface Kept {
  readonly result: Authentication;
  /** On the monotonic clock. */
  readonly until: number;
}

/**
 * Checks tokens of OpenID Connect issuers: who signed, for whom, until when, and what the claims make of the caller
 * (Kubernetes: "OpenID Connect Tokens"). The algorithm is one that the key's owner published the key for, so that no token
 * chooses how it is judged. Throws for expressions that cannot be compiled: at the start, not at a request.
 */
export function createJwtChecker(issuers: readonly JwtIssuer[], parts: JwtParts): JwtChecker {
  const trusted = new Map<string, Trusted>();
  for (const issuer of issuers)
    trusted.set(
      issuer.url,
      trust(issuer, parts, (url) => trusted.get(url)?.keys),
    );
  const kept = new BoundedCache<Kept>(jwtsMax);
  const { clock } = parts;

  /** What a token makes of its bearer whose signature holds. */
  function accept(
    digest: string,
    token: UnverifiedToken,
    { issuer, map, distributed }: Trusted,
  ): Authentication | Promise<Authentication> {
    const settle = (mapped: Mapped): Authentication =>
      mapped.ok ? keep(digest, token, { ok: true, user: mapped.user }) : invalid(issuer, mapped.detail);
    const judge = (completed: Completed): Authentication | Promise<Authentication> => {
      if (!completed.ok) return invalid(issuer, completed.detail);
      const turn = new Turn(clock);
      const mapped = soonInTurns(turn.through(map(completed.claims, turn.isOver)), parts.timers);
      return mapped instanceof Promise ? mapped.then(settle) : settle(mapped);
    };
    const completed = distributed?.complete(digest, token.claims) ?? { ok: true, claims: token.claims };
    return completed instanceof Promise ? completed.then(judge) : judge(completed);
  }

  function keep(digest: string, token: UnverifiedToken, result: Authentication): Authentication {
    const leftMs = Number(token.claims["exp"]) * 1000 - clock.now();
    kept.set(digest, { result, until: clock.monotonic() + Math.min(jwtKeepMs, leftMs) });
    return result;
  }

  return {
    check(text) {
      const digest = toBase64Url(parts.crypto.sha256(new TextEncoder().encode(text)));
      const known = kept.get(digest);
      if (known !== undefined) {
        if (clock.monotonic() < known.until) return known.result;
        kept.delete(digest);
      }
      const token = readToken(text);
      const source = token === undefined ? undefined : trusted.get(issuerOf(token) ?? "");
      if (token === undefined || source === undefined) return undefined;
      const { issuer, keys } = source;
      // What costs nothing comes first: a token for others makes no work and no question.
      const expected = { audiences: issuer.audiences, nowMs: clock.now(), leewayMs: issuerLeewayMs };
      const problem = claimsProblem(token.claims, expected);
      if (problem !== undefined) return invalid(issuer, problem);
      const judge = (checked: SignatureCheck): Authentication | Promise<Authentication> =>
        checked.ok ? accept(digest, token, source) : invalid(issuer, checked.detail);
      const checked = keys.check(token);
      return checked instanceof Promise ? checked.then(judge) : judge(checked);
    },
  };
}

function trust(issuer: JwtIssuer, parts: JwtParts, configuredKeys: (url: string) => IssuerKeys | undefined): Trusted {
  const mapping = compileMapping(issuer);
  if (!mapping.ok) throw new Error(`Cannot trust the issuer ${issuer.url}: ${mapping.problem}`);
  const { groups, audiences, ca } = issuer;
  const others = new BoundedCache<IssuerKeys>(claimIssuersMax);
  // Whoever signs a claim that lies elsewhere is vouched for by the token that names the place, for this claim alone.
  const keysOf = (url: string): IssuerKeys | undefined => {
    const known = configuredKeys(url) ?? others.get(url);
    if (known !== undefined || !URL.canParse(url) || !url.startsWith("https://")) return known;
    const keys = new IssuerKeys({ url, ...(ca !== undefined && { ca }) }, parts);
    others.set(url, keys);
    return keys;
  };
  const distributed =
    groups === undefined || !("claim" in groups)
      ? undefined
      : new DistributedClaim(groups.claim, { clock: parts.clock, remote: parts.remote, audiences, ca, keysOf });
  return { issuer, keys: new IssuerKeys(issuer, parts), map: mapping.map, distributed };
}

function invalid({ url }: JwtIssuer, detail: string): Authentication {
  return { ok: false, reason: "invalid", detail: `token of ${url}: ${detail}` };
}
