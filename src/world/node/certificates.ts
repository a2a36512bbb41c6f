import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify, X509Certificate } from "node:crypto";
import type { CertificateInfo, CertificateRequest, Certificates, CertificateSubject } from "../crypto.ts";
import { formatAddress, parseAddress } from "./address-bytes.ts";
import * as der from "./der.ts";
import { DerReader, tag } from "./der.ts";

/**
 * The real `Certificates`: a writer and reader of our own for the few forms that a cluster uses (RFC 5280, RFC 2986).
 * `@peculiar/x509` does the same, but costs 142 ms to load, a fifth of the time in which a server shall start.
 * Certificates are signed with ECDSA P-256 and SHA-256. Requests may bring ECDSA, RSA and Ed25519 keys.
 */
export function createCertificates(): Certificates {
  return {
    async issue(request, issuer) {
      return issue(request, issuer);
    },
    async createSigningRequest(subject, key, names) {
      return createSigningRequest(subject, key, names ?? {});
    },
    async readSigningRequest(pem) {
      return orUndefined(() => readSigningRequest(pem));
    },
    read: (certificate) => orUndefined(() => readCertificate(certificate)),
  };
}

const oids = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  extensionRequest: "1.2.840.113549.1.9.14",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
} as const;

/** How requests may be signed; the digest is part of the algorithm for Ed25519. */
const requestDigests = new Map<string, string | null>([
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.3.101.112", null],
]);

type AlternativeNames = { readonly dnsNames?: readonly string[]; readonly addresses?: readonly string[] };

function issue(request: CertificateRequest, issuer: Parameters<Certificates["issue"]>[1]): string {
  const spki = createPublicKey(request.publicKey).export({ type: "spki", format: "der" });
  const keyId = subjectKeyId(spki);
  const signer =
    "selfSignedWith" in issuer
      ? { key: issuer.selfSignedWith, name: distinguishedName(request.subject), keyId }
      : { key: issuer.key, ...issuerNames(issuer.certificate) };
  // 127 random bits: unpredictable as the rules of public authorities ask, positive, below 20 bytes. The second highest
  // bit is set so that every serial number has the same length.
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const toBeSigned = der.sequence(
    der.context(0, der.integer(Uint8Array.of(2))),
    der.integer(serial),
    signatureAlgorithm,
    signer.name,
    der.sequence(der.time(request.notBefore), der.time(request.notAfter)),
    distinguishedName(request.subject),
    spki,
    der.context(3, der.sequence(...extensions(request, keyId, signer.keyId))),
  );
  return toPem("CERTIFICATE", signed(toBeSigned, signer.key));
}

const signatureAlgorithm = der.sequence(der.oid(oids.ecdsaWithSha256));

function signed(toBeSigned: Uint8Array, key: string): Uint8Array {
  const signature = sign("sha256", toBeSigned, createPrivateKey(key));
  return der.sequence(toBeSigned, signatureAlgorithm, der.bitString(signature));
}

function extensions(request: CertificateRequest, keyId: Uint8Array, issuerKeyId: Uint8Array): Uint8Array[] {
  const isCa = request.usages.includes("ca");
  const out = [
    extension(oids.basicConstraints, true, isCa ? der.sequence(der.boolean(true)) : der.sequence()),
    // digitalSignature; of authorities also keyCertSign and cRLSign.
    extension(
      oids.keyUsage,
      true,
      isCa ? der.bitString(Uint8Array.of(0x86), 1) : der.bitString(Uint8Array.of(0x80), 7),
    ),
    extension(oids.subjectKeyId, false, der.octetString(keyId)),
    extension(oids.authorityKeyId, false, der.sequence(der.encode(0x80, issuerKeyId))),
  ];
  const purposes: Uint8Array[] = [];
  if (request.usages.includes("server")) purposes.push(der.oid(oids.serverAuth));
  if (request.usages.includes("client")) purposes.push(der.oid(oids.clientAuth));
  if (purposes.length !== 0) out.push(extension(oids.extendedKeyUsage, false, der.sequence(...purposes)));
  const names = alternativeNames(request);
  if (names !== undefined) out.push(names);
  return out;
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(id), ...flag, der.octetString(value));
}

function alternativeNames(names: AlternativeNames): Uint8Array | undefined {
  const parts = [
    ...(names.dnsNames ?? []).map((name) => der.text(0x82, name)),
    ...(names.addresses ?? []).map((address) => der.encode(0x87, parseAddress(address))),
  ];
  return parts.length === 0 ? undefined : extension(oids.subjectAltName, false, der.sequence(...parts));
}

