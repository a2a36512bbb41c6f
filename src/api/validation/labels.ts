import type { FieldErrors } from "./field-errors.ts";
import { isDns1123Subdomain, labelLengthMax, tooLongMessage, utf8Length } from "./names.ts";

const nameFormat = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const valueFormat = `(${nameFormat})?`;
const namePart = new RegExp(`^${nameFormat}$`);
const valueText = new RegExp(`^${valueFormat}$`);

const nameMessage =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. " +
  `'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${nameFormat}')`;
const valueMessage =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " +
  `alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${valueFormat}')`;
const qualifiedMessage =
  "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end " +
  "with an alphanumeric character (e.g. " +
  `'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${nameFormat}') ` +
  "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";

/** All annotations of an object together, keys and values, in bytes. */
const annotationsSizeMaxBytes = 256 * 1024;

/** What is wrong with `[prefix/]name`, as label keys, resource names and finalizers use it. */
export function isQualifiedName(text: string): string[] {
  const slash = text.indexOf("/");
  if (slash !== -1 && text.includes("/", slash + 1)) return [qualifiedMessage];
  const messages: string[] = [];
  const name = text.slice(slash + 1);
  if (slash === 0) messages.push("prefix part must be non-empty");
  else if (slash > 0)
    for (const message of isDns1123Subdomain(text.slice(0, slash))) messages.push(`prefix part ${message}`);
  if (name === "") messages.push("name part must be non-empty");
  else if (name.length > labelLengthMax) messages.push(`name part ${tooLongMessage(labelLengthMax)}`);
  if (!namePart.test(name)) messages.push(nameMessage);
  return messages;
}

export function isLabelValue(value: string): string[] {
  const messages: string[] = [];
  if (utf8Length(value) > labelLengthMax) messages.push(tooLongMessage(labelLengthMax));
  if (!valueText.test(value)) messages.push(valueMessage);
  return messages;
}

export function validateLabelKey(errors: FieldErrors, field: string, key: string): void {
  errors.invalidEach(field, key, isQualifiedName(key));
}

export function validateLabels(errors: FieldErrors, field: string, labels: Record<string, string> | undefined): void {
  if (labels === undefined) return;
  for (const key in labels) {
    const value = labels[key] ?? "";
    if (!namePart.test(key) || key.length > labelLengthMax) validateLabelKey(errors, field, key);
    if (value.length > labelLengthMax || !valueText.test(value)) errors.invalidEach(field, value, isLabelValue(value));
  }
}

export function validateAnnotations(
  errors: FieldErrors,
  field: string,
  annotations: Record<string, string> | undefined,
): void {
  if (annotations === undefined) return;
  let bytes = 0;
  for (const key in annotations) {
    errors.invalidEach(field, key, isQualifiedName(key.toLowerCase()));
    bytes += utf8Length(key) + utf8Length(annotations[key] ?? "");
  }
  if (bytes > annotationsSizeMaxBytes) errors.tooLong(field, annotationsSizeMaxBytes);
}
