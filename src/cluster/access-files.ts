import { defaultPolicy, readPolicy, type AuditPolicy } from "#apiserver/audit/policy.ts";
import { readStaticTokens } from "#apiserver/authenticate/static-tokens.ts";
import { readAuthentication } from "#apiserver/configuration/authentication.ts";
import { readAuthorization } from "#apiserver/configuration/authorization.ts";
import type { Configured } from "#apiserver/configuration/document.ts";
import { readEncryption, type EncryptionSettings } from "#apiserver/configuration/encryption.ts";
import { readKubeconfig, type RemoteEndpoint } from "#apiserver/configuration/kubeconfig.ts";
import type { EncryptionKey } from "#apiserver/encryption/sealer.ts";
import type { SealingRule } from "#apiserver/encryption/value-cipher.ts";
import { parseYaml } from "#codec/yaml.ts";
import type { Disk } from "#world/disk.ts";
import type { AccessSettings } from "./access.ts";

/** The files of a cluster's `config` folder. Each is optional. Described in docs/authentication.md. */
export const configFiles = {
  authentication: "authentication.yaml",
  authorization: "authorization.yaml",
  tokens: "tokens.csv",
  tokenWebhook: "token-webhook.kubeconfig",
  auditPolicy: "audit-policy.yaml",
  auditWebhook: "audit-webhook.kubeconfig",
  encryption: "encryption.yaml",
  scheduler: "scheduler.yaml",
} as const;

export function configFolder(dataDir: string): string {
  return `${dataDir}/config`;
}

/** A file of the `config` folder says something that cannot be followed. */
export class ConfigFileError extends Error {
  override readonly name = "ConfigFileError";
  /** The same file may be followed later: what it names is down. */
  readonly mayPass: boolean;
  constructor(path: string, problem: string, mayPass = false) {
    super(`Cannot follow ${path}: ${problem}`);
    this.mayPass = mayPass;
  }
}

type Reading = Pick<Disk, "readText" | "stat" | "list">;

/** What a file of the folder holds; undefined when it is not there. */
export async function readConfigFile(disk: Reading, dataDir: string, name: string): Promise<string | undefined> {
  const path = `${configFolder(dataDir)}/${name}`;
  return (await disk.stat(path)) === undefined ? undefined : await disk.readText(path);
}

/** Hands on what was read; throws `ConfigFileError` for what is wrong. */
export function followed<T>(dataDir: string, name: string, read: Configured<T>): T {
  if (!read.ok) throw new ConfigFileError(`${configFolder(dataDir)}/${name}`, read.problem);
  return read.value;
}

/** A kubeconfig of the folder, or of an absolute path. Undefined when it is not there. */
export async function readEndpoint(disk: Reading, dataDir: string, name: string): Promise<RemoteEndpoint | undefined> {
  const folder = configFolder(dataDir);
  const path = name.startsWith("/") ? name : `${folder}/${name}`;
  if ((await disk.stat(path)) === undefined) return undefined;
  const text = await disk.readText(path);
  const own = path.slice(0, path.lastIndexOf("/"));
  // What it names lies beside it: few small files, read before anything is decided.
  const beside = new Map<string, string>();
  for (const other of await disk.list(own)) {
    const otherPath = `${own}/${other}`;
    const stat = await disk.stat(otherPath);
    if (stat?.kind !== "file" || fileBytesMax < stat.size) continue;
    const content = await disk.readText(otherPath);
    beside.set(other, content);
    beside.set(otherPath, content);
  }
  const read = readKubeconfig(text, (file) => beside.get(file));
  if (!read.ok) throw new ConfigFileError(path, read.problem);
  return read.value;
}

/** Files beside a kubeconfig that it may name are no larger, in bytes. */
const fileBytesMax = 1024 * 1024;

/** Reads all files that say who may come in and who judges them. Throws `ConfigFileError`. */
export async function readAccess(
  disk: Reading,
  dataDir: string,
  forbiddenIssuers: readonly string[],
): Promise<AccessSettings> {
  const authentication = await readAuthenticationPart(disk, dataDir, forbiddenIssuers);
  return { ...authentication, ...(await readAuthorizationPart(disk, dataDir)) };
}

/** The part that says who may come in. Throws `ConfigFileError`. */
export async function readAuthenticationPart(
  disk: Reading,
  dataDir: string,
  forbiddenIssuers: readonly string[],
): Promise<AccessSettings> {
  const text = await readConfigFile(disk, dataDir, configFiles.authentication);
  const tokens = await readConfigFile(disk, dataDir, configFiles.tokens);
  const staticTokens = tokens === undefined ? undefined : readStaticTokens(tokens);
  if (typeof staticTokens === "string")
    throw new ConfigFileError(`${configFolder(dataDir)}/${configFiles.tokens}`, staticTokens);
  const tokenWebhook = await readEndpoint(disk, dataDir, configFiles.tokenWebhook);
  return {
    ...(text !== undefined && {
      authentication: followed(dataDir, configFiles.authentication, readAuthentication(text, forbiddenIssuers)),
    }),
    ...(staticTokens !== undefined && { staticTokens }),
    ...(tokenWebhook !== undefined && { tokenWebhook }),
  };
}

/** The part that says who judges them. Throws `ConfigFileError`. */
export async function readAuthorizationPart(disk: Reading, dataDir: string): Promise<AccessSettings> {
  const text = await readConfigFile(disk, dataDir, configFiles.authorization);
  if (text === undefined) return {};
  const authorizers = followed(dataDir, configFiles.authorization, readAuthorization(text));
  const authorizerEndpoints = new Map<string, RemoteEndpoint>();
  for (const each of authorizers) {
    if (each.type !== "Webhook") continue;
    const endpoint = await readEndpoint(disk, dataDir, each.kubeconfig);
    if (endpoint === undefined)
      throw new ConfigFileError(
        `${configFolder(dataDir)}/${configFiles.authorization}`,
        `${each.kubeconfig} is not there`,
      );
    authorizerEndpoints.set(each.name, endpoint);
  }
  return { authorizers, authorizerEndpoints };
}

/** The policy in `audit-policy.yaml`; without one writes are noted, reads are not. Throws `ConfigFileError`. */
export async function readAuditPolicy(disk: Reading, dataDir: string): Promise<AuditPolicy> {
  const text = await readConfigFile(disk, dataDir, configFiles.auditPolicy);
  if (text === undefined) return defaultPolicy;
  const parsed = parseYaml(text);
  const policy = parsed.ok ? readPolicy(parsed.documents[0]) : parsed.message;
  if (typeof policy === "string")
    throw new ConfigFileError(`${configFolder(dataDir)}/${configFiles.auditPolicy}`, policy);
  return policy;
}

/** Which kinds lie sealed in the store's file: those of `encryption.yaml`, and Secrets where it does not name them. */
export async function readEncryptionSettings(
  disk: Reading,
  dataDir: string,
  ownKeys: readonly EncryptionKey[],
): Promise<EncryptionSettings> {
  const text = await readConfigFile(disk, dataDir, configFiles.encryption);
  const always: SealingRule = { resources: ["secrets"], key: ownKeys[0] };
  if (text === undefined) return { rules: [always], keys: ownKeys };
  const { rules, keys } = followed(dataDir, configFiles.encryption, readEncryption(text, ownKeys));
  return { rules: [...rules, always], keys };
}
