import type { TlsIdentity } from "#world/http.ts";
import { textFromBase64 } from "../authenticate/base64.ts";
import type { Destination } from "../node-connector.ts";
import { readDocument, type Configured, type Section } from "./document.ts";

/** Where a webhook of the server's own (tokens, authorization, audit) answers, and how it knows the server. */
export interface RemoteEndpoint {
  readonly destination: Destination;
  /** Path and query of the server's URL. */
  readonly path: string;
  readonly bearerToken?: string;
  /** As messages name it: without credentials. */
  readonly url: string;
}

/** Files that a kubeconfig names instead of carrying their content. */
export type ReadFile = (path: string) => string | undefined;

/**
 * Reads a kubeconfig of one current context into the endpoint behind it. Only HTTPS; what would run a program (`exec`,
 * `auth-provider`) or send a password is refused.
 */
export function readKubeconfig(text: string, readFile: ReadFile): Configured<RemoteEndpoint> {
  return readDocument(text, { kind: "Config", apiVersions: ["v1"] }, (root) => {
    root.has("preferences");
    root.has("extensions");
    const context = named(root, "contexts", "context", root.text("current-context") ?? "");
    const cluster = named(root, "clusters", "cluster", context?.text("cluster") ?? "");
    const user = named(root, "users", "user", context?.text("user") ?? "");
    context?.has("namespace");
    context?.end();
    root.end();
    if (cluster === undefined) {
      root.problem("clusters", "the current context names no cluster");
      return nowhere;
    }
    return endpointOf(cluster, user, readFile);
  });
}

const nowhere: RemoteEndpoint = { destination: { scheme: "https", host: "", port: 443 }, path: "/", url: "" };

/** The entry that the current context names; with a single entry, that one. */
function named(root: Section, list: string, field: string, name: string): Section | undefined {
  const entries = root.sections(list);
  const chosen = entries.filter((entry) => {
    const isNamed = entry.text("name") === name;
    return name === "" ? entries.length === 1 : isNamed;
  });
  return chosen[0]?.section(field);
}

function endpointOf(cluster: Section, user: Section | undefined, readFile: ReadFile): RemoteEndpoint {
  const server = cluster.neededText("server");
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || url.protocol !== "https:" || url.host === "" || server.includes("@"))
    cluster.problem("server", "must be an https URL without user information");
  const ca = content(cluster, "certificate-authority", readFile);
  const serverName = cluster.text("tls-server-name");
  if (cluster.flag("insecure-skip-tls-verify") === true)
    cluster.problem("insecure-skip-tls-verify", "is not supported: give its certificate-authority");
  cluster.has("extensions");
  cluster.end();
  const credentials = user === undefined ? {} : credentialsOf(user, readFile);
  if (url === undefined) return nowhere;
  return {
    destination: {
      scheme: "https",
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? 443 : Number(url.port),
      ...(ca !== undefined && { ca }),
      ...(serverName !== undefined && { serverName }),
      ...(credentials.identity !== undefined && { identity: credentials.identity }),
    },
    path: `${url.pathname}${url.search}`,
    url: `https://${url.host}${url.pathname}`,
    ...(credentials.bearerToken !== undefined && { bearerToken: credentials.bearerToken }),
  };
}

function credentialsOf(user: Section, readFile: ReadFile): { identity?: TlsIdentity; bearerToken?: string } {
  const certificate = content(user, "client-certificate", readFile);
  const key = content(user, "client-key", readFile);
  const tokenFile = user.text("tokenFile");
  const bearerToken = user.text("token") ?? (tokenFile === undefined ? undefined : readFile(tokenFile)?.trim());
  if (tokenFile !== undefined && bearerToken === undefined) user.problem("tokenFile", "cannot be read");
  if ((certificate === undefined) !== (key === undefined))
    user.problem("client-certificate", "a certificate and its key come together");
  user.end();
  return {
    ...(certificate !== undefined && key !== undefined && { identity: { certificate, key } }),
    ...(bearerToken !== undefined && { bearerToken }),
  };
}

/** `NAME-data` in base64, or the file that `NAME` names. */
function content(section: Section, name: string, readFile: ReadFile): string | undefined {
  const data = section.text(`${name}-data`);
  const path = section.text(name);
  if (data !== undefined && data !== "") {
    const text = textFromBase64(data);
    if (text === "") section.problem(`${name}-data`, "is not base64");
    return text;
  }
  if (path === undefined || path === "") return undefined;
  const text = readFile(path);
  if (text === undefined) section.problem(name, `${path} cannot be read`);
  return text;
}
