import type { User } from "./user.ts";

/** What a request wants to do, as authorizers and reviews see it. */
export interface Attributes {
  readonly user: User;
  /** get, list, watch, create, update, patch, delete, deletecollection, proxy...; HTTP verbs for non-resource URLs. */
  readonly verb: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** For non-resource URLs. */
  readonly path: string;
  /**
   * The equalities of a list's or watch's field selector (`spec.nodeName=n1`), empty without one. Absent: whoever asks does
   * not know it (reviews); then nobody is refused for its lack.
   */
  readonly fieldRequirements?: readonly { readonly key: string; readonly value: string }[];
}

export type Decision =
  | { readonly allowed: true; readonly reason: string }
  /** `denied`: no later authorizer may allow it. */
  | { readonly allowed: false; readonly denied: boolean; readonly reason: string };

export interface Authorizer {
  /** A promise only where a server outside has to be asked. Never rejects. */
  authorize(attributes: Attributes): Decision | Promise<Decision>;
  /** The rules that hold for a user in a namespace, for SelfSubjectRulesReview. */
  rulesFor(user: User, namespace: string): ResourceRules;
}

/** One that answers from what is stored, at once. */
export interface LocalAuthorizer extends Authorizer {
  authorize(attributes: Attributes): Decision;
}

export interface ResourceRules {
  readonly resourceRules: readonly {
    verbs: string[];
    apiGroups: string[];
    resources: string[];
    resourceNames: string[];
  }[];
  readonly nonResourceRules: readonly { verbs: string[]; nonResourceURLs: string[] }[];
  readonly incomplete: boolean;
}
