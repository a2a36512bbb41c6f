import { nodes, pods, secrets, serviceaccounts } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Clock } from "#world/clock.ts";
import type { Crypto } from "#world/crypto.ts";
import type { Authentication } from "../authenticator.ts";
import type { ObjectReader } from "../object-reader.ts";
import type { User } from "../user.ts";
import { fromBase64Url } from "./base64.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { serviceAccountGroups, serviceAccountUserName, withAuthenticated } from "./groups.ts";
import { clockSkewMs, deletedLeewayMs, verifiedTokensMax } from "./limits.ts";
import { tokenHeader, type ServiceAccountKey } from "./signing-key.ts";
import type { BoundReference, TokenClaims } from "./token-claims.ts";

interface Verified {
  readonly claims: TokenClaims;
  readonly user: User;
}

export interface ServiceAccountTokenChecker {
  /** Undefined: the token is not one of ours (another header or issuer), so that others may look at it. */
  check(token: string, audiences: readonly string[]): Authentication | undefined;
}

/**
 * Checks bound service account tokens. The signature is checked once per token and remembered; time, audience and the
 * objects that the token is bound to are looked at each time, against head: a deleted pod's token ends with the pod.
 */
export function createServiceAccountTokenChecker(options: {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly objects: ObjectReader;
  readonly keys: readonly ServiceAccountKey[];
  readonly issuer: string;
}): ServiceAccountTokenChecker {
  const { clock, crypto, objects, issuer } = options;
  const keyByHeader = new Map(options.keys.map((key) => [tokenHeader(crypto, key), key.publicKey]));
  const verified = new BoundedCache<Verified>(verifiedTokensMax);
  const encoder = new TextEncoder();

  function verify(token: string): Verified | Authentication | undefined {
    const firstDot = token.indexOf(".");
    const lastDot = token.lastIndexOf(".");
    const publicKey = keyByHeader.get(token.slice(0, firstDot));
    if (firstDot === -1 || publicKey === undefined) return undefined;
    const signature = fromBase64Url(token.slice(lastDot + 1));
    const payload = fromBase64Url(token.slice(firstDot + 1, lastDot));
    if (signature === undefined || payload === undefined) return invalid("token is not base64url");
    if (!crypto.verifyEs256(publicKey, encoder.encode(token.slice(0, lastDot)), signature))
      return invalid("signature does not hold");
    // Signed by us, so what it carries has the form that we write.
    const claims = JSON.parse(new TextDecoder().decode(payload)) as TokenClaims;
    if (claims.iss !== issuer) return undefined;
    const fresh = { claims, user: userOf(claims) };
    verified.set(token, fresh);
    return fresh;
  }

  function liveness({ claims }: Verified, now: number): string | undefined {
    const bound = claims["kubernetes.io"];
    const { namespace, serviceaccount, pod, secret, node } = bound;
    const problem = (
      resource: Resource<unknown>,
      reference: BoundReference | undefined,
      where: string | undefined,
    ): string | undefined => (reference === undefined ? undefined : missing(objects, resource, where, reference, now));
    return (
      problem(serviceaccounts, serviceaccount, namespace) ??
      problem(pods, pod, namespace) ??
      problem(secrets, secret, namespace) ??
      // In a token bound to a pod, the node is a piece of information and no condition.
      (pod === undefined ? problem(nodes, node, undefined) : undefined)
    );
  }

  return {
    check(token, audiences) {
      const known = verified.get(token) ?? verify(token);
      if (known === undefined || "ok" in known) return known;
      const now = clock.now();
      const { claims, user } = known;
      if (claims.exp * 1000 <= now) {
        verified.delete(token);
        return invalid("token has expired");
      }
      if (now + clockSkewMs < claims.nbf * 1000) return invalid("token is not valid yet");
      const shared = audiences.filter((audience) => claims.aud.includes(audience));
      if (shared.length === 0) return invalid(`token is for other audiences: ${claims.aud.join(", ")}`);
      const problem = liveness(known, now);
      return problem === undefined ? { ok: true, user, audiences: shared } : invalid(problem);
    },
  };
}

function invalid(detail: string): Authentication {
  return { ok: false, reason: "invalid", detail };
}

function missing(
  objects: ObjectReader,
  resource: Resource<unknown>,
  namespace: string | undefined,
  reference: BoundReference,
  now: number,
): string | undefined {
  const stored = objects.get(resource, namespace, reference.name);
  const what = `${resource.kind} ${namespace === undefined ? "" : `${namespace}/`}${reference.name}`;
  if (stored === undefined) return `${what} does not exist`;
  if (stored.metadata.uid !== reference.uid) return `${what} was made anew since the token was issued`;
  const deletion = stored.metadata.deletionTimestamp;
  if (deletion !== undefined && Date.parse(deletion) + deletedLeewayMs < now) return `${what} is deleted`;
  return undefined;
}

function userOf(claims: TokenClaims): User {
  const { namespace, serviceaccount, pod, node } = claims["kubernetes.io"];
  const prefix = "authentication.kubernetes.io";
  return {
    name: serviceAccountUserName(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: withAuthenticated(serviceAccountGroups(namespace)),
    extra: {
      [`${prefix}/credential-id`]: [`JTI=${claims.jti}`],
      ...(pod === undefined ? {} : { [`${prefix}/pod-name`]: [pod.name], [`${prefix}/pod-uid`]: [pod.uid] }),
      ...(node === undefined ? {} : { [`${prefix}/node-name`]: [node.name], [`${prefix}/node-uid`]: [node.uid] }),
    },
  };
}
