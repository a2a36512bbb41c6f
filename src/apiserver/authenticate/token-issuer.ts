import type { Clock } from "#world/clock.ts";
import type { Crypto } from "#world/crypto.ts";
import type { Random } from "#world/random.ts";
import { toBase64Url } from "./base64.ts";
import { serviceAccountUserName } from "./groups.ts";
import { tokenHeader, type ServiceAccountKey } from "./signing-key.ts";
import type { BoundReference, KubernetesClaims, TokenClaims } from "./token-claims.ts";

export interface TokenOrder {
  readonly serviceAccount: BoundReference & { readonly namespace: string };
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  /** A token bound to a pod also carries the pod's node. */
  readonly boundTo?: { readonly pod?: BoundReference; readonly secret?: BoundReference; readonly node?: BoundReference };
  /** Seconds after which a use is worth a warning. */
  readonly warnAfterSeconds?: number;
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since 1970, at a whole second. */
  readonly expiresAt: number;
}

export interface TokenIssuer {
  issue(order: TokenOrder): IssuedToken;
}

/** Makes service account tokens: JWTs signed with ES256. Judges nothing: see `requestToken`. */
export function createTokenIssuer(options: {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly key: ServiceAccountKey & { readonly privateKey: string };
  readonly issuer: string;
}): TokenIssuer {
  const { clock, crypto, random, key, issuer } = options;
  const header = tokenHeader(crypto, key);
  const encoder = new TextEncoder();
  return {
    issue(order) {
      const now = Math.floor(clock.now() / 1000);
      const claims = claimsFor(order, now, issuer, random.uuid());
      const signed = `${header}.${toBase64Url(encoder.encode(JSON.stringify(claims)))}`;
      const signature = toBase64Url(crypto.signEs256(key.privateKey, encoder.encode(signed)));
      return { token: `${signed}.${signature}`, expiresAt: claims.exp * 1000 };
    },
  };
}

function claimsFor(order: TokenOrder, now: number, issuer: string, id: string): TokenClaims {
  const { namespace, name, uid } = order.serviceAccount;
  const { pod, secret, node } = order.boundTo ?? {};
  const kubernetes: KubernetesClaims = {
    namespace,
    ...(node === undefined ? {} : { node }),
    ...(pod === undefined ? {} : { pod }),
    ...(secret === undefined ? {} : { secret }),
    serviceaccount: { name, uid },
    ...(order.warnAfterSeconds === undefined ? {} : { warnafter: now + order.warnAfterSeconds }),
  };
  return {
    aud: order.audiences,
    exp: now + order.expirationSeconds,
    iat: now,
    iss: issuer,
    jti: id,
    "kubernetes.io": kubernetes,
    nbf: now,
    sub: serviceAccountUserName(namespace, name),
  };
}
