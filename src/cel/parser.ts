import type { ComprehensionKind, ListNode, MapNode, Node, ObjectNode } from "./ast.ts";
import { SyntaxFailure } from "./failure.ts";
import { tokens, type Token } from "./lexer.ts";
import { expressionLengthMax, nestingMax } from "./limits.ts";
import { bool, bytes, double, int, nullType, string, uint, type Type } from "./types.ts";
import { Unsigned, type Value } from "./value.ts";

/** Parses an expression, macros included. Throws a SyntaxFailure. */
export function parse(text: string): Node {
  if (expressionLengthMax < text.length) {
    throw new SyntaxFailure(
      `expression code point size exceeds limit: size: ${text.length}, limit ${expressionLengthMax}`,
      0,
    );
  }
  return new Parser(tokens(text)).parse();
}

const relations: ReadonlySet<string> = new Set(["<", "<=", ">", ">=", "==", "!="]);
const additions: ReadonlySet<string> = new Set(["+", "-"]);
const multiplications: ReadonlySet<string> = new Set(["*", "/", "%"]);
/** Words that no variable may have as its name. */
const reservedWords: ReadonlySet<string> = new Set(
  "as break const continue else for function if import let loop package namespace return var void while".split(" "),
);

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;
  #nesting = 0;

  constructor(all: readonly Token[]) {
    this.#tokens = all;
  }

  parse(): Node {
    const node = this.#expression();
    if (this.#peek().kind !== "end") this.#unexpected("<EOF>");
    return node;
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#position, this.#tokens.length - 1)]!;
  }

  #next(): Token {
    const token = this.#peek();
    this.#position += 1;
    return token;
  }

  #is(text: string): boolean {
    const token = this.#peek();
    return token.kind === "operator" && token.text === text;
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#position += 1;
    return true;
  }

  #expect(text: string): Token {
    if (!this.#is(text)) this.#unexpected(`'${text}'`);
    return this.#next();
  }

  #unexpected(expected?: string): never {
    const { text, at, kind } = this.#peek();
    const shown = kind === "string" ? JSON.stringify(text) : text;
    const rest = expected === undefined ? "" : ` expecting ${expected}`;
    throw new SyntaxFailure(`Syntax error: mismatched input '${shown}'${rest}`, at);
  }

  /** `a ? b : c` and everything that binds tighter. */
  #expression(): Node {
    this.#nesting += 1;
    if (nestingMax < this.#nesting) {
      throw new SyntaxFailure(`expression recursion limit exceeded: ${nestingMax}`, this.#peek().at);
    }
    const condition = this.#logical("||");
    let node = condition;
    if (this.#is("?")) {
      const at = this.#next().at;
      const then = this.#logical("||");
      this.#expect(":");
      node = call(at, "_?_:_", undefined, [condition, then, this.#expression()]);
    }
    this.#nesting -= 1;
    return node;
  }

  #logical(operator: "&&" | "||"): Node {
    const next = (): Node => (operator === "||" ? this.#logical("&&") : this.#relation());
    const first = next();
    if (!this.#is(operator)) return first;
    const at = this.#peek().at;
    const operands = [first];
    while (this.#take(operator)) operands.push(next());
    return checked({ node: "logical", operator, operands, at, depth: depthOf(operands) });
  }

  #relation(): Node {
    return this.#binary(relations, () => this.#sum(), true);
  }

  #sum(): Node {
    return this.#binary(additions, () => this.#product(), false);
  }

  #product(): Node {
    return this.#binary(multiplications, () => this.#unary(), false);
  }

  #binary(operators: ReadonlySet<string>, operand: () => Node, withIn: boolean): Node {
    let left = operand();
    for (;;) {
      const { kind, text, at } = this.#peek();
      const isIn = withIn && kind === "identifier" && text === "in";
      if (!isIn && (kind !== "operator" || !operators.has(text))) return left;
      this.#position += 1;
      left = call(at, isIn ? "@in" : `_${text}_`, undefined, [left, operand()]);
    }
  }

  #unary(): Node {
    const token = this.#peek();
    if (!this.#is("!") && !this.#is("-")) return this.#member();
    let count = 0;
    while (this.#take(token.text)) count += 1;
    if (token.text === "-" && count === 1 && (this.#peek().kind === "int" || this.#peek().kind === "double")) {
      return this.#members(this.#number(this.#next(), "-"));
    }
    let node = this.#is("!") || this.#is("-") ? this.#nestedUnary() : this.#member();
    const name = token.text === "!" ? "!_" : "-_";
    for (let i = count % 2; 0 < i; i -= 1) node = call(token.at, name, undefined, [node]);
    // An even number takes itself away, but its operand must be of the type.
    if (count % 2 === 0) node = call(token.at, name, undefined, [call(token.at, name, undefined, [node])]);
    return node;
  }

  #nestedUnary(): Node {
    this.#nesting += 1;
    if (nestingMax < this.#nesting) {
      throw new SyntaxFailure(`expression recursion limit exceeded: ${nestingMax}`, this.#peek().at);
    }
    const node = this.#unary();
    this.#nesting -= 1;
    return node;
  }

  #member(): Node {
    return this.#members(this.#primary());
  }

  /** Selections, calls and indexes behind a value. */
  #members(start: Node): Node {
    let node = start;
    for (;;) {
      const at = this.#peek().at;
      if (this.#take(".")) {
        const isOptional = this.#take("?");
        const field = this.#next();
        if (field.kind !== "identifier") {
          this.#position -= 1;
          this.#unexpected("IDENTIFIER");
        }
        if (!isOptional && !field.isQuoted && this.#is("(")) {
          this.#position += 1;
          node = this.#call(field.at - 0, field.text, node, this.#arguments(")"), at);
        } else {
          node = checked({
            node: "select",
            operand: node,
            field: field.text,
            isOptional,
            isTest: false,
            at,
            depth: node.depth + 1,
          });
        }
      } else if (this.#take("[")) {
        const isOptional = this.#take("?");
        const index = this.#expression();
        this.#expect("]");
        node = call(at, isOptional ? "_[?_]" : "_[_]", undefined, [node, index]);
      } else if (this.#is("{") && typeNameOf(node) !== undefined) {
        node = this.#object(typeNameOf(node) ?? "", at);
      } else return node;
    }
  }

  #arguments(end: string): Node[] {
    const args: Node[] = [];
    if (this.#take(end)) return args;
    do args.push(this.#expression());
    while (this.#take(","));
    this.#expect(end);
    return args;
  }

  #primary(): Node {
    const token = this.#next();
    switch (token.kind) {
      case "int":
      case "uint":
      case "double":
        return this.#number(token, "");
      case "string":
        return literal(token.at, token.text, string);
      case "bytes":
        return literal(token.at, token.bytes ?? new Uint8Array(0), bytes);
      case "identifier":
        return this.#identifier(token);
      case "operator":
        return this.#bracketed(token);
      case "end":
        this.#position -= 1;
        return this.#unexpected();
    }
  }

  #bracketed(token: Token): Node {
    switch (token.text) {
      case "(": {
        const node = this.#expression();
        this.#expect(")");
        return node;
      }
      case "[":
        return this.#list(token.at);
      case "{":
        return this.#map(token.at);
      case ".": {
        const name = this.#next();
        if (name.kind === "identifier") return this.#identifier(name);
      }
    }
    this.#position -= 1;
    return this.#unexpected();
  }

  #identifier(token: Token): Node {
    const { text, at } = token;
    if (!token.isQuoted) {
      if (text === "true" || text === "false") return literal(at, text === "true", bool);
      if (text === "null") return literal(at, null, nullType);
      if (text === "in") {
        this.#position -= 1;
        this.#unexpected();
      }
      if (reservedWords.has(text)) throw new SyntaxFailure(`reserved identifier: ${text}`, at);
      if (this.#take("(")) return this.#call(at, text, undefined, this.#arguments(")"), at);
    }
    return { node: "identifier", name: text, at, depth: 1 };
  }

  #number(token: Token, sign: "" | "-"): Node {
    const { text } = token;
    const at = token.at - sign.length;
    if (token.kind === "double") return literal(at, Number(sign + text), double);
    if (token.kind === "uint") {
      const value = BigInt(text.slice(0, -1));
      if (2n ** 64n <= value) throw new SyntaxFailure("invalid uint literal", at);
      return literal(at, new Unsigned(value), uint);
    }
    const value = sign === "-" ? -BigInt(text) : BigInt(text);
    if (value < -(2n ** 63n) || 2n ** 63n <= value) throw new SyntaxFailure("invalid int literal", at);
    return literal(at, value, int);
  }

  #list(at: number): ListNode {
    const elements: Node[] = [];
    const optional = new Set<number>();
    while (!this.#is("]")) {
      if (this.#take("?")) optional.add(elements.length);
      elements.push(this.#expression());
      if (!this.#take(",")) break;
    }
    this.#expect("]");
    return checked({ node: "list", elements, optional, at, depth: depthOf(elements) });
  }

  #map(at: number): MapNode {
    const entries: MapNode["entries"][number][] = [];
    while (!this.#is("}")) {
      const isOptional = this.#take("?");
      const key = this.#expression();
      this.#expect(":");
      entries.push({ key, value: this.#expression(), isOptional });
      if (!this.#take(",")) break;
    }
    this.#expect("}");
    return checked({
      node: "map",
      entries,
      at,
      depth: depthOf(entries.flatMap(({ key, value }) => [key, value])),
    });
  }

  #object(typeName: string, at: number): ObjectNode {
    this.#expect("{");
    const fields: ObjectNode["fields"][number][] = [];
    while (!this.#is("}")) {
      const isOptional = this.#take("?");
      const name = this.#next();
      if (name.kind !== "identifier") {
        this.#position -= 1;
        this.#unexpected("IDENTIFIER");
      }
      this.#expect(":");
      fields.push({ name: name.text, at: name.at, value: this.#expression(), isOptional });
      if (!this.#take(",")) break;
    }
    this.#expect("}");
    return checked({ node: "object", typeName, fields, at, depth: depthOf(fields.map(({ value }) => value)) });
  }

  #call(at: number, name: string, target: Node | undefined, args: readonly Node[], dot: number): Node {
    return macro(at, name, target, args) ?? call(target === undefined ? at : dot, name, target, args);
  }
}

function literal(at: number, value: Value, literalType: Type): Node {
  return { node: "literal", value, literalType, at, depth: 1 };
}

function call(at: number, name: string, target: Node | undefined, args: readonly Node[]): Node {
  const depth = Math.max(depthOf(args), target === undefined ? 0 : target.depth + 1);
  return checked({ node: "call", name, target, args, at, depth });
}

function depthOf(nodes: readonly Node[]): number {
  let deepest = 0;
  for (const { depth } of nodes) if (deepest < depth) deepest = depth;
  return deepest + 1;
}

/** Trees are walked by recursion: how deep they are is bounded. */
function checked<N extends Node>(node: N): N {
  if (nestingMax < node.depth) throw new SyntaxFailure(`expression recursion limit exceeded: ${nestingMax}`, node.at);
  return node;
}

/** `Object.spec` as the name of a type, where braces follow. */
function typeNameOf(node: Node): string | undefined {
  if (node.node === "identifier") return node.name;
  if (node.node !== "select" || node.isOptional || node.isTest) return undefined;
  const operand = typeNameOf(node.operand);
  return operand === undefined ? undefined : `${operand}.${node.field}`;
}

/** Macros by name and number of arguments: what they make, how many variables they declare. */
const comprehensions: Readonly<Record<string, { readonly kind: ComprehensionKind; readonly variables: number }>> = {
  "all/2": { kind: "all", variables: 1 },
  "exists/2": { kind: "exists", variables: 1 },
  "exists_one/2": { kind: "existsOne", variables: 1 },
  "existsOne/2": { kind: "existsOne", variables: 1 },
  "map/2": { kind: "map", variables: 1 },
  "map/3": { kind: "map", variables: 1 },
  "filter/2": { kind: "filter", variables: 1 },
  "all/3": { kind: "all", variables: 2 },
  "exists/3": { kind: "exists", variables: 2 },
  "exists_one/3": { kind: "existsOne", variables: 2 },
  "existsOne/3": { kind: "existsOne", variables: 2 },
  "transformList/3": { kind: "transformList", variables: 2 },
  "transformList/4": { kind: "transformList", variables: 2 },
  "transformMap/3": { kind: "transformMap", variables: 2 },
  "transformMap/4": { kind: "transformMap", variables: 2 },
  "transformMapEntry/3": { kind: "transformMapEntry", variables: 2 },
  "transformMapEntry/4": { kind: "transformMapEntry", variables: 2 },
  "optMap/2": { kind: "optMap", variables: 1 },
  "optFlatMap/2": { kind: "optFlatMap", variables: 1 },
};

function macro(at: number, name: string, target: Node | undefined, args: readonly Node[]): Node | undefined {
  if (target === undefined) return name === "has" && args.length === 1 ? presence(args[0]!) : undefined;
  if (name === "bind" && args.length === 3 && target.node === "identifier" && target.name === "cel") {
    const [variable, value, body] = args as readonly [Node, Node, Node];
    const depth = depthOf([value, body]);
    return checked({ node: "bind", name: variableOf(variable, "cel.bind"), value, body, at, depth });
  }
  const key = `${name}/${args.length}`;
  const found = Object.hasOwn(comprehensions, key) ? comprehensions[key] : undefined;
  if (found === undefined) return undefined;
  const variables = args.slice(0, found.variables).map((node) => variableOf(node, name));
  if (variables.length === 2 && variables[0] === variables[1])
    throw new SyntaxFailure(`duplicate variable name: ${variables[0]}`, args[1]!.at);
  const rest = args.slice(found.variables);
  const body = rest.at(-1)!;
  const condition = rest.length === 2 ? rest[0] : undefined;
  const depth = depthOf([target, ...rest]);
  return checked({ node: "comprehension", kind: found.kind, range: target, variables, condition, body, at, depth });
}

function presence(node: Node): Node {
  if (node.node === "select" && !node.isOptional) return { ...node, isTest: true };
  throw new SyntaxFailure("invalid argument to has() macro", node.at);
}

function variableOf(node: Node, macroName: string): string {
  if (node.node === "identifier") return node.name;
  throw new SyntaxFailure(
    macroName === "cel.bind" ? "cel.bind() variable names must be simple identifiers" : "argument is not an identifier",
    node.at,
  );
}
