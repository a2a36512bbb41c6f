import { fromBase64 } from "../authenticate/base64.ts";
import { pluginTimeoutMs } from "../encryption/limits.ts";
import { isSameKey, keyLengths, type EncryptionKey, type FileKey, type PluginKey } from "../encryption/sealer.ts";
import type { SealingRule } from "../encryption/value-cipher.ts";
import { configurationGroup, readDocument, type Configured, type Section } from "./document.ts";

export interface EncryptionSettings {
  /** The first that names a resource decides. */
  readonly rules: readonly SealingRule[];
  /** Every key that is named anywhere: all of them open. */
  readonly keys: readonly EncryptionKey[];
}

type KeyProvider = NonNullable<FileKey["provider"]>;

const providerNames = ["aesgcm", "secretbox", "kms", "cluster", "identity"] as const;

/**
 * Reads `EncryptionConfiguration` (apiserver.config.k8s.io/v1). Providers are `aesgcm`, `secretbox`, `kms` (v2), `identity`, and
 * `cluster`, the cluster's own keys; others are refused: what is not sealed as asked must not be stored.
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
  const names = providerNames.filter((name) => provider.has(name));
  if (provider.has("aescbc"))
    provider.problem("aescbc", "is not supported, as it does not notice changed values: use secretbox or aesgcm");
  if (names.length !== 1) provider.problem("", `names exactly one of ${providerNames.join(", ")}`);
  const empty = provider.section("cluster") ?? provider.section("identity");
  empty?.end();
  const [name] = names;
  const section = provider.section("aesgcm") ?? provider.section("secretbox") ?? provider.section("kms");
  provider.end();
  if (name === "cluster") return ownKeys[0];
  if (section === undefined || name === undefined || name === "identity") return undefined;
  if (name === "kms") return readPlugin(section, keys);
  const read = section.sections("keys").map((each) => readKey(each, name, keys));
  if (read.length === 0) section.problem("keys", "Required value");
  section.end();
  return read[0];
}

function readKey(section: Section, provider: KeyProvider, keys: Map<string, EncryptionKey>): EncryptionKey {
  const name = section.neededText("name");
  if (!/^[\x21-\x7e]{1,255}$/.test(name)) section.problem("name", "has 1 to 255 printable characters");
  const key = fromBase64(section.neededText("secret")) ?? new Uint8Array(0);
  // The text itself is never shown.
  const lengths = keyLengths[provider];
  if (!lengths.includes(key.length)) section.problem("secret", `must be ${lengths.join(", ")} bytes in base64`);
  section.end();
  return named(section, { name, key, provider }, keys);
}

/** https://kubernetes.io/docs/tasks/administer-cluster/kms-provider/#encrypting-your-data-with-the-kms-provider */
function readPlugin(section: Section, keys: Map<string, EncryptionKey>): PluginKey {
  const name = section.neededText("name");
  if (!/^[\x21-\x39\x3b-\x7e]{1,255}$/.test(name))
    section.problem("name", "has 1 to 255 printable characters without colons");
  const version = section.text("apiVersion") ?? "v1";
  if (version !== "v2")
    section.problem("apiVersion", `is ${version}: only v2 is supported, v1 is deprecated since 1.28`);
  if (section.has("cachesize")) section.problem("cachesize", "is not for v2");
  const endpoint = section.neededText("endpoint");
  const socketPath = /^unix:\/\/(\/.+)$/.exec(endpoint)?.[1] ?? "";
  if (socketPath === "") section.problem("endpoint", `"${endpoint}" is no unix:///PATH`);
  const timeoutMs = section.durationMs("timeout") ?? pluginTimeoutMs;
  if (timeoutMs <= 0) section.problem("timeout", "must be longer than 0s");
  section.end();
  return named(section, { name, provider: "kms", socketPath, timeoutMs }, keys);
}

/** A key under its name, which no other one has. */
function named<T extends EncryptionKey>(section: Section, key: T, keys: Map<string, EncryptionKey>): T {
  const other = keys.get(key.name);
  if (other !== undefined && !isSameKey(other, key)) section.problem("name", `another key is called ${key.name}`);
  keys.set(key.name, key);
  return key;
}
