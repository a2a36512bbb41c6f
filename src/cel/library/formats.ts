import { global, member, type Overload } from "../library.ts";
import { parseTimestamp } from "../scalar-text.ts";
import { list, opaque, optional, string } from "../types.ts";
import { ArrayList, none, Opaque, Optional } from "../value.ts";

const type = opaque("kubernetes.NamedFormat");

/** What is wrong with a text; empty when nothing is. */
type Check = (text: string) => readonly string[];

class NamedFormat extends Opaque {
  readonly typeName = "kubernetes.NamedFormat";
  readonly name: string;
  readonly check: Check;

  constructor(name: string, check: Check) {
    super();
    this.name = name;
    this.check = check;
  }

  equals(other: Opaque): boolean {
    return other instanceof NamedFormat && other.name === this.name;
  }
}

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const labelError =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must " +
  "start and end with an alphanumeric character";
const subdomainError =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character";
const label1035Error =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
  "alphabetic character, and end with an alphanumeric character";

/** A shape of limited length. Patterns here never backtrack: the length is checked first. */
function shaped(pattern: string, lengthMax: number, message: string, isPrefix = false): Check {
  const shape = new RegExp(`^(?:${pattern})$`);
  return (text) => {
    const errors: string[] = [];
    if (lengthMax < text.length) return [`must be no more than ${lengthMax} characters`];
    const checked = isPrefix && text.endsWith("-") ? `${text.slice(0, -1)}a` : text;
    if (!shape.test(checked)) errors.push(message);
    return errors;
  };
}

const subdomain = `${label}(\\.${label})*`;
const namePart = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const nameError =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

function qualifiedName(text: string): readonly string[] {
  const parts = text.split("/");
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? (parts[0] ?? "") : undefined;
  if (2 < parts.length)
    return [`a qualified name must consist of a name with an optional DNS subdomain prefix and '/'`];
  const errors =
    prefix === undefined ? [] : prefix === "" ? ["prefix part must be non-empty"] : checks.dns1123Subdomain(prefix);
  if (name === "") return [...errors, "name part must be non-empty"];
  return [...errors, ...shaped(namePart, 63, nameError)(name)];
}

function labelValue(text: string): readonly string[] {
  if (text === "") return [];
  return shaped(
    namePart,
    63,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', " +
      "and must start and end with an alphanumeric character",
  )(text);
}

function holds(test: (text: string) => boolean, message: string): Check {
  return (text) => (test(text) ? [] : [message]);
}

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

const checks = {
  dns1123Label: shaped(label, 63, labelError),
  dns1123Subdomain: shaped(subdomain, 253, subdomainError),
  dns1035Label: shaped("[a-z]([-a-z0-9]*[a-z0-9])?", 63, label1035Error),
  qualifiedName,
  dns1123LabelPrefix: shaped(label, 63, labelError, true),
  dns1123SubdomainPrefix: shaped(subdomain, 253, subdomainError, true),
  dns1035LabelPrefix: shaped("[a-z]([-a-z0-9]*[a-z0-9])?", 63, label1035Error, true),
  labelValue,
  uri: holds((text) => /^([A-Za-z][-+.A-Za-z0-9]*:[^\s]*|\/[^\s]*)$/.test(text), "invalid URI"),
  uuid: holds((text) => uuid.test(text), "does not match the UUID format"),
  byte: holds((text) => text.length % 4 === 0 && base64.test(text), "invalid base64"),
  date: holds(
    (text) => /^\d{4}-\d\d-\d\d$/.test(text) && parseTimestamp(`${text}T00:00:00Z`) !== undefined,
    "invalid date",
  ),
  datetime: holds((text) => parseTimestamp(text) !== undefined, "invalid datetime"),
} satisfies Record<string, Check>;

const formats = new Map(Object.entries(checks).map(([name, check]) => [name, new NamedFormat(name, check)]));

function named(name: string): Optional {
  const found = formats.get(name);
  return found === undefined ? none : new Optional(found);
}

function validate(format: NamedFormat, text: string): Optional {
  const errors = format.check(text);
  return errors.length === 0 ? none : new Optional(new ArrayList(errors));
}

export const formatLibrary: readonly Overload[] = [
  ...[...formats.values()].map((format) => global(`format.${format.name}`, [], type, () => format)),
  global("format.named", [string], optional(type), named),
  member("validate", [type, string], optional(list(string)), validate, {
    cost: (sizes) => Math.ceil((sizes[1] ?? 1) * 0.1 * 8),
  }),
];
