import { strictErrorsMax } from "./limits.ts";
import { PlainRecord } from "./record.ts";

/** What is wrong with a document, and after how many characters. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

type Container = unknown[] | Record<string, unknown>;

const quote = 34;
const backslash = 92;
const comma = 44;
const colon = 58;
const openBrace = 123;
const closeBrace = 125;
const openBracket = 91;
const closeBracket = 93;
const minus = 45;
const point = 46;
const zero = 48;
const nine = 57;

const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);
/** Characters of the longest 64-bit integer. */
const int64LengthMax = 20;
/** Characters of a number that a message repeats. */
const shownLengthMax = 400;
/** Digits that always fit a double exactly. */
const safeDigits = 15;

/** From this length on V8 makes slices as views of the whole text. */
const slicedLengthMin = 13;

/** Recently seen keys: the same string object for the same key makes property access and memory cheap. */
const keyCache: string[] = Array.from({ length: 2048 }, () => "");
const keyLengthMax = 64;

/** A parser for one document. Iterative, so that nesting costs no stack. */
export class JsonParser {
  readonly duplicates: string[] = [];
  private readonly text: string;
  private readonly depthMax: number;
  private at = 0;
  private duplicatesSeen = 0;
  protected lastRead = 0;
  private readonly stack: Container[] = [];
  /** The key under which the value being read will stand, one for each open object. */
  private readonly keys: string[] = [];

  constructor(text: string, depthMax: number) {
    this.text = text;
    this.depthMax = depthMax;
  }

  parse(): unknown {
    for (;;) {
      const code = this.skipSpace();
      let value: unknown;
      if (code === openBrace) {
        const record = new PlainRecord();
        this.open(record);
        if (this.skipSpace() !== closeBrace) {
          this.readKey();
          continue;
        }
        value = this.close();
      } else if (code === openBracket) {
        const list: unknown[] = [];
        this.open(list);
        if (this.skipSpace() !== closeBracket) continue;
        value = this.close();
      } else {
        value = this.readScalar(code);
      }
      const done = this.attach(value);
      if (done !== undefined) return this.finish(done.value);
    }
  }

  private open(container: Container): void {
    this.at += 1;
    this.stack.push(container);
    this.keys.push("");
    if (this.stack.length > this.depthMax) throw new JsonSyntaxError("exceeded max depth", this.at);
  }

  private close(): Container {
    this.at += 1;
    this.keys.pop();
    return this.stack.pop() as Container;
  }

  /** Puts a finished value into its container, and closes what ends here. Answers the document when it is complete. */
  private attach(value: unknown): { value: unknown } | undefined {
    for (;;) {
      const depth = this.stack.length - 1;
      if (depth < 0) return { value };
      const container = this.stack[depth] as Container;
      if (Array.isArray(container)) {
        container.push(value);
        const code = this.skipSpace();
        if (code === comma) {
          this.at += 1;
          return undefined;
        }
        if (code !== closeBracket) throw this.unexpected("after array element");
      } else {
        this.store(container, this.keys[depth] as string, value);
        const code = this.skipSpace();
        if (code === comma) {
          this.at += 1;
          this.skipSpace();
          this.readKey();
          return undefined;
        }
        if (code !== closeBrace) throw this.unexpected("after object key:value pair");
      }
      value = this.close();
    }
  }

  private store(record: Record<string, unknown>, key: string, value: unknown): void {
    if (record[key] !== undefined && this.duplicatesSeen < strictErrorsMax) {
      this.duplicatesSeen += 1;
      const path = this.path();
      if (!this.duplicates.includes(path)) this.duplicates.push(path);
    }
    record[key] = value;
  }

  /** Where the parser stands, in Go's notation. */
  private path(): string {
    let path = "";
    for (let i = 0; i < this.stack.length; i += 1) {
      const container = this.stack[i] as Container;
      if (Array.isArray(container)) path += `[${container.length}]`;
      else path += path === "" ? this.keys[i] : `.${this.keys[i]}`;
    }
    return path;
  }

