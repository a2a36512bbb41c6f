import { ageColumn, column, nameColumn } from "../columns.ts";
import type { Secret } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { decodeBase64Text, decodedLength, encodeBase64 } from "../validation/base64.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { isConfigMapKey } from "../validation/names.ts";
import { dataSizeMaxBytes } from "./config-map.ts";

const serviceAccountNameAnnotation = "kubernetes.io/service-account.name";

/** Keys that must be there by type, whatever they hold. */
const requiredKeys: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};

function validateSecret(errors: FieldErrors, secret: Secret): void {
  let bytes = 0;
  for (const key in secret.data) {
    errors.invalidEach(`data[${key}]`, key, isConfigMapKey(key));
    bytes += decodedLength(secret.data[key] ?? "");
  }
  if (bytes > dataSizeMaxBytes) errors.tooLong("data", dataSizeMaxBytes);
  for (const key of requiredKeys[secret.type ?? ""] ?? []) {
    if (secret.data?.[key] === undefined) errors.required(`data[${key}]`);
  }
  switch (secret.type) {
    case "kubernetes.io/service-account-token":
      if (!secret.metadata.annotations?.[serviceAccountNameAnnotation]) {
        errors.required(`metadata.annotations[${serviceAccountNameAnnotation}]`);
      }
      break;
    case "kubernetes.io/dockercfg":
      validateJson(errors, secret, ".dockercfg");
      break;
    case "kubernetes.io/dockerconfigjson":
      validateJson(errors, secret, ".dockerconfigjson");
      break;
    case "kubernetes.io/basic-auth":
      if (secret.data?.["username"] === undefined && secret.data?.["password"] === undefined) {
        errors.required("data[username]");
        errors.required("data[password]");
      }
      break;
    default:
  }
}

function validateJson(errors: FieldErrors, secret: Secret, key: string): void {
  const value = secret.data?.[key];
  if (value === undefined) {
    errors.required(`data[${key}]`);
    return;
  }
  try {
    JSON.parse(decodeBase64Text(value) ?? "");
  } catch {
    errors.invalid(`data[${key}]`, "<secret contents redacted>", "invalid character in JSON");
  }
}

function validateSecretUpdate(errors: FieldErrors, secret: Secret, old: Secret): void {
  if (secret.type !== old.type) errors.invalid("type", secret.type, "field is immutable");
  if (old.immutable !== true) return;
  if (secret.immutable !== true) errors.forbidden("immutable", "field is immutable when `immutable` is set");
  if (!semanticallyEqual(secret.data, old.data)) errors.forbidden("data", "field is immutable when `immutable` is set");
}

/** `stringData` is write-only: its texts overwrite `data`. */
function foldStringData(secret: Secret): void {
  if (secret.stringData === undefined) return;
  secret.data ??= {};
  for (const key in secret.stringData) secret.data[key] = encodeBase64(secret.stringData[key] ?? "");
  delete secret.stringData;
}

export const secretRules: KindRules<Secret> = {
  defaults(secret) {
    if (!secret.type) secret.type = "Opaque";
    foldStringData(secret);
  },
  prepareUpdate(secret, old) {
    // The type cannot change, so an update that leaves it out means the stored one.
    if (!secret.type) secret.type = old.type ?? "Opaque";
  },
  validate: (secret) => collect((errors) => validateSecret(errors, secret)),
  validateUpdate: (secret, old) => collect((errors) => validateSecretUpdate(errors, secret, old)),
  columns: [
    nameColumn,
    column("Type", "Used to facilitate programmatic handling of secret data."),
    column("Data", "Data contains the secret data. The serialized form of the secret data is a base64 encoded string."),
    ageColumn,
  ],
  cells: (secret, now) => [
    secret.metadata.name,
    secret.type ?? "",
    Object.keys(secret.data ?? {}).length,
    ageOf(secret.metadata.creationTimestamp, now),
  ],
  fieldSelectors: { type: (secret) => secret.type ?? "" },
};
