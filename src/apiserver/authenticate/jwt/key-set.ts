import { isRecord } from "#codec/record.ts";
import type { Clock } from "#world/clock.ts";
import type { JsonWebKeys, VerifyingKey } from "#world/json-web-keys.ts";
import type { JwtIssuer } from "../../configuration/authentication.ts";
import { destinationOf, type Remote } from "../../remote/remote.ts";
import { issuerKeysMax, issuerTimeoutMs, keysAskAgainMs, keysKeepMs } from "../limits.ts";
import type { UnverifiedToken } from "./token.ts";

interface PublishedKey {
  readonly keyId: string | undefined;
  readonly key: VerifyingKey;
}

export type SignatureCheck = { readonly ok: true } | { readonly ok: false; readonly detail: string };

/** What is needed to find an issuer's keys. */
export type KeyOwner = Pick<JwtIssuer, "url" | "discoveryUrl" | "ca">;

const holds: SignatureCheck = { ok: true };

/**
 * The keys of one issuer, found by its discovery document when a token first needs them. A token that no known key fits makes
 * us ask again, so that a rotation needs nobody's attention; how often is bounded, whatever tokens arrive.
 */
export class IssuerKeys {
  readonly #issuer: KeyOwner;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #webKeys: JsonWebKeys;
  readonly #remote: Remote;
  #keys: readonly PublishedKey[] = [];
  #problem = "its keys were never read";
  #keySetUrl: string | undefined;
  #askedAt = -Infinity;
  #readAt = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(
    issuer: KeyOwner,
    parts: { readonly clock: Pick<Clock, "monotonic">; readonly webKeys: JsonWebKeys; readonly remote: Remote },
  ) {
    this.#issuer = issuer;
    this.#clock = parts.clock;
    this.#webKeys = parts.webKeys;
    this.#remote = parts.remote;
  }

  /** Whether one of the issuer's keys made the token's signature. A promise only where the issuer has to be asked. */
  check(token: UnverifiedToken): SignatureCheck | Promise<SignatureCheck> {
    if (this.#fits(token)) {
      // Keys that were taken back must not live on here: old ones are read again, beside the work.
      if (keysKeepMs < this.#clock.monotonic() - this.#readAt) void this.#ask();
      return holds;
    }
    if (this.#asking === undefined && this.#clock.monotonic() - this.#askedAt < keysAskAgainMs) return this.#refusal();
    return this.#ask().then(() => (this.#fits(token) ? holds : this.#refusal()));
  }

  #refusal(): SignatureCheck {
    const detail = this.#keys.length === 0 ? this.#problem : "no key of the issuer fits the signature";
    return { ok: false, detail };
  }

  #fits({ keyId, algorithm, signed, signature }: UnverifiedToken): boolean {
    return this.#keys.some((each) => {
      if (keyId !== undefined && each.keyId !== keyId) return false;
      return each.key.algorithms.includes(algorithm) && each.key.verify(algorithm, signed, signature);
    });
  }

  /** One question at a time, whoever waits for its answer. */
  #ask(): Promise<void> {
    this.#asking ??= this.#read().then((problem) => {
      this.#asking = undefined;
      this.#askedAt = this.#clock.monotonic();
      if (problem !== undefined) this.#problem = problem;
    });
    return this.#asking;
  }

  /** What went wrong; what was known before stays then. */
  async #read(): Promise<string | undefined> {
    if (this.#keySetUrl === undefined) {
      const found = await this.#discover();
      if (!found.ok) return found.problem;
      this.#keySetUrl = found.url;
    }
    const reply = await this.#get(this.#keySetUrl);
    if (!reply.ok) {
      // It may have moved: the next question begins at the discovery document.
      this.#keySetUrl = undefined;
      return `cannot read its keys: ${reply.problem}`;
    }
    const listed = reply.body["keys"];
    if (!Array.isArray(listed)) return "cannot read its keys: the answer is no key set";
    this.#keys = listed.slice(0, issuerKeysMax).flatMap((jwk: unknown) => this.#readKey(jwk));
    this.#readAt = this.#clock.monotonic();
    return this.#keys.length === 0 ? "it publishes no usable key" : undefined;
  }

  #readKey(jwk: unknown): PublishedKey[] {
    if (!isRecord(jwk) || (jwk["use"] !== undefined && jwk["use"] !== "sig")) return [];
    const key = this.#webKeys.read(jwk);
    return key === undefined ? [] : [{ keyId: typeof jwk["kid"] === "string" ? jwk["kid"] : undefined, key }];
  }

  async #discover(): Promise<{ ok: true; url: string } | { ok: false; problem: string }> {
    const { url, discoveryUrl } = this.#issuer;
    const reply = await this.#get(discoveryUrl ?? `${url.replace(/\/$/, "")}/.well-known/openid-configuration`);
    if (!reply.ok) return { ok: false, problem: `cannot read its discovery document: ${reply.problem}` };
    const { issuer, jwks_uri: keySetUrl } = reply.body;
    if (issuer !== url) return { ok: false, problem: "its discovery document is of another issuer" };
    if (typeof keySetUrl !== "string" || !URL.canParse(keySetUrl) || !keySetUrl.startsWith("https://"))
      return { ok: false, problem: "its discovery document names no key set that https reaches" };
    return { ok: true, url: keySetUrl };
  }

  #get(text: string): ReturnType<Remote["get"]> {
    const url = new URL(text);
    return this.#remote.get(destinationOf(url, this.#issuer.ca), `${url.pathname}${url.search}`, issuerTimeoutMs);
  }
}
