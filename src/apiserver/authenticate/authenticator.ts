import type { Clock } from "#world/clock.ts";
import type { Certificates, Crypto } from "#world/crypto.ts";
import type { HttpRequest, Peer } from "#world/http.ts";
import type { Authentication, Authenticator } from "../authenticator.ts";
import type { ObjectReader } from "../object-reader.ts";
import type { User } from "../user.ts";
import { fromBase64Url } from "./base64.ts";
import { checkBootstrapToken } from "./bootstrap-tokens.ts";
import { createCertificateChecker } from "./client-certificates.ts";
import { anonymousUser, withAuthenticated } from "./groups.ts";
import { tokenCharsMax } from "./limits.ts";
import type { JwtChecker } from "./jwt/checker.ts";
import { createServiceAccountTokenChecker } from "./service-account-tokens.ts";
import type { ServiceAccountKey } from "./signing-key.ts";
import type { WebhookTokenChecker } from "./webhook-tokens.ts";
import { socketTokenPrefix } from "./socket-token.ts";

export interface AuthenticatorOptions {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly certificates: Pick<Certificates, "read">;
  /** Told how long the client certificate of each request goes on, in seconds. */
  readonly onLifetime?: ((seconds: number) => void) | undefined;
  readonly objects: ObjectReader;
  /** The current key and those of before a rotation. */
  readonly serviceAccountKeys: readonly ServiceAccountKey[];
  /** Who issues service account tokens, e.g. `https://kubernetes.default.svc.cluster.local`. */
  readonly issuer: string;
  /** The audiences of this API; the first is the default of new tokens. */
  readonly audiences: readonly string[];
  /** Where a caller without credentials is system:anonymous; elsewhere such a caller gets 401. */
  readonly anonymousPaths?: readonly string[];
  /** Tokens fixed at the start of the process. */
  readonly staticTokens?: ReadonlyMap<string, User>;
  /** Issuers of OpenID Connect; absent: none is trusted. */
  readonly jwt?: JwtChecker;
  /** Asked last, about tokens that nobody here knows; absent: they are nobody's. */
  readonly webhook?: WebhookTokenChecker;
}

/** The paths at which nobody needs to say who they are. */
const healthPaths = ["/livez", "/readyz", "/healthz", "/version", "/version/"];

const none: Authentication = { ok: false, reason: "none" };
const anonymous: Authentication = { ok: true, user: anonymousUser };

/** Finds out who makes a request: by client certificate, else by bearer token, else anonymous where that is allowed. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const certificates = createCertificateChecker(options);
  const serviceAccounts = createServiceAccountTokenChecker({ ...options, keys: options.serviceAccountKeys });
  const lastTokens = new LastTokens();
  const anonymousPaths = new Set(options.anonymousPaths ?? healthPaths);

  function checkToken(token: string, audiences: readonly string[]): Authentication | Promise<Authentication> {
    if (tokenCharsMax < token.length) return { ok: false, reason: "invalid", detail: "token is too long" };
    const asked = audiences.length === 0 ? options.audiences : audiences;
    // A token of our own that does not hold goes no further: what it says is nobody else's business.
    const bound = serviceAccounts.check(token, asked);
    if (bound !== undefined) return bound;
    const other = checkStatic(token) ?? checkBootstrapToken(options, token) ?? options.jwt?.check(token);
    if (other instanceof Promise) return other.then((settled) => forThisApi(settled, asked));
    if (other !== undefined) return forThisApi(other, asked);
    return options.webhook?.check(token, asked) ?? { ok: false, reason: "invalid", detail: "nobody knows this token" };
  }

  /** Other kinds of tokens say nothing of our audiences: they are for this API and nobody else. */
  function forThisApi(result: Authentication, asked: readonly string[]): Authentication {
    if (!result.ok) return result;
    const shared = asked.filter((audience) => options.audiences.includes(audience));
    if (shared.length === 0) return { ok: false, reason: "invalid", detail: "token is for other audiences" };
    return { ...result, audiences: shared };
  }

  function checkStatic(token: string): Authentication | undefined {
    const known = staticUsers.get(token);
    return known === undefined ? undefined : { ok: true, user: known };
  }
  const staticUsers = new Map<string, User>();
  for (const [token, user] of options.staticTokens ?? []) {
    staticUsers.set(token, { ...user, groups: withAuthenticated(user.groups) });
  }

  return {
    checkToken,
    authenticate(request: HttpRequest, peer: Peer) {
      const byCertificate = peer.certificate === undefined ? undefined : certificates.check(peer.certificate);
      if (byCertificate?.ok === true) return byCertificate;
      const token = lastTokens.of(request, peer);
      if (token !== undefined) return checkToken(token, options.audiences);
      if (byCertificate !== undefined) return byCertificate;
      return anonymousPaths.has(pathOf(request.target)) ? anonymous : none;
    },
  };
}

const scheme = "bearer ";

/** `Bearer TOKEN`, the scheme in any case; undefined for anything else. */
function tokenOfHeader(header: string): string | undefined {
  if (header.slice(0, scheme.length).toLowerCase() !== scheme) return undefined;
  const token = header.slice(scheme.length).trim();
  return token === "" || /\s/.test(token) ? undefined : token;
}

/** The last token of each connection: most send the same one each time, which then is neither cut out nor hashed again. */
class LastTokens {
  readonly #byPeer = new WeakMap<Peer, { readonly header: string; readonly token: string }>();

  of(request: HttpRequest, peer: Peer): string | undefined {
    const header = request.headers["authorization"];
    if (header === undefined) return bearerToken(request);
    const last = this.#byPeer.get(peer);
    if (last?.header === header) return last.token;
    const token = tokenOfHeader(header);
    if (token === undefined) return bearerToken(request);
    this.#byPeer.set(peer, { header, token });
    return token;
  }
}

function pathOf(target: string): string {
  const question = target.indexOf("?");
  return question === -1 ? target : target.slice(0, question);
}

/** The token of the Authorization header, or the one that browsers can only send as a WebSocket protocol. */
export function bearerToken(request: HttpRequest): string | undefined {
  const header = request.headers["authorization"];
  const token = header === undefined ? undefined : tokenOfHeader(header);
  if (token !== undefined) return token;
  const protocols = request.headers["sec-websocket-protocol"];
  if (protocols === undefined || !protocols.includes(socketTokenPrefix)) return undefined;
  const named = protocols
    .split(",")
    .map((protocol) => protocol.trim())
    .find((protocol) => protocol.startsWith(socketTokenPrefix));
  const bytes = fromBase64Url(named?.slice(socketTokenPrefix.length) ?? "");
  return bytes === undefined || bytes.length === 0 ? undefined : new TextDecoder().decode(bytes);
}
