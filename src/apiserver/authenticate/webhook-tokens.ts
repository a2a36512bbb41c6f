import type { Clock } from "#world/clock.ts";
import type { Crypto } from "#world/crypto.ts";
import { isRecord } from "#codec/record.ts";
import type { Authentication } from "../authenticator.ts";
import type { RemoteEndpoint } from "../configuration/kubeconfig.ts";
import type { Remote } from "../remote/remote.ts";
import type { User } from "../user.ts";
import { toBase64Url } from "./base64.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { withAuthenticated } from "./groups.ts";
import { reviewedTokenKeepMs, reviewedTokensMax, tokenWebhookTimeoutMs } from "./limits.ts";

export interface WebhookTokenChecker {
  /** Never rejects. A promise only where the webhook has to be asked. */
  check(token: string, audiences: readonly string[]): Authentication | Promise<Authentication>;
}

interface Kept {
  readonly result: Authentication;
  /** On the monotonic clock. */
  readonly until: number;
}

/**
 * Asks a server outside who a token stands for (Kubernetes: "Webhook Token Authentication"). Its verdicts are remembered, yes
 * and no alike; a failure to answer is not. However many requests bring one token, it is asked once at a time.
 */
export function createWebhookTokenChecker(
  endpoint: RemoteEndpoint,
  parts: { readonly clock: Clock; readonly crypto: Pick<Crypto, "sha256">; readonly remote: Remote },
): WebhookTokenChecker {
  const { clock, crypto, remote } = parts;
  const kept = new BoundedCache<Kept>(reviewedTokensMax);
  const asking = new Map<string, Promise<Authentication>>();

  async function ask(token: string, audiences: readonly string[], digest: string): Promise<Authentication> {
    const review = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: {},
      spec: { token, audiences },
    };
    const reply = await remote.post(endpoint, review, tokenWebhookTimeoutMs);
    if (!reply.ok) return invalid(`the token webhook ${endpoint.url} gave no verdict: ${reply.problem}`);
    const result = verdictOf(reply.body, audiences);
    kept.set(digest, { result, until: clock.monotonic() + reviewedTokenKeepMs });
    return result;
  }

  return {
    check(token, audiences) {
      // Only the hash is kept: a dump of memory must not be a list of everybody's tokens.
      const digest = toBase64Url(crypto.sha256(new TextEncoder().encode(JSON.stringify([token, audiences]))));
      const known = kept.get(digest);
      if (known !== undefined && clock.monotonic() < known.until) return known.result;
      let answer = asking.get(digest);
      if (answer === undefined) {
        answer = ask(token, audiences, digest).finally(() => asking.delete(digest));
        asking.set(digest, answer);
      }
      return answer;
    },
  };
}

function verdictOf(review: Readonly<Record<string, unknown>>, asked: readonly string[]): Authentication {
  const status = isRecord(review["status"]) ? review["status"] : {};
  if (status["authenticated"] !== true) return invalid("the token webhook does not know the token");
  const user = userOf(status["user"]);
  if (user === undefined) return invalid("the token webhook named no user");
  const named = textsOf(status["audiences"]);
  // A webhook that knows no audiences speaks for those of this API.
  const audiences = named.length === 0 ? asked : named.filter((audience) => asked.includes(audience));
  if (audiences.length === 0) return invalid("token is for other audiences");
  return { ok: true, user, audiences };
}

function userOf(value: unknown): User | undefined {
  if (!isRecord(value)) return undefined;
  const { username, uid, groups, extra } = value;
  if (typeof username !== "string" || username === "") return undefined;
  const fields = isRecord(extra) ? Object.entries(extra) : [];
  return {
    name: username,
    uid: typeof uid === "string" ? uid : "",
    groups: withAuthenticated(textsOf(groups)),
    extra: Object.fromEntries(fields.map(([key, values]) => [key, textsOf(values)])),
  };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}

function invalid(detail: string): Authentication {
  return { ok: false, reason: "invalid", detail };
}
