import { secrets as secretResource } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Plan } from "#reconcile/controller.ts";
import { referenceOf } from "../ownership.ts";
import { accountAnnotation, accountUidAnnotation, type SecretView } from "../views/namespace.ts";

const resource = secretResource as Resource<unknown>;

export interface ObservedTokenSecret {
  readonly secret: SecretView;
  /** Of the ServiceAccount that it names, as the server has it now; undefined when there is none. */
  readonly accountUid: string | undefined;
  /** PEM of the cluster's certificate authority. */
  readonly rootCa: string;
  /** A token bound to the Secret, when it has none yet. */
  readonly token: string | undefined;
}

/** Whether a Secret is for this account: the uid is written down when it is first seen, and an account made anew is another one. */
export function isOfAccount(secret: SecretView, accountUid: string | undefined): boolean {
  const known = secret.annotations[accountUidAnnotation] ?? "";
  return accountUid !== undefined && (known === "" || known === accountUid);
}

/**
 * Fills a Secret that is to hold a token of a ServiceAccount, and removes one whose account is gone. Pure.
 * https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#manual-secret-management-for-serviceaccounts
 */
export function planTokenSecret({ secret, accountUid, rootCa, token }: ObservedTokenSecret): Plan | undefined {
  if (secret.accountToken === undefined || secret.deletionMs !== undefined) return undefined;
  const because = referenceOf(resource, secret);
  const { namespace, name, uid, resourceVersion } = secret;
  const account = secret.annotations[accountAnnotation] ?? "";
  if (!isOfAccount(secret, accountUid)) {
    const how = accountUid === undefined ? "does not exist" : "was made anew";
    const reason = `the ServiceAccount ${account} of the token ${how}`;
    return { because, actions: [{ verb: "delete", resource, namespace, name, uid, resourceVersion, reason }] };
  }
  const wanted = {
    "ca.crt": btoa(rootCa),
    namespace: btoa(namespace),
    ...(token === undefined ? {} : { token: btoa(token) }),
  };
  const held = secret.accountToken;
  const isFilled = held.hasToken && held.rootCa === wanted["ca.crt"] && held.namespace === wanted.namespace;
  if (isFilled && secret.annotations[accountUidAnnotation] === accountUid) return undefined;
  const annotations = { [accountUidAnnotation]: accountUid };
  const patch = { metadata: { uid, resourceVersion, annotations }, data: wanted };
  const reason = `the Secret is to hold a token of ServiceAccount ${account} and what is needed to use it`;
  return { because, actions: [{ verb: "patch", resource, namespace, name, type: "merge", patch, reason }] };
}