  private finish(value: unknown): unknown {
    this.skipSpace();
    if (this.at < this.text.length) throw this.unexpected("after top-level value");
    return value;
  }

  /** The code of the next character that is no space, NaN at the end. */
  private skipSpace(): number {
    const text = this.text;
    let at = this.at;
    let code = text.charCodeAt(at);
    while (code === 32 || code === 10 || code === 13 || code === 9) {
      at += 1;
      code = text.charCodeAt(at);
    }
    this.at = at;
    return code;
  }

  private readKey(): void {
    const text = this.text;
    if (text.charCodeAt(this.at) !== quote) throw this.unexpected("looking for beginning of object key string");
    const start = this.at + 1;
    let at = start;
    let hash = 0;
    let code = text.charCodeAt(at);
    while (code !== quote && code !== backslash && code >= 32) {
      hash = (hash * 31 + code) | 0;
      at += 1;
      code = text.charCodeAt(at);
    }
    let key: string;
    if (code === quote && at - start <= keyLengthMax) {
      const slot = (hash ^ (hash >>> 11)) & 2047;
      key = keyCache[slot] as string;
      if (key.length !== at - start || !text.startsWith(key, start)) {
        key = text.slice(start, at);
        keyCache[slot] = key;
      }
      this.at = at + 1;
    } else {
      key = this.readString();
    }
    this.keys[this.keys.length - 1] = key;
    if (this.skipSpace() !== colon) throw this.unexpected("after object key");
    this.at += 1;
  }

  private readScalar(code: number): unknown {
    if (code === quote) return this.readString();
    if (code === minus || (code >= zero && code <= nine)) return this.readNumber();
    if (code === 116) return this.readLiteral("true", true);
    if (code === 102) return this.readLiteral("false", false);
    if (code === 110) return this.readLiteral("null", null);
    throw this.unexpected("looking for beginning of value");
  }

  private readLiteral(word: string, value: unknown): unknown {
    if (this.text.startsWith(word, this.at)) {
      this.at += word.length;
      return value;
    }
    for (let i = 1; i < word.length; i += 1) {
      this.at += 1;
      if (this.text[this.at] !== word[i]) throw this.unexpected(`in literal ${word} (expecting '${word[i]}')`);
    }
    return value;
  }

  private readString(): string {
    const text = this.text;
    const start = this.at + 1;
    let at = start;
    let code = text.charCodeAt(at);
    while (code !== quote && code !== backslash && code >= 32) {
      at += 1;
      code = text.charCodeAt(at);
    }
    this.at = at;
    if (code !== quote) return this.readEscapedString(start);
    this.at = at + 1;
    return this.part(start, at);
  }

  /**
   * A part of the text that does not keep the whole text alive. V8 makes long slices as views: one uid kept from a list of
   * 10 MB would hold all of it. Joining two parts and reading a character makes a string of its own (15 ns more).
   */
  private part(start: number, end: number): string {
    if (end - start < slicedLengthMin) return this.text.slice(start, end);
    const joined = this.text.slice(start, start + 1) + this.text.slice(start + 1, end);
    // The character must be used, or the optimizer drops the reading.
    this.lastRead = joined.charCodeAt(1);
    return joined;
  }

  private readEscapedString(start: number): string {
    const text = this.text;
    let result = this.part(start, this.at);
    for (;;) {
      const code = text.charCodeAt(this.at);
      if (code === quote) {
        this.at += 1;
        // Only what escapes made can be ill-formed: the bytes were valid UTF-8.
        return result.toWellFormed();
      }
      if (code === backslash) {
        this.at += 1;
        result += this.readEscape();
        continue;
      }
      if (!(code >= 32)) throw this.unexpected("in string literal");
      const from = this.at;
      let next = code;
      while (next !== quote && next !== backslash && next >= 32) {
        this.at += 1;
        next = text.charCodeAt(this.at);
      }
      result += this.part(from, this.at);
    }
  }

