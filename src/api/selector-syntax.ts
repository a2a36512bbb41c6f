import type { Operator, Requirement } from "./selectors.ts";

type Token = { readonly type: "text" | "symbol" | "end"; readonly text: string };

export type ParsedRequirements =
  | { readonly ok: true; readonly requirements: Requirement[] }
  | { readonly ok: false; readonly message: string };

const symbols = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"] as const;
const special = /[\s=!(),<>]/;

class SyntaxProblem extends Error {}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text.charAt(at))) {
      at++;
      continue;
    }
    const symbol = symbols.find((candidate) => text.startsWith(candidate, at));
    if (symbol !== undefined) {
      tokens.push({ type: "symbol", text: symbol });
      at += symbol.length;
      continue;
    }
    const start = at;
    while (at < text.length && !special.test(text.charAt(at))) at++;
    tokens.push({ type: "text", text: text.slice(start, at) });
  }
  return tokens;
}

const endToken: Token = { type: "end", text: "" };

class Parser {
  #tokens: Token[];
  #at = 0;
  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? endToken;
  }

  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #isSymbol(text: string): boolean {
    const token = this.#peek();
    return token.type === "symbol" && token.text === text;
  }

  all(): Requirement[] {
    const requirements: Requirement[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.type === "end") return requirements;
      if (token.type !== "text" && token.text !== "!") {
        throw new SyntaxProblem(`found '${token.text}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const after = this.#next();
      if (after.type === "end") return requirements;
      if (after.text !== "," || after.type !== "symbol") {
        throw new SyntaxProblem(`found '${after.text}', expected: ',' or 'end of string'`);
      }
      const following = this.#peek();
      if (following.type !== "text" && following.text !== "!") {
        throw new SyntaxProblem(`found '${following.text}', expected: identifier after ','`);
      }
    }
  }

  #requirement(): Requirement {
    if (this.#isSymbol("!")) {
      this.#next();
      return { key: this.#identifier(), operator: "DoesNotExist", values: [] };
    }
    const key = this.#identifier();
    const following = this.#peek();
    if (following.type === "end" || this.#isSymbol(",")) return { key, operator: "Exists", values: [] };
    const operator = this.#operator();
    if (operator === "In" || operator === "NotIn") return { key, operator, values: this.#values() };
    return { key, operator, values: [this.#exactValue()] };
  }

  #identifier(): string {
    const token = this.#next();
    if (token.type !== "text") throw new SyntaxProblem(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  #operator(): Operator {
    const token = this.#next();
    const operators: Record<string, Operator> = {
      "=": "Equals",
      "==": "Equals",
      "!=": "NotEquals",
      ">": "GreaterThan",
      "<": "LessThan",
      in: "In",
      notin: "NotIn",
    };
    const operator = operators[token.text];
    if (operator === undefined) {
      throw new SyntaxProblem(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
    return operator;
  }

  #values(): string[] {
    const open = this.#next();
    if (open.text !== "(" || open.type !== "symbol") throw new SyntaxProblem(`found '${open.text}' expected: '('`);
    const values = new Set<string>();
    if (this.#isSymbol(")")) {
      this.#next();
      return [""];
    }
    for (;;) {
      const token = this.#peek();
      if (token.type === "text") {
        values.add(this.#next().text);
      } else if (token.text === "," || token.text === ")") {
        values.add("");
      } else {
        throw new SyntaxProblem(`found '${token.text}', expected: ',', ')' or identifier`);
      }
      const after = this.#next();
      if (after.type === "symbol" && after.text === ")") return [...values].sort();
      if (after.type !== "symbol" || after.text !== ",") {
        throw new SyntaxProblem(`found '${after.text}', expected: ',' or ')'`);
      }
    }
  }

  #exactValue(): string {
    const token = this.#peek();
    if (token.type === "end" || this.#isSymbol(",")) return "";
    this.#next();
    if (token.type === "text") return token.text;
    throw new SyntaxProblem(`found '${token.text}', expected: identifier`);
  }
}

/** Parses the grammar of label selectors in query parameters; the requirements come sorted by key. */
export function parseRequirements(text: string): ParsedRequirements {
  try {
    const requirements = new Parser(text).all();
    requirements.sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0));
    return { ok: true, requirements };
  } catch (error) {
    if (error instanceof SyntaxProblem) return { ok: false, message: error.message };
    throw error;
  }
}
