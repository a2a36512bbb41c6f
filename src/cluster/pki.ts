import type { World } from "#world/world.ts";
import type { CertificateRequest } from "#world/crypto.ts";
import type { TlsIdentity } from "#world/http.ts";
import { addressAt } from "#base/cidr.ts";
import { encodeBase64 } from "#codec/base64.ts";
import { fromBase64 } from "#apiserver/authenticate/base64.ts";
import type { FileKey } from "#apiserver/encryption/sealer.ts";
import type { Disk } from "#world/disk.ts";
import { ConfigFileError } from "./access-files.ts";
import { BrokenDataDirError, clusterPaths, type ClusterSettings } from "./settings.ts";

const dayMs = 24 * 60 * 60 * 1000;
const caDays = 3650;
const leafDays = 365;
/** Leaves are made anew at a start when they end within this time. */
export const renewBeforeMs = 90 * dayMs;
/** Clocks of nodes may differ: certificates count from a little earlier. */
const backdateMs = 5 * 60 * 1000;

const encryptionKeyBytes = 32;

type PkiWorld = Pick<World, "disk" | "crypto" | "certificates" | "clock">;

export interface Pki {
  readonly caCertificate: string;
  readonly server: TlsIdentity;
  readonly admin: TlsIdentity;
  /** By which agents know the server. */
  readonly nodeClient: TlsIdentity;
  /** By which aggregated servers trust the server's word about who asks. */
  readonly frontProxy: TlsIdentity;
  readonly frontProxyCa: string;
  /** What the ingress shows for hosts without a certificate of their own. */
  readonly ingress: TlsIdentity;
  /** Key that service account tokens are signed with. */
  readonly serviceAccountKey: { readonly privateKey: string; readonly publicKey: string };
  /** A client and serving identity for a node of this machine. */
  node(name: string, address: string): Promise<TlsIdentity>;
  readonly ca: { readonly certificate: string; readonly key: string };
}

function encryptionKeysFile(dataDir: string): string {
  return `${clusterPaths(dataDir).pki}/encryption.keys`;
}

/** Makes the file of the keys that values at rest are sealed with, when none is there. */
export async function makeEncryptionKeys(world: Pick<World, "disk" | "random">, dataDir: string): Promise<void> {
  const path = encryptionKeysFile(dataDir);
  if ((await world.disk.stat(path)) !== undefined) return;
  await world.disk.makeDirectory(clusterPaths(dataDir).pki, 0o700);
  const line = `key-1 ${encodeBase64(world.random.bytes(encryptionKeyBytes))}\n`;
  await world.disk.writeAtomically(path, line, 0o600);
}

/**
 * The keys that values at rest are sealed with, from `encryption.keys`: a line `name base64` each. The first seals, all open.
 * Throws `ConfigFileError`, which shows no key.
 */
export async function readEncryptionKeys(
  disk: Pick<Disk, "readText" | "stat">,
  dataDir: string,
): Promise<readonly FileKey[]> {
  const path = encryptionKeysFile(dataDir);
  if ((await disk.stat(path)) === undefined) throw new ConfigFileError(path, "it is not there");
  const keys = new Map<string, FileKey>();
  for (const [index, line] of (await disk.readText(path)).split("\n").entries()) {
    if (line.trim() === "") continue;
    const [name = "", text = "", ...rest] = line.trim().split(/\s+/);
    const key = fromBase64(text);
    if (rest.length > 0 || key?.length !== encryptionKeyBytes)
      throw new ConfigFileError(path, `line ${index + 1} is no name and ${encryptionKeyBytes} bytes in base64`);
    if (!/^[\x21-\x7e]{1,255}$/.test(name) || keys.has(name))
      throw new ConfigFileError(path, `line ${index + 1} has a name that is too long, or that another line has`);
    keys.set(name, { name, key });
  }
  if (keys.size === 0) throw new ConfigFileError(path, "it holds no key");
  return [...keys.values()];
}

export interface ServerNames {
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
}

/** Loads the cluster's keys and certificates, making what is missing and renewing what ends soon. */
export async function openPki(world: PkiWorld, dataDir: string, serverNames: ServerNames): Promise<Pki> {
  const folder = clusterPaths(dataDir).pki;
  await world.disk.makeDirectory(folder, 0o700);
  const ca = await openCa(world, `${folder}/ca`, "steersman-ca");
  // Of its own: no client certificate may ever pass for the front proxy's.
  const frontProxyCa = await openCa(world, `${folder}/front-proxy-ca`, "steersman-front-proxy-ca");
  const serviceAccountKey = await openKey(world, `${folder}/service-account`);
  const server = await openLeaf(world, folder, ca, "server", {
    subject: { commonName: "kube-apiserver" },
    ...serverNames,
    usages: ["server"],
  });
  const admin = await openLeaf(world, folder, ca, "admin", {
    subject: { commonName: "kubernetes-admin", organizations: ["system:masters"] },
    usages: ["client"],
  });
  const nodeClient = await openLeaf(world, folder, ca, "node-client", {
    subject: { commonName: "kube-apiserver-kubelet-client", organizations: ["system:masters"] },
    usages: ["client"],
  });
  const frontProxy = await openLeaf(world, folder, frontProxyCa, "front-proxy", {
    subject: { commonName: "front-proxy-client" },
    usages: ["client"],
  });
  const ingress = await openLeaf(world, folder, ca, "ingress", {
    subject: { commonName: "steersman-ingress" },
    dnsNames: ["ingress.invalid"],
    usages: ["server"],
  });
  return {
    caCertificate: ca.certificate,
    ca,
    server,
    admin,
    ingress,
    nodeClient,
    frontProxy,
    frontProxyCa: frontProxyCa.certificate,
    serviceAccountKey,
    node: (name, address) => openNodeLeaf(world, folder, ca, name, address),
  };
}

