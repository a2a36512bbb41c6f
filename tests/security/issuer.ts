/** Issuers of OpenID Connect as tests need them. */
import { startOutside, type Authority, type OutsideServer } from "./outside.ts";

/** An issuer that publishes these keys. */
export async function serveIssuer(
  keys: () => readonly Record<string, unknown>[],
  authority?: Authority,
): Promise<OutsideServer> {
  const server = await startOutside(({ path }) => {
    if (path === "/.well-known/openid-configuration")
      return { body: { issuer: server.url, jwks_uri: `${server.url}/keys` } };
    return path === "/keys" ? { body: { keys: keys() } } : { status: 404 };
  }, authority);
  return server;
}

/** The file that names these issuers, each with what it says beside its place. */
export function issuersFile(jwt: readonly object[]): Record<string, string> {
  const document = { apiVersion: "apiserver.config.k8s.io/v1", kind: "AuthenticationConfiguration", jwt };
  return { "authentication.yaml": JSON.stringify(document) };
}

/** The place of an issuer whose tokens are for `steersman`. */
export function placeOf({ url, ca }: OutsideServer): { readonly issuer: object } {
  return { issuer: { url, certificateAuthority: ca, audiences: ["steersman"] } };
}