/** As Go's pkix.Name writes it: organizations in one set, then the common name. */
function distinguishedName(subject: CertificateSubject): Uint8Array {
  const attribute = (id: string, value: string): Uint8Array =>
    der.sequence(der.oid(id), der.text(tag.utf8String, value));
  const organizations = (subject.organizations ?? []).map((name) => attribute(oids.organization, name));
  // DER sorts the members of a set by their encoding.
  organizations.sort((a, b) => Buffer.compare(a, b));
  const parts = organizations.length === 0 ? [] : [der.encode(tag.set, ...organizations)];
  if (subject.commonName !== "") parts.push(der.encode(tag.set, attribute(oids.commonName, subject.commonName)));
  return der.sequence(...parts);
}

/** SHA-1 over the key's bits: method 1 of RFC 5280, an identifier and no protection. */
function subjectKeyId(spki: Uint8Array): Uint8Array {
  const fields = new DerReader(spki).inside(tag.sequence);
  fields.next(tag.sequence);
  return createHash("sha1")
    .update(der.readBits(fields.next(tag.bitString).content))
    .digest();
}

/** The name exactly as the issuer wrote it, because names are compared by their bytes. */
function issuerNames(certificate: string): { name: Uint8Array; keyId: Uint8Array } {
  const parsed = new X509Certificate(certificate);
  const fields = certificateFields(parsed.raw);
  return { name: fields.subject, keyId: fields.subjectKeyId ?? subjectKeyId(fields.spki) };
}

function createSigningRequest(subject: CertificateSubject, key: string, names: AlternativeNames): string {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const alternative = alternativeNames(names);
  const attributes =
    alternative === undefined
      ? []
      : [der.sequence(der.oid(oids.extensionRequest), der.encode(tag.set, der.sequence(alternative)))];
  const info = der.sequence(
    der.integer(Uint8Array.of(0)),
    distinguishedName(subject),
    spki,
    der.context(0, ...attributes),
  );
  return toPem("CERTIFICATE REQUEST", signed(info, key));
}

function readSigningRequest(pem: string): Omit<CertificateInfo, "notBefore" | "notAfter"> | undefined {
  const bytes = fromPem("CERTIFICATE REQUEST", pem) ?? fromPem("NEW CERTIFICATE REQUEST", pem);
  if (bytes === undefined) return undefined;
  const outer = new DerReader(bytes);
  const request = outer.inside(tag.sequence);
  const info = request.next(tag.sequence);
  const algorithm = der.readOid(request.inside(tag.sequence).next(tag.oid).content);
  const signature = der.readBits(request.next(tag.bitString).content);
  if (!outer.done || !request.done) return undefined;
  const fields = new DerReader(info.content);
  fields.next(tag.integer);
  const subject = readName(fields.next(tag.sequence).content);
  const spki = fields.next(tag.sequence).whole;
  const digest = requestDigests.get(algorithm);
  if (digest === undefined) return undefined;
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  if (!verify(digest, info.whole, key, signature)) return undefined;
  const names = readRequestedExtensions(fields);
  return { subject, publicKey: key.export({ type: "spki", format: "pem" }).toString(), ...names };
}

function readRequestedExtensions(fields: DerReader): ReadExtensions {
  const attributes = fields.optional(0xa0);
  const reader = new DerReader(attributes?.content ?? new Uint8Array());
  while (!reader.done) {
    const attribute = reader.inside(tag.sequence);
    if (der.readOid(attribute.next(tag.oid).content) !== oids.extensionRequest) continue;
    return readExtensions(attribute.inside(tag.set).inside(tag.sequence));
  }
  return readExtensions(new DerReader(new Uint8Array()));
}

function readCertificate(certificate: string | Uint8Array): CertificateInfo | undefined {
  const bytes = typeof certificate === "string" ? fromPem("CERTIFICATE", certificate) : certificate;
  if (bytes === undefined) return undefined;
  const fields = certificateFields(bytes);
  return {
    subject: readName(new DerReader(fields.subject).next(tag.sequence).content),
    dnsNames: fields.extensions.dnsNames,
    addresses: fields.extensions.addresses,
    emailAddresses: fields.extensions.emailAddresses,
    uris: fields.extensions.uris,
    notBefore: fields.notBefore,
    notAfter: fields.notAfter,
    publicKey: toPem("PUBLIC KEY", fields.spki),
    usages: fields.extensions.usages,
  };
}

