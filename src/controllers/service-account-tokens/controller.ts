import { serviceaccounts } from "#api/generated/resources.ts";
import { pathOf } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import {
  accountAnnotation,
  secretDeclaration,
  serviceAccountDeclaration,
  type SecretView,
} from "../views/namespace.ts";
import { isOfAccount, planTokenSecret } from "./plan.ts";

/** Puts tokens of ServiceAccounts into the Secrets that ask for them. */
export function createServiceAccountTokenController(dependencies: Dependencies, rootCa: string): Controller {
  const { client, informers } = dependencies;
  const secrets = informers.of(secretDeclaration);
  const accounts = informers.of(serviceAccountDeclaration);
  return createLoop(dependencies, {
    name: "serviceaccount-token",
    eventSource: "serviceaccount-token",
    needs: [secrets, accounts],
    watch: (enqueue) => [
      secrets.handle((key, _old, current) => {
        if (current?.accountToken !== undefined) enqueue(key);
      }),
      accounts.handle((_key, old, current) => {
        if (old === undefined || old.uid === current?.uid) return;
        for (const secret of secrets.by("namespace", old.namespace))
          if (secret.accountToken !== undefined && secret.annotations[accountAnnotation] === old.name)
            enqueue(secret.key);
      }),
    ],
    async pass(key) {
      const secret = secrets.get(key);
      if (secret?.accountToken === undefined) return undefined;
      const name = secret.annotations[accountAnnotation] ?? "";
      const { namespace } = secret;
      // An account that was made a moment ago may not have been seen yet: nothing is removed for that.
      const accountUid =
        accounts.get(keyOf(namespace, name))?.uid ??
        (await client.find(serviceaccounts, { namespace, name }))?.metadata.uid;
      const needsToken = !secret.accountToken.hasToken && isOfAccount(secret, accountUid);
      const token = needsToken ? await orderToken(client, secret, name) : undefined;
      return planTokenSecret({ secret, accountUid, rootCa, token });
    },
  });
}

/** A token that lives as long as the Secret: it is bound to it, and no two Secrets have the same uid. */
async function orderToken(client: Client, { namespace, name, uid }: SecretView, account: string): Promise<string> {
  const spec = {
    audiences: [],
    expirationSeconds: limits.secretTokenSeconds,
    boundObjectRef: { kind: "Secret", apiVersion: "v1", name, uid },
  };
  const path = pathOf(serviceaccounts, { namespace, name: account, subresource: "token" });
  const order = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec };
  const answer = (await client.request("POST", path, order)) as { readonly status: { readonly token: string } };
  return answer.status.token;
}