function openNodeLeaf(
  world: PkiWorld,
  folder: string,
  ca: TlsIdentity,
  name: string,
  address: string,
): Promise<TlsIdentity> {
  return openLeaf(world, folder, ca, `node-${name}`, {
    subject: { commonName: `system:node:${name}`, organizations: ["system:nodes"] },
    dnsNames: [name],
    addresses: [address],
    usages: ["client", "server"],
  });
}

/** Opens a node's identity alone, made anew when it ends soon: what an agent renews is nobody else's. */
export async function openNodeIdentity(
  world: PkiWorld,
  dataDir: string,
  node: { readonly name: string; readonly address: string },
): Promise<TlsIdentity> {
  const folder = clusterPaths(dataDir).pki;
  const ca = await readIdentity(world, `${folder}/ca`);
  if (ca === undefined) throw new Error(`Cannot renew the identity of ${node.name}: there is no CA in ${folder}`);
  return await openNodeLeaf(world, folder, ca, node.name, node.address);
}

/** Certificates of the cluster that lie on disk, by name. Changes nothing. */
export async function readCertificates(
  world: Pick<World, "disk">,
  dataDir: string,
  names: readonly string[],
): Promise<{ readonly name: string; readonly certificate: string }[]> {
  const folder = clusterPaths(dataDir).pki;
  const found: { readonly name: string; readonly certificate: string }[] = [];
  for (const name of names) {
    const path = `${folder}/${name}.crt`;
    if ((await world.disk.stat(path)) !== undefined) found.push({ name, certificate: await world.disk.readText(path) });
  }
  return found;
}

async function openCa(world: PkiWorld, path: string, commonName: string): Promise<TlsIdentity> {
  const found = await readIdentity(world, path);
  if (found !== undefined) {
    if (world.certificates.read(found.certificate) !== undefined) return found;
    throw new BrokenDataDirError(`${path}.crt`, "it is no certificate");
  }
  const { privateKey, publicKey } = world.crypto.generateKey();
  const now = world.clock.now();
  const certificate = await world.certificates.issue(
    {
      subject: { commonName },
      publicKey,
      usages: ["ca"],
      notBefore: now - backdateMs,
      notAfter: now + caDays * dayMs,
    },
    { selfSignedWith: privateKey },
  );
  return await writeIdentity(world, path, { certificate, key: privateKey });
}

async function openLeaf(
  world: PkiWorld,
  folder: string,
  ca: TlsIdentity,
  name: string,
  request: Omit<CertificateRequest, "publicKey" | "notBefore" | "notAfter">,
): Promise<TlsIdentity> {
  const now = world.clock.now();
  const found = await readIdentity(world, `${folder}/${name}`);
  if (found !== undefined && isStillGood(world, found, request, now)) return found;
  const { privateKey, publicKey } = world.crypto.generateKey();
  const notBefore = now - backdateMs;
  const notAfter = now + leafDays * dayMs;
  const certificate = await world.certificates.issue({ ...request, publicKey, notBefore, notAfter }, ca);
  return await writeIdentity(world, `${folder}/${name}`, { certificate, key: privateKey });
}

function isStillGood(
  world: PkiWorld,
  identity: TlsIdentity,
  request: Pick<CertificateRequest, "dnsNames" | "addresses">,
  now: number,
): boolean {
  const info = world.certificates.read(identity.certificate);
  return (
    info !== undefined &&
    info.notAfter - now > renewBeforeMs &&
    (request.dnsNames ?? []).every((name) => info.dnsNames.includes(name)) &&
    (request.addresses ?? []).every((address) => info.addresses.includes(address))
  );
}

async function openKey(world: PkiWorld, path: string): Promise<{ privateKey: string; publicKey: string }> {
  if ((await world.disk.stat(`${path}.key`)) !== undefined && (await world.disk.stat(`${path}.pub`)) !== undefined) {
    return {
      privateKey: await world.disk.readText(`${path}.key`),
      publicKey: await world.disk.readText(`${path}.pub`),
    };
  }
  const pair = world.crypto.generateKey();
  await world.disk.writeAtomically(`${path}.key`, pair.privateKey, 0o600);
  await world.disk.writeAtomically(`${path}.pub`, pair.publicKey, 0o600);
  return pair;
}

async function readIdentity(world: PkiWorld, path: string): Promise<TlsIdentity | undefined> {
  if ((await world.disk.stat(`${path}.crt`)) === undefined) return undefined;
  if ((await world.disk.stat(`${path}.key`)) === undefined)
    throw new BrokenDataDirError(`${path}.key`, "it is missing beside its certificate");
  return { certificate: await world.disk.readText(`${path}.crt`), key: await world.disk.readText(`${path}.key`) };
}

/** The key goes first: a certificate on disk always has its key. */
async function writeIdentity(world: PkiWorld, path: string, identity: TlsIdentity): Promise<TlsIdentity> {
  await world.disk.writeAtomically(`${path}.key`, identity.key, 0o600);
  await world.disk.writeAtomically(`${path}.crt`, identity.certificate, 0o600);
  return identity;
}

/** The keys and certificates of a cluster with these settings. */
export function openClusterPki(world: PkiWorld, dataDir: string, settings: ClusterSettings): Promise<Pki> {
  return openPki(world, dataDir, {
    dnsNames: [
      "localhost",
      "kubernetes",
      "kubernetes.default",
      "kubernetes.default.svc",
      "kubernetes.default.svc.cluster.local",
    ],
    addresses: ["127.0.0.1", settings.serverAddress, addressAt(settings.serviceRange, 1)].filter(
      (address, index, all) => all.indexOf(address) === index,
    ),
  });
}