  private readEscape(): string {
    const letter = this.text[this.at];
    const plain = letter === undefined ? undefined : escapes.get(letter);
    if (plain !== undefined) {
      this.at += 1;
      return plain;
    }
    if (letter !== "u") throw this.unexpected("in string escape code");
    let unit = 0;
    for (let i = 0; i < 4; i += 1) {
      this.at += 1;
      const digit = hexadecimal.indexOf((this.text[this.at] ?? "?").toLowerCase());
      if (digit < 0) throw this.unexpected("in \\u hexadecimal character escape");
      unit = unit * 16 + digit;
    }
    this.at += 1;
    return String.fromCharCode(unit);
  }

  private readNumber(): number | bigint {
    const text = this.text;
    const start = this.at;
    const negative = text.charCodeAt(start) === minus;
    let at = negative ? start + 1 : start;
    const first = at;
    let code = text.charCodeAt(at);
    let value = 0;
    while (code >= zero && code <= nine) {
      value = value * 10 + (code - zero);
      at += 1;
      if (value === 0) {
        code = text.charCodeAt(at);
        break;
      }
      code = text.charCodeAt(at);
    }
    this.at = at;
    if (at === first) throw this.unexpected("in numeric literal");
    if (code === point || code === 101 || code === 69) return this.readFraction(start);
    if (at - first <= safeDigits) return negative ? 0 - value : value;
    const value64 = exactInteger(text.slice(start, at));
    if (value64 === undefined) throw this.numberTooLarge(start);
    return value64;
  }

  private readFraction(start: number): number {
    if (this.text.charCodeAt(this.at) === point) {
      this.at += 1;
      this.skipDigits("after decimal point in numeric literal");
    }
    const code = this.text.charCodeAt(this.at);
    if (code === 101 || code === 69) {
      this.at += 1;
      const sign = this.text.charCodeAt(this.at);
      if (sign === minus || sign === 43) this.at += 1;
      this.skipDigits("in exponent of numeric literal");
    }
    const literal = this.text.slice(start, this.at);
    const value = Number(literal);
    if (Number.isFinite(value)) return value;
    throw this.numberTooLarge(start);
  }

  private numberTooLarge(start: number): JsonSyntaxError {
    const literal = this.text.slice(start, Math.min(this.at, start + shownLengthMax));
    return new JsonSyntaxError(`json: cannot unmarshal number ${literal} into Go value of type float64`, this.at);
  }

  private skipDigits(where: string): void {
    const start = this.at;
    let code = this.text.charCodeAt(this.at);
    while (code >= zero && code <= nine) {
      this.at += 1;
      code = this.text.charCodeAt(this.at);
    }
    if (this.at === start) throw this.unexpected(where);
  }

  private unexpected(where: string): JsonSyntaxError {
    const point = this.text.codePointAt(this.at);
    if (point === undefined) return new JsonSyntaxError("unexpected end of JSON input", this.at);
    return new JsonSyntaxError(`invalid character ${quoteCharacter(point)} ${where}`, this.at);
  }
}

const hexadecimal = "0123456789abcdef";
const escapes: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

/** Beyond 64 bits Go's untyped numbers are doubles. Undefined: beyond those as well. */
function exactInteger(literal: string): number | bigint | undefined {
  const value = Number(literal);
  if (Number.isSafeInteger(value)) return value;
  if (!Number.isFinite(value)) return undefined;
  if (literal.length > int64LengthMax) return value;
  const exact = BigInt(literal);
  return exact <= int64Max && exact >= int64Min ? exact : value;
}

/** A character as Go quotes it in its messages. */
function quoteCharacter(point: number): string {
  const character = String.fromCodePoint(point);
  if (character === "'") return "'\\''";
  if (character === '"') return "'\"'";
  if (character === "\\") return "'\\\\'";
  if (character === "\n") return "'\\n'";
  if (character === "\r") return "'\\r'";
  if (character === "\t") return "'\\t'";
  if (point < 32 || point === 127) return `'\\x${point.toString(16).padStart(2, "0")}'`;
  return `'${character}'`;
}
