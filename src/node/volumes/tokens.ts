import type { Pod } from "#api/generated/core-v1.ts";
import { pathOf } from "#api/resource.ts";
import { serviceaccounts } from "#api/generated/resources.ts";
import type { NodeContext } from "../context.ts";
import { tokenRenewFraction } from "../limits.ts";

interface Held {
  readonly token: string;
  readonly renewAt: number;
}

interface TokenAnswer {
  readonly status?: { readonly token?: string; readonly expirationTimestamp?: string };
}

/** Service account tokens bound to pods, kept until 80 % of their life is over. */
export class PodTokens {
  readonly #context: NodeContext;
  readonly #held = new Map<string, Map<string, Held>>();

  constructor(context: NodeContext) {
    this.#context = context;
  }

  async token(pod: Pod, audience: string, expirationSeconds: number): Promise<string> {
    const uid = pod.metadata.uid ?? "";
    const key = `${audience} ${expirationSeconds}`;
    const now = this.#context.clock.now();
    const held = this.#held.get(uid)?.get(key);
    if (held !== undefined && now < held.renewAt) return held.token;
    const account = pod.spec.serviceAccountName || "default";
    const path = pathOf(serviceaccounts, { namespace: pod.metadata.namespace, name: account, subresource: "token" });
    const answer = (await this.#context.client.request("POST", path, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        ...(audience === "" ? {} : { audiences: [audience] }),
        expirationSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name: pod.metadata.name, uid },
      },
    })) as TokenAnswer;
    const token = answer.status?.token;
    if (token === undefined || token === "") throw new Error(`the API gave no token for service account ${account}`);
    const ends = Date.parse(answer.status?.expirationTimestamp ?? "");
    const lifeMs = Number.isNaN(ends) ? expirationSeconds * 1000 : ends - now;
    const ofPod = this.#held.get(uid) ?? new Map<string, Held>();
    ofPod.set(key, { token, renewAt: now + lifeMs * tokenRenewFraction });
    this.#held.set(uid, ofPod);
    return token;
  }

  /** When the first token of a pod is due, milliseconds since 1970. */
  renewAt(podUid: string): number | undefined {
    const times = [...(this.#held.get(podUid)?.values() ?? [])].map(({ renewAt }) => renewAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  forget(podUid: string): void {
    this.#held.delete(podUid);
  }
}
