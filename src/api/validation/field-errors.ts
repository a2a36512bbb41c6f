import type { FieldError } from "../kind.ts";

/** Go's %q for the common case: what JSON and Go quote alike. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

function printed(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (value === undefined) return "null";
  if (typeof value === "bigint") return value.toString();
  return JSON.stringify(value);
}

function withDetail(text: string, detail: string | undefined): string {
  return detail === undefined || detail === "" ? text : `${text}: ${detail}`;
}

/** Characters of text from which on nothing more is listed: a hostile object is wrong a thousand times over, in large values. */
const textLengthMax = 256 * 1024;

/** Collects everything that is wrong with an object, in Go's words, so that all of it is reported together. */
export class FieldErrors {
  readonly list: FieldError[] = [];
  #textLength = 0;

  required(field: string, detail?: string): void {
    this.#add(field, "FieldValueRequired", () => withDetail("Required value", detail));
  }

  invalid(field: string, value: unknown, detail: string): void {
    this.#add(field, "FieldValueInvalid", () => withDetail(`Invalid value: ${printed(value)}`, detail));
  }

  /** `supported` is printed sorted, as upstream does for its sets. */
  notSupported(field: string, value: unknown, supported: readonly string[]): void {
    this.#add(field, "FieldValueNotSupported", () => {
      const values = [...supported].sort().map(quoted).join(", ");
      const detail = supported.length === 0 ? undefined : `supported values: ${values}`;
      return withDetail(`Unsupported value: ${printed(value)}`, detail);
    });
  }

  forbidden(field: string, detail: string): void {
    this.#add(field, "FieldValueForbidden", () => withDetail("Forbidden", detail));
  }

  duplicate(field: string, value: unknown): void {
    this.#add(field, "FieldValueDuplicate", () => `Duplicate value: ${printed(value)}`);
  }

  notFound(field: string, value: unknown): void {
    this.#add(field, "FieldValueNotFound", () => `Not found: ${printed(value)}`);
  }

  tooLong(field: string, lengthMaxBytes: number): void {
    const unit = lengthMaxBytes === 1 ? "byte" : "bytes";
    this.#add(field, "FieldValueTooLong", () => `Too long: may not be more than ${lengthMaxBytes} ${unit}`);
  }

  tooMany(field: string, count: number, countMax: number): void {
    const unit = countMax === 1 ? "item" : "items";
    this.#add(field, "FieldValueTooMany", () => `Too many: ${count}: must have at most ${countMax} ${unit}`);
  }

  typeInvalid(field: string, value: unknown, detail: string): void {
    this.#add(field, "FieldValueTypeInvalid", () => withDetail(`Invalid value: ${printed(value)}`, detail));
  }

  /** One `invalid` for each of the messages that a format check gave. */
  invalidEach(field: string, value: unknown, details: readonly string[]): void {
    for (const detail of details) this.invalid(field, value, detail);
  }

  /** Required when empty, refused when not one of `supported`. */
  oneOf(field: string, value: string | undefined, supported: readonly string[]): void {
    if (value === undefined || value === "") this.required(field);
    else if (!supported.includes(value)) this.notSupported(field, value, supported);
  }

  nonNegative(field: string, value: number | undefined): void {
    if (value !== undefined && value < 0) this.invalid(field, value, "must be greater than or equal to 0");
  }

  positive(field: string, value: number | undefined): void {
    if (value !== undefined && value <= 0) this.invalid(field, value, "must be greater than 0");
  }

  inRange(field: string, value: number, least: number, most: number): void {
    if (value < least || value > most) this.invalid(field, value, `must be between ${least} and ${most}, inclusive`);
  }

  #add(field: string, reason: FieldError["reason"], text: () => string): void {
    if (textLengthMax < this.#textLength) return;
    const message = text();
    this.#textLength += field.length + message.length;
    this.list.push({ field, reason, message });
  }
}

/** Runs `check` over a fresh collection and answers what it found. */
export function collect(check: (errors: FieldErrors) => void): FieldError[] {
  const errors = new FieldErrors();
  check(errors);
  return errors.list;
}
