import { SyntaxFailure } from "./failure.ts";

export interface Token {
  readonly kind: "identifier" | "int" | "uint" | "double" | "string" | "bytes" | "operator" | "end";
  /** Names, operators, digits as written; for strings what they mean. */
  readonly text: string;
  readonly bytes?: Uint8Array;
  readonly at: number;
  /** Written between backquotes. */
  readonly isQuoted?: boolean;
}

const space = /(?:[ \t\r\n\f]+|\/\/[^\n]*)+/y;
const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const quotedName = /`([-\w./ ]+)`/y;
const number = /0x[0-9a-fA-F]+u?|\d*\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\d+[uU]?/y;
const operator = /==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()[\]{}=]/y;
const stringStart = /([rR]?[bB]?|[bB][rR])("""|'''|"|')/y;

/** The tokens of an expression, the end as the last. Throws a SyntaxFailure. */
export function tokens(text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  for (;;) {
    at += take(space)?.[0].length ?? 0;
    if (at === text.length) break;
    const string = take(stringStart);
    if (string !== null) {
      const { token, end } = stringToken(text, at, string);
      found.push(token);
      at = end;
      continue;
    }
    const match = take(name);
    if (match !== null) {
      found.push({ kind: "identifier", text: match[0], at });
      at += match[0].length;
      continue;
    }
    const quoted = take(quotedName);
    if (quoted !== null) {
      found.push({ kind: "identifier", text: quoted[1] ?? "", at, isQuoted: true });
      at += quoted[0].length;
      continue;
    }
    const digits = take(number);
    if (digits !== null) {
      found.push({ kind: numberKind(digits[0]), text: digits[0], at });
      at += digits[0].length;
      continue;
    }
    const sign = take(operator);
    if (sign === null) {
      throw new SyntaxFailure(`Syntax error: token recognition error at: '${text.slice(at, at + 1)}'`, at);
    }
    found.push({ kind: "operator", text: sign[0], at });
    at += sign[0].length;
  }
  found.push({ kind: "end", text: "<EOF>", at });
  return found;
}

function numberKind(text: string): "int" | "uint" | "double" {
  if (/u$/i.test(text)) return "uint";
  return !text.startsWith("0x") && /[.eE]/.test(text) ? "double" : "int";
}

function stringToken(text: string, at: number, match: RegExpExecArray): { token: Token; end: number } {
  const [start, prefix = "", quote = ""] = match;
  const isRaw = /r/i.test(prefix);
  const isBytes = /b/i.test(prefix);
  const reader = new StringReader(isBytes);
  let i = at + start.length;
  while (!text.startsWith(quote, i)) {
    const character = text[i];
    if (character === undefined || (quote.length === 1 && (character === "\n" || character === "\r"))) {
      throw new SyntaxFailure(`Syntax error: token recognition error at: '${text.slice(at, at + 20)}'`, at);
    }
    if (character === "\\" && !isRaw) i = reader.escape(text, i);
    else {
      const codePoint = text.codePointAt(i) ?? 0;
      reader.character(codePoint);
      i += codePoint > 0xffff ? 2 : 1;
    }
  }
  const end = i + quote.length;
  if (!isBytes) return { token: { kind: "string", text: reader.text(), at }, end };
  return { token: { kind: "bytes", text: "", bytes: reader.bytes(), at }, end };
}

const simpleEscapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\u0007",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "`": "`",
  "?": "?",
};

const codeEscapes = /\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/y;

/** Collects the characters of a string or the bytes of a byte string. */
class StringReader {
  readonly #isBytes: boolean;
  readonly #parts: string[] = [];
  readonly #bytes: number[] = [];

  constructor(isBytes: boolean) {
    this.#isBytes = isBytes;
  }

  character(codePoint: number): void {
    const character = String.fromCodePoint(codePoint);
    if (this.#isBytes) this.#bytes.push(...new TextEncoder().encode(character));
    else this.#parts.push(character);
  }

  /** Reads an escape at `at`; answers where it ends. */
  escape(text: string, at: number): number {
    const simple = simpleEscapes[text[at + 1] ?? ""];
    if (simple !== undefined && Object.hasOwn(simpleEscapes, text[at + 1] ?? "")) {
      this.character(simple.codePointAt(0) ?? 0);
      return at + 2;
    }
    codeEscapes.lastIndex = at;
    const match = codeEscapes.exec(text);
    if (match === null) throw new SyntaxFailure(`Syntax error: unable to unescape string`, at);
    const [whole, hex, short, long, octal] = match;
    const code = octal === undefined ? Number.parseInt(hex ?? short ?? long ?? "0", 16) : Number.parseInt(octal, 8);
    if (this.#isBytes && (hex !== undefined || octal !== undefined)) this.#bytes.push(code);
    else if (code > 0x10ffff || (0xd800 <= code && code <= 0xdfff) || this.#isBytes) {
      throw new SyntaxFailure(`Syntax error: invalid unicode code point`, at);
    } else this.character(code);
    return at + whole.length;
  }

  text(): string {
    return this.#parts.join("");
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
