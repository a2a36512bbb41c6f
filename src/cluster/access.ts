import type { AuthenticationSettings } from "#apiserver/configuration/authentication.ts";
import type { AuthorizerSettings } from "#apiserver/configuration/authorization.ts";
import type { RemoteEndpoint } from "#apiserver/configuration/kubeconfig.ts";
import { createAuthenticator, type AuthenticatorOptions } from "#apiserver/authenticate/authenticator.ts";
import { createJwtChecker, type JwtChecker } from "#apiserver/authenticate/jwt/checker.ts";
import { createWebhookTokenChecker } from "#apiserver/authenticate/webhook-tokens.ts";
import { createNodeAuthorizer } from "#apiserver/authorize/node-authorizer.ts";
import { createRbac, type Rbac } from "#apiserver/authorize/rbac.ts";
import { unionAuthorizer } from "#apiserver/authorize/union.ts";
import { createWebhookAuthorizer } from "#apiserver/authorize/webhook-authorizer.ts";
import type { Authenticator } from "#apiserver/authenticator.ts";
import type { Authorizer, LocalAuthorizer } from "#apiserver/authorizer.ts";
import { nodeRules } from "#apiserver/bootstrap/component-roles.ts";
import type { ObjectReader } from "#apiserver/object-reader.ts";
import { Remote, type RemoteParts } from "#apiserver/remote/remote.ts";
import type { User } from "#apiserver/user.ts";
import { ingressController } from "#network/ingress/compile.ts";
import type { TurnTimers } from "#apiserver/turns.ts";
import type { JsonWebKeys } from "#world/json-web-keys.ts";

/** Who may come in and who judges them, beyond what every cluster has. Read from files by `access-files.ts`. */
export interface AccessSettings {
  readonly authentication?: AuthenticationSettings;
  readonly staticTokens?: ReadonlyMap<string, User>;
  readonly tokenWebhook?: RemoteEndpoint;
  /** In this order; absent: Node, then RBAC. */
  readonly authorizers?: readonly AuthorizerSettings[];
  /** Where the webhooks among them are, by their names. */
  readonly authorizerEndpoints?: ReadonlyMap<string, RemoteEndpoint>;
}

export interface AccessParts extends RemoteParts {
  readonly timers: RemoteParts["timers"] & TurnTimers;
  readonly webKeys: JsonWebKeys | undefined;
  readonly log: (message: string, detail: string) => void;
}

type Known = Omit<AuthenticatorOptions, "objects" | "staticTokens" | "jwt" | "webhook" | "anonymousPaths">;

/** The gate of one API server: its parts stay the same objects, whatever settings come later. */
export class Access {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  /** Node and RBAC alone, which answer at once. */
  readonly localAuthorizer: LocalAuthorizer;
  readonly rbac: Rbac;
  readonly #objects: ObjectReader;
  readonly #known: Known;
  readonly #parts: AccessParts;
  readonly #node: LocalAuthorizer;
  #authenticator: Authenticator;
  #authorizer: Authorizer;

  constructor(objects: ObjectReader, known: Known, parts: AccessParts, settings: AccessSettings) {
    this.#objects = objects;
    this.#known = known;
    this.#parts = parts;
    this.rbac = createRbac({ objects });
    this.#node = createNodeAuthorizer({ objects, nodeRules, ingressController });
    this.localAuthorizer = unionAuthorizer([this.#node, this.rbac]);
    this.#authenticator = this.#makeAuthenticator(settings);
    this.#authorizer = this.#makeAuthorizer(settings);
    this.authenticator = {
      authenticate: (request, peer) => this.#authenticator.authenticate(request, peer),
      checkToken: (token, audiences) => this.#authenticator.checkToken(token, audiences),
    };
    this.authorizer = {
      authorize: (wanted) => this.#authorizer.authorize(wanted),
      rulesFor: (user, namespace) => this.#authorizer.rulesFor(user, namespace),
    };
  }

  /** From now on these count. Throws when they cannot be followed; then the former ones stay. */
  replace(settings: AccessSettings): void {
    const authenticator = this.#makeAuthenticator(settings);
    this.#authorizer = this.#makeAuthorizer(settings);
    this.#authenticator = authenticator;
  }

  #makeAuthenticator({ authentication, staticTokens, tokenWebhook }: AccessSettings): Authenticator {
    const remote = new Remote(this.#parts);
    const { clock, crypto } = this.#known;
    const anonymousPaths = authentication?.anonymousPaths;
    return createAuthenticator({
      ...this.#known,
      objects: this.#objects,
      ...(staticTokens !== undefined && { staticTokens }),
      ...(anonymousPaths !== undefined && { anonymousPaths }),
      ...this.#jwt(authentication),
      ...(tokenWebhook !== undefined && {
        webhook: createWebhookTokenChecker(tokenWebhook, { clock, crypto, remote }),
      }),
    });
  }

  #jwt(authentication: AuthenticationSettings | undefined): { jwt?: JwtChecker } {
    const issuers = authentication?.issuers ?? [];
    if (issuers.length === 0) return {};
    const { webKeys } = this.#parts;
    if (webKeys === undefined) throw new Error("Cannot trust issuers: this process reads no web keys");
    const { clock, crypto } = this.#known;
    const { timers } = this.#parts;
    return { jwt: createJwtChecker(issuers, { clock, timers, crypto, webKeys, remote: new Remote(this.#parts) }) };
  }

  #makeAuthorizer({ authorizers, authorizerEndpoints }: AccessSettings): Authorizer {
    if (authorizers === undefined) return this.localAuthorizer;
    return unionAuthorizer(
      authorizers.map((each) => {
        if (each.type === "Node") return this.#node;
        if (each.type === "RBAC") return this.rbac;
        if (each.type !== "Webhook") return always(each.type === "AlwaysAllow");
        const endpoint = authorizerEndpoints?.get(each.name);
        if (endpoint === undefined) throw new Error(`Cannot use the authorizer ${each.name}: nobody says where it is`);
        const { clock } = this.#known;
        const { timers } = this.#parts;
        return createWebhookAuthorizer(each, endpoint, {
          clock,
          timers,
          remote: new Remote(this.#parts),
          log: this.#parts.log,
        });
      }),
    );
  }
}

function always(allowed: boolean): LocalAuthorizer {
  const everything = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], resourceNames: [] };
  return {
    authorize: () =>
      allowed ? { allowed, reason: "" } : { allowed, denied: false, reason: "Everything is forbidden." },
    rulesFor: () => ({
      resourceRules: allowed ? [everything] : [],
      nonResourceRules: allowed ? [{ verbs: ["*"], nonResourceURLs: ["*"] }] : [],
      incomplete: false,
    }),
  };
}
