/** Browsers can send a token only as a WebSocket protocol of this form: the prefix, then the token in base64url. */
export const socketTokenPrefix = "base64url.bearer.authorization.k8s.io.";

/** The protocols of a `Sec-WebSocket-Protocol` header without the token: nobody behind this server may see it. */
export function protocolsWithoutToken(header: string): string[] {
  return header
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && !name.startsWith(socketTokenPrefix));
}
