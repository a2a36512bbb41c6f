const component = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const hostPattern = /^(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** The full name of an image: `nginx` is `docker.io/library/nginx:latest`. Undefined when it is no image name. */
export function canonicalImage(image: string): string | undefined {
  if (digestPattern.test(image)) return image;
  const at = image.indexOf("@");
  const digest = at < 0 ? undefined : image.slice(at + 1);
  const named = at < 0 ? image : image.slice(0, at);
  const tagAt = named.lastIndexOf(":");
  const tagged = tagAt > named.lastIndexOf("/");
  const path = tagged ? named.slice(0, tagAt) : named;
  const tag = tagged ? named.slice(tagAt + 1) : undefined;
  if ((digest !== undefined && !digestPattern.test(digest)) || (tag !== undefined && !tagPattern.test(tag)))
    return undefined;
  const parts = path.split("/");
  const first = parts[0] ?? "";
  const hasHost = parts.length > 1 && (first.includes(".") || first.includes(":") || first === "localhost");
  const host = hasHost ? first : "docker.io";
  const names = hasHost ? parts.slice(1) : parts;
  if (!hostPattern.test(host) || !names.every((name) => component.test(name))) return undefined;
  const full = host === "docker.io" && names.length === 1 ? ["library", ...names] : names;
  const suffix = digest === undefined ? `:${tag ?? "latest"}` : `${tag === undefined ? "" : `:${tag}`}@${digest}`;
  return `${host}/${full.join("/")}${suffix}`;
}

/** The registry an image name speaks of: `docker.io` when it names none. */
export function registryOf(image: string): string {
  return canonicalImage(image)?.split("/")[0] ?? "";
}
