// The formats of names, each answering the messages of what is wrong (empty: nothing). The texts are those that clients of
// the published API see, because people search for them.

const labelFormat = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomainFormat = `${labelFormat}(\\.${labelFormat})*`;
const label1035Format = "[a-z]([-a-z0-9]*[a-z0-9])?";
const configKeyFormat = "[-._a-zA-Z0-9]+";
const identifierFormat = "[A-Za-z_][A-Za-z0-9_]*";

const label = new RegExp(`^${labelFormat}$`);
const subdomain = new RegExp(`^${subdomainFormat}$`);
const label1035 = new RegExp(`^${label1035Format}$`);
const wildcardSubdomain = new RegExp(`^\\*\\.${subdomainFormat}$`);
const configKey = new RegExp(`^${configKeyFormat}$`);
const identifier = new RegExp(`^${identifierFormat}$`);

export const labelLengthMax = 63;
const subdomainLengthMax = 253;

/** Bytes of `text` in UTF-8, which is what Go's `len` counts. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    // A surrogate pair is two units and four bytes, so each half adds one; the rest of the plane is three bytes a unit.
    bytes += code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 1 : 2;
  }
  return bytes;
}

export function tooLongMessage(lengthMax: number): string {
  return `must be no more than ${lengthMax} bytes`;
}

function formatMessage(message: string, format: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}'`).join(",  or ");
  return examples.length === 0
    ? `${message} (regex used for validation is '${format}')`
    : `${message} (e.g. ${shown}, regex used for validation is '${format}')`;
}

const labelMessage = formatMessage(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must " +
    "start and end with an alphanumeric character",
  labelFormat,
  "my-name",
  "123-abc",
);

const subdomainMessage = formatMessage(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and " +
    "must start and end with an alphanumeric character",
  subdomainFormat,
  "example.com",
);

const label1035Message = formatMessage(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
    "alphabetic character, and end with an alphanumeric character",
  label1035Format,
  "my-name",
  "abc-123",
);

function checked(text: string, format: RegExp, lengthMax: number, message: string): string[] {
  const messages: string[] = [];
  if (utf8Length(text) > lengthMax) messages.push(tooLongMessage(lengthMax));
  if (!format.test(text)) messages.push(message);
  return messages;
}

export type NameCheck = (name: string) => string[];

export const isDns1123Label: NameCheck = (name) => checked(name, label, labelLengthMax, labelMessage);

export const isDns1123Subdomain: NameCheck = (name) => checked(name, subdomain, subdomainLengthMax, subdomainMessage);

export const isDns1035Label: NameCheck = (name) => checked(name, label1035, labelLengthMax, label1035Message);

export const isWildcardDns1123Subdomain: NameCheck = (name) =>
  checked(
    name,
    wildcardSubdomain,
    subdomainLengthMax,
    formatMessage(
      "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must " +
        "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
      `\\*\\.${subdomainFormat}`,
      "*.example.com",
    ),
  );

/** Names that only have to be one segment of a path (RBAC roles and the like). */
export const isPathSegmentName: NameCheck = (name) => {
  if (name === "." || name === "..") return [`may not be '${name}'`];
  return ["/", "%"].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`);
};

/** Since 1.34 nearly every printable ASCII character but '=' may stand in the name of an environment variable. */
export const isEnvVarName: NameCheck = (name) => {
  const messages: string[] = [];
  if (name.length === 0) messages.push("environment variable name must be non-empty");
  if (/[^ -~]|=/.test(name)) {
    messages.push("a valid environment variable name must consist only of printable ASCII characters other than '='");
  }
  return messages;
};

/** The stricter, older form, still asked for by prefixes of envFrom in some places. */
export const isCIdentifier: NameCheck = (name) =>
  identifier.test(name)
    ? []
    : [
        formatMessage(
          "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
          identifierFormat,
          "my_name",
          "MY_NAME",
          "MyName",
        ),
      ];

/** Keys of ConfigMaps and Secrets. */
export const isConfigMapKey: NameCheck = (key) => {
  const messages: string[] = [];
  if (utf8Length(key) > subdomainLengthMax) messages.push(tooLongMessage(subdomainLengthMax));
  if (!configKey.test(key)) {
    messages.push(
      formatMessage(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        configKeyFormat,
        "key.name",
        "KEY_NAME",
        "key-name",
      ),
    );
  }
  if (key === ".") messages.push("must not be '.'");
  if (key === "..") messages.push("must not be '..'");
  else if (key.startsWith("..")) messages.push("must not start with '..'");
  return messages;
};

/** Names of ports in pods (RFC 6335, IANA_SVC_NAME). */
export const isValidPortName: NameCheck = (name) => {
  const messages: string[] = [];
  if (name.length > 15) messages.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(name))
    messages.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(name)) messages.push("must contain at least one letter (a-z)");
  if (name.includes("--")) messages.push("must not contain consecutive hyphens");
  if (name.length > 0 && (name.startsWith("-") || name.endsWith("-")))
    messages.push("must not begin or end with a hyphen");
  return messages;
};

/** A check of a whole name, as it applies to `generateName`: what stands before the generated part may end in '-'. */
export function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith("-") ? `${name.slice(0, -2)}a` : name;
}
