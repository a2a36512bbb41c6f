import { nodes, pods } from "#api/generated/resources.ts";
import type { Clock } from "#world/clock.ts";
import type { Crypto } from "#world/crypto.ts";
import type { Random } from "#world/random.ts";
import { getStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { toBase64Url } from "./base64.ts";
import { serviceAccountUserName } from "./groups.ts";
import { tokenSecondsDefault } from "./limits.ts";
import { tokenHeader, type ServiceAccountKey } from "./signing-key.ts";
import type { BoundReference, KubernetesClaims, TokenClaims } from "./token-claims.ts";

export interface TokenOrder {
  readonly namespace: string;
  readonly serviceAccount: BoundReference;
  /** Empty: those of this API. */
  readonly audiences?: readonly string[];
  /** Default: an hour. */
  readonly expirationSeconds?: number;
  /** A Pod, Secret or Node with which the token ends. Whoever orders has checked that it exists and has this uid. */
  readonly boundObject?: (BoundReference & { readonly kind: string }) | undefined;
  /** Seconds after which a use is worth a warning. */
  readonly warnAfterSeconds?: number;
}

export interface IssuedToken {
  readonly token: string;
  /** RFC 3339, as TokenRequest's status carries it. */
  readonly expirationTimestamp: string;
}

export interface TokenIssuer {
  issue(order: TokenOrder): Promise<IssuedToken>;
}

/** Makes service account tokens: JWTs signed with ES256, with the claims that Kubernetes documents for bound tokens. */
export function createTokenIssuer(options: {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly objects: ObjectReader;
  readonly key: ServiceAccountKey & { readonly privateKey: string };
  readonly issuer: string;
  /** The audiences of this API. */
  readonly audiences: readonly string[];
}): TokenIssuer {
  const { clock, crypto, random, key } = options;
  const header = tokenHeader(crypto, key);
  const encoder = new TextEncoder();
  return {
    async issue(order) {
      const now = Math.floor(clock.now() / 1000);
      const audiences =
        order.audiences === undefined || order.audiences.length === 0 ? options.audiences : order.audiences;
      const claims: TokenClaims = {
        aud: audiences,
        exp: now + (order.expirationSeconds ?? tokenSecondsDefault),
        iat: now,
        iss: options.issuer,
        jti: random.uuid(),
        "kubernetes.io": kubernetesClaims(order, now, options.objects),
        nbf: now,
        sub: serviceAccountUserName(order.namespace, order.serviceAccount.name),
      };
      const signed = `${header}.${toBase64Url(encoder.encode(JSON.stringify(claims)))}`;
      const signature = toBase64Url(crypto.signEs256(key.privateKey, encoder.encode(signed)));
      const expirationTimestamp = new Date(claims.exp * 1000).toISOString().replace(".000Z", "Z");
      return { token: `${signed}.${signature}`, expirationTimestamp };
    },
  };
}

function kubernetesClaims(order: TokenOrder, now: number, objects: ObjectReader): KubernetesClaims {
  const { boundObject, namespace, serviceAccount } = order;
  const reference = boundObject === undefined ? undefined : { name: boundObject.name, uid: boundObject.uid };
  const bound = (kind: string): BoundReference | undefined => (boundObject?.kind === kind ? reference : undefined);
  const pod = bound("Pod");
  const secret = bound("Secret");
  const node = bound("Node") ?? (pod === undefined ? undefined : nodeOfPod(objects, namespace, pod.name));
  return {
    namespace,
    ...(node === undefined ? {} : { node }),
    ...(pod === undefined ? {} : { pod }),
    ...(secret === undefined ? {} : { secret }),
    serviceaccount: { name: serviceAccount.name, uid: serviceAccount.uid },
    ...(order.warnAfterSeconds === undefined ? {} : { warnafter: now + order.warnAfterSeconds }),
  };
}

function nodeOfPod(objects: ObjectReader, namespace: string, name: string): BoundReference | undefined {
  const nodeName = getStored(objects, pods, namespace, name)?.spec.nodeName;
  if (nodeName === undefined || nodeName === "") return undefined;
  const uid = getStored(objects, nodes, undefined, nodeName)?.metadata.uid;
  return uid === undefined ? undefined : { name: nodeName, uid };
}
