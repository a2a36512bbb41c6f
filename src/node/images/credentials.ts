import type { Secret } from "#api/generated/core-v1.ts";
import type { RegistryCredentials } from "#world/container-runtime.ts";
import { parseImage, type ImageReference } from "./reference.ts";

interface DockerAuth {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/**
 * Credentials for an image out of pull secrets, the most specific path first. Malformed secrets are skipped. An image that names
 * no registry gets those of `defaultRegistry`, the host that the runtime asks then, and none at all while nobody told it:
 * credentials never go to another registry than the one they are for.
 */
export function credentialsFor(
  image: string,
  secrets: readonly Secret[],
  defaultRegistry?: string,
): readonly RegistryCredentials[] {
  const reference = parseImage(image);
  const host = reference?.host ?? defaultRegistry;
  if (reference === undefined || host === undefined) return [];
  const found: { readonly length: number; readonly credentials: RegistryCredentials }[] = [];
  for (const secret of secrets) {
    for (const [server, auth] of Object.entries(authsOf(secret))) {
      const prefix = server.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
      if (matches(prefix, host, reference)) found.push({ length: prefix.length, credentials: toCredentials(auth) });
    }
  }
  return found.toSorted((a, b) => b.length - a.length).map(({ credentials }) => credentials);
}

function matches(prefix: string, imageHost: string, image: ImageReference): boolean {
  const [host = "", ...path] = prefix.split("/");
  const hostParts = host.split(".");
  const imageParts = imageHost.split(".");
  // `*` stands for one part of the host's name, as kubelet documents.
  if (hostParts.length !== imageParts.length) return false;
  if (!hostParts.every((part, index) => part === "*" || part === imageParts[index])) return false;
  return path.length === 0 || image.path.startsWith(path.join("/"));
}

function toCredentials(auth: DockerAuth): RegistryCredentials {
  const decoded = auth.auth === undefined ? "" : decodeBase64(auth.auth);
  const colon = decoded.indexOf(":");
  return {
    username: auth.username ?? (colon < 0 ? "" : decoded.slice(0, colon)),
    password: auth.password ?? (colon < 0 ? "" : decoded.slice(colon + 1)),
    auth: "",
    // The runtime would compare it with the registry it asks; ours were chosen for that registry already.
    serverAddress: "",
    identityToken: auth.identitytoken ?? "",
    registryToken: auth.registrytoken ?? "",
  };
}

function authsOf(secret: Secret): Record<string, DockerAuth> {
  const config = secret.data?.[".dockerconfigjson"];
  const old = secret.data?.[".dockercfg"];
  try {
    if (config !== undefined)
      return (JSON.parse(decodeBase64(config)) as { auths?: Record<string, DockerAuth> }).auths ?? {};
    if (old !== undefined) return JSON.parse(decodeBase64(old)) as Record<string, DockerAuth>;
  } catch {
    // A secret that is no JSON gives no credentials; the pull then fails with the registry's own words.
  }
  return {};
}

function decodeBase64(text: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
  } catch {
    // Neither Base64 nor text: no credentials, as above.
    return "";
  }
}
