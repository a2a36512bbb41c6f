import { fromBase64 } from "../authenticate/base64.ts";
import type { EncryptionKey, SealingRule } from "../encryption/value-cipher.ts";
import { configurationGroup, readDocument, type Configured, type Section } from "./document.ts";

export interface EncryptionSettings {
  /** The first that names a resource decides. */
  readonly rules: readonly SealingRule[];
  /** Every key that is named anywhere: all of them open. */
  readonly keys: readonly EncryptionKey[];
}

const keyBytes = 32;

/**
 * Reads `EncryptionConfiguration` (apiserver.config.k8s.io/v1). Providers are `aesgcm` with keys of 32 bytes, `identity`, and
 * `cluster`, the cluster's own keys; others are refused, because what is not sealed as asked must not be stored.
 */
export function readEncryption(text: string, ownKeys: readonly EncryptionKey[]): Configured<EncryptionSettings> {
  const apiVersions = [`${configurationGroup}/v1`];
  return readDocument(text, { kind: "EncryptionConfiguration", apiVersions }, (root) => {
    const keys = new Map<string, EncryptionKey>(ownKeys.map((key) => [key.name, key]));
    const rules = root.sections("resources").map((section) => readRule(section, ownKeys, keys));
    if (rules.length === 0) root.problem("resources", "Required value");
    root.end();
    return { rules, keys: [...keys.values()] };
  });
}

function readRule(section: Section, ownKeys: readonly EncryptionKey[], keys: Map<string, EncryptionKey>): SealingRule {
  const resources = section.texts("resources");
  if (resources.length === 0) section.problem("resources", "Required value");
  const odd = resources.find((name) => !/^(\*|[a-z][a-z0-9]*)(\.(\*|[a-z0-9.-]*))?$/.test(name));
  if (odd !== undefined) section.problem("resources", `"${odd}" is no resource; write RESOURCE.GROUP, *.GROUP or *.*`);
  const providers = section.sections("providers");
  if (providers.length === 0) section.problem("providers", "Required value");
  const sealing = providers.map((provider) => readProvider(provider, ownKeys, keys));
  section.end();
  return { resources, key: sealing[0] };
}

/** The key that a provider would seal with; undefined for none. */
function readProvider(
  provider: Section,
  ownKeys: readonly EncryptionKey[],
  keys: Map<string, EncryptionKey>,
): EncryptionKey | undefined {
  const names = ["aesgcm", "cluster", "identity"].filter((name) => provider.has(name));
  for (const other of ["aescbc", "secretbox", "kms"]) {
    if (provider.has(other))
      provider.problem(other, "is not supported: use aesgcm, or cluster for the cluster's own keys");
  }
  if (names.length !== 1) provider.problem("", "names exactly one of aesgcm, cluster, identity");
  const empty = provider.section("cluster") ?? provider.section("identity");
  empty?.end();
  const section = provider.section("aesgcm");
  provider.end();
  if (names[0] === "cluster") return ownKeys[0];
  if (section === undefined) return undefined;
  const read = section.sections("keys").map((each) => readKey(each, keys));
  if (read.length === 0) section.problem("keys", "Required value");
  section.end();
  return read[0];
}

function readKey(section: Section, keys: Map<string, EncryptionKey>): EncryptionKey {
  const name = section.neededText("name");
  if (!/^[\x21-\x7e]{1,255}$/.test(name)) section.problem("name", "has 1 to 255 printable characters");
  const key = fromBase64(section.neededText("secret")) ?? new Uint8Array(0);
  // The text itself is never shown.
  if (key.length !== keyBytes) section.problem("secret", `must be ${keyBytes} bytes in base64`);
  section.end();
  const read = { name, key };
  const other = keys.get(name);
  if (other !== undefined && other.key.some((byte, index) => byte !== key[index]))
    section.problem("name", `another key is called ${name}`);
  keys.set(name, read);
  return read;
}