function certificateFields(bytes: Uint8Array): {
  subject: Uint8Array;
  spki: Uint8Array;
  notBefore: number;
  notAfter: number;
  subjectKeyId: Uint8Array | undefined;
  extensions: ReadExtensions;
} {
  const fields = new DerReader(bytes).inside(tag.sequence).inside(tag.sequence);
  fields.optional(0xa0);
  fields.next(tag.integer);
  fields.next(tag.sequence);
  fields.next(tag.sequence);
  const validity = fields.inside(tag.sequence);
  const notBefore = der.readTime(validity.next());
  const notAfter = der.readTime(validity.next());
  const subject = fields.next(tag.sequence).whole;
  const spki = fields.next(tag.sequence).whole;
  fields.optional(0x81);
  fields.optional(0x82);
  const list = fields.optional(0xa3);
  const extensionsReader =
    list === undefined ? new DerReader(new Uint8Array()) : new DerReader(list.content).inside(tag.sequence);
  const extensionList = readExtensions(extensionsReader);
  return { subject, spki, notBefore, notAfter, subjectKeyId: extensionList.subjectKeyId, extensions: extensionList };
}

/** The last common name counts, as in Go; attributes other than these two say nothing to us. */
function readName(content: Uint8Array): CertificateSubject {
  const organizations: string[] = [];
  let commonName = "";
  const sets = new DerReader(content);
  while (!sets.done) {
    const set = sets.inside(tag.set);
    while (!set.done) {
      const attribute = set.inside(tag.sequence);
      const id = der.readOid(attribute.next(tag.oid).content);
      if (id === oids.commonName) commonName = der.readText(attribute.next());
      if (id === oids.organization) organizations.push(der.readText(attribute.next()));
    }
  }
  return { commonName, organizations };
}

interface ReadExtensions {
  readonly dnsNames: string[];
  readonly addresses: string[];
  readonly emailAddresses: string[];
  readonly uris: string[];
  readonly usages: string[];
  subjectKeyId?: Uint8Array;
}

function readExtensions(reader: DerReader): ReadExtensions {
  const out: ReadExtensions = { dnsNames: [], addresses: [], emailAddresses: [], uris: [], usages: [] };
  while (!reader.done) {
    const fields = reader.inside(tag.sequence);
    const id = der.readOid(fields.next(tag.oid).content);
    fields.optional(tag.boolean);
    const value = fields.inside(tag.octetString);
    if (id === oids.subjectAltName) readAlternativeNames(value.inside(tag.sequence), out);
    if (id === oids.extendedKeyUsage) readPurposes(value.inside(tag.sequence), out);
    if (id === oids.subjectKeyId) out.subjectKeyId = value.next(tag.octetString).content;
    if (id === oids.basicConstraints && value.inside(tag.sequence).optional(tag.boolean)?.content[0] === 0xff) {
      out.usages.push("ca");
    }
  }
  return out;
}

function readAlternativeNames(names: DerReader, out: ReadExtensions): void {
  while (!names.done) {
    const name = names.next();
    if (name.tag === 0x81) out.emailAddresses.push(der.readText(name));
    if (name.tag === 0x82) out.dnsNames.push(der.readText(name));
    if (name.tag === 0x86) out.uris.push(der.readText(name));
    if (name.tag === 0x87) out.addresses.push(formatAddress(name.content));
  }
}

function readPurposes(purposes: DerReader, out: ReadExtensions): void {
  while (!purposes.done) {
    const id = der.readOid(purposes.next(tag.oid).content);
    if (id === oids.serverAuth) out.usages.push("server");
    else if (id === oids.clientAuth) out.usages.push("client");
    else out.usages.push(id);
  }
}

function toPem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString("base64")
    .replaceAll(/.{64}(?!$)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** The first block with this label. */
function fromPem(label: string, pem: string): Uint8Array | undefined {
  const begin = `-----BEGIN ${label}-----`;
  const from = pem.indexOf(begin);
  const to = from === -1 ? -1 : pem.indexOf(`-----END ${label}-----`, from);
  return to === -1 ? undefined : Buffer.from(pem.slice(from + begin.length, to), "base64");
}

/** What strangers sent may be anything; only our own mistakes are worth an exception. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof der.DerError || isInputError(error)) return undefined;
    throw error;
  }
}

/** OpenSSL's and TextDecoder's refusals carry a code; programming mistakes do not. */
function isInputError(error: unknown): boolean {
  return error instanceof Error && "code" in error;
}
