import type { SubjectAccessReview } from "#api/generated/authorization-v1.ts";
import type { TokenReview } from "#api/generated/authentication-v1.ts";
import { subjectaccessreviews, tokenreviews } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import type { Clock } from "#world/clock.ts";
import type { Certificates } from "#world/crypto.ts";
import type { HttpRequest, Peer } from "#world/http.ts";
import { reviewDeniedKeepMs, reviewKeepMs, reviewsMax } from "../limits.ts";

export interface Caller {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
}

export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly status: 401 | 403 | 500; readonly message: string };

interface Kept {
  readonly value: unknown;
  readonly until: number;
}

/** Who may use the agent's API: client certificates of the cluster, or tokens that the API knows; the API judges their rights. */
export class Access {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #certificates: Pick<Certificates, "read">;
  readonly #nodeName: string;
  readonly #onProblem: (problem: string, error: unknown) => void;
  readonly #kept = new Map<string, Kept>();

  constructor(options: {
    readonly client: Client;
    readonly clock: Clock;
    readonly certificates: Pick<Certificates, "read">;
    readonly nodeName: string;
    readonly onProblem: (problem: string, error: unknown) => void;
  }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#certificates = options.certificates;
    this.#nodeName = options.nodeName;
    this.#onProblem = options.onProblem;
  }

  /** Whether one of these subresources of this node is the caller's. Fails closed: no answer from the API means no. */
  async judge(request: HttpRequest, peer: Peer, verb: string, wanted: readonly string[]): Promise<Verdict> {
    try {
      const caller = await this.#callerOf(request, peer);
      if (caller === undefined) return { allowed: false, status: 401, message: "Unauthorized" };
      // The group that RBAC may never restrict: asking would only cost the round trip.
      if (caller.groups.includes("system:masters")) return { allowed: true };
      for (const one of wanted) if (await this.#mayDo(caller, verb, one)) return { allowed: true };
      const what = `user=${caller.name}, verb=${verb}, resource=nodes, subresource(s)=[${wanted.join(" ")}]`;
      return { allowed: false, status: 403, message: `Forbidden (${what})` };
    } catch (error) {
      this.#onProblem("cannot ask the API who may use this node's", error);
      return { allowed: false, status: 500, message: "the API server could not be asked" };
    }
  }

  async #callerOf(request: HttpRequest, peer: Peer): Promise<Caller | undefined> {
    if (peer.certificate !== undefined) {
      const certificate = this.#certificates.read(peer.certificate);
      const now = this.#clock.now();
      const valid =
        certificate !== undefined &&
        certificate.notBefore <= now &&
        now < certificate.notAfter &&
        certificate.usages.includes("client");
      return valid
        ? { name: certificate.subject.commonName, uid: "", groups: certificate.subject.organizations ?? [] }
        : undefined;
    }
    const token = /^Bearer (\S+)$/i.exec(request.headers["authorization"] ?? "")?.[1];
    return token === undefined
      ? undefined
      : this.#keep(
          `token ${token}`,
          () => this.#reviewToken(token),
          (caller) => caller !== undefined,
        );
  }

  async #reviewToken(token: string): Promise<Caller | undefined> {
    const review = await this.#client.create<TokenReview>(
      tokenreviews,
      {},
      {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token },
      },
    );
    if (review.status.authenticated !== true) return undefined;
    const { username = "", uid = "", groups = [] } = review.status.user;
    return { name: username, uid, groups };
  }

  #mayDo(caller: Caller, verb: string, subresource: string): Promise<boolean> {
    const key = `may ${JSON.stringify([caller, verb, subresource])}`;
    const ask = async (): Promise<boolean> => {
      const review = await this.#client.create<SubjectAccessReview>(
        subjectaccessreviews,
        {},
        {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          spec: {
            user: caller.name,
            uid: caller.uid,
            groups: [...caller.groups],
            resourceAttributes: { verb, version: "v1", resource: "nodes", subresource, name: this.#nodeName },
          },
        },
      );
      return review.status.allowed === true;
    };
    return this.#keep(key, ask, (allowed) => allowed);
  }

  async #keep<T>(key: string, ask: () => Promise<T>, isGood: (value: T) => boolean): Promise<T> {
    const now = this.#clock.monotonic();
    const known = this.#kept.get(key);
    if (known !== undefined && now < known.until) return known.value as T;
    const value = await ask();
    if (this.#kept.size >= reviewsMax)
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest);
        break;
      }
    this.#kept.delete(key);
    this.#kept.set(key, { value, until: now + (isGood(value) ? reviewKeepMs : reviewDeniedKeepMs) });
    return value;
  }
}
