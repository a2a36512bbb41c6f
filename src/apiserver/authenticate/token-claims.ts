/** An object that a token is tied to: when it goes, the token goes. */
export interface BoundReference {
  readonly name: string;
  readonly uid: string;
}

/** The private part of a service account token (Kubernetes: "Managing Service Accounts", bound tokens). */
export interface KubernetesClaims {
  readonly namespace: string;
  readonly serviceaccount: BoundReference;
  readonly pod?: BoundReference;
  readonly secret?: BoundReference;
  readonly node?: BoundReference;
  /** Seconds since 1970 after which a use of the token is worth a warning. */
  readonly warnafter?: number;
}

/** Times are seconds since 1970, as in RFC 7519. */
export interface TokenClaims {
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly iss: string;
  readonly jti: string;
  readonly "kubernetes.io": KubernetesClaims;
  readonly nbf: number;
  readonly sub: string;
}
