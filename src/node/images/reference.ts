const component = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const hostPattern = /^(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** What an image's name says. `host` is undefined when the name leaves it to the runtime. */
export interface ImageReference {
  readonly host: string | undefined;
  /** Below the host: `team/app`. */
  readonly path: string;
}

/**
 * Reads an image's name; undefined when it is none, or is the digest of an image alone. A name without a registry's host stays
 * without one: the runtime knows its own default, and we give no credentials on its behalf.
 */
export function parseImage(image: string): ImageReference | undefined {
  const at = image.indexOf("@");
  const digest = at < 0 ? undefined : image.slice(at + 1);
  const named = at < 0 ? image : image.slice(0, at);
  const tagAt = named.lastIndexOf(":");
  const tagged = tagAt > named.lastIndexOf("/");
  const name = tagged ? named.slice(0, tagAt) : named;
  const tag = tagged ? named.slice(tagAt + 1) : undefined;
  if ((digest !== undefined && !digestPattern.test(digest)) || (tag !== undefined && !tagPattern.test(tag)))
    return undefined;
  const parts = name.split("/");
  const first = parts[0] ?? "";
  const hasHost = parts.length > 1 && (first.includes(".") || first.includes(":") || first === "localhost");
  const names = hasHost ? parts.slice(1) : parts;
  if ((hasHost && !hostPattern.test(first)) || !names.every((part) => component.test(part))) return undefined;
  return { host: hasHost ? first : undefined, path: names.join("/") };
}

/** Whether a text names an image, by a name or by the digest of one that is here. */
export function isImageName(image: string): boolean {
  return digestPattern.test(image) || parseImage(image) !== undefined;
}
