import { allAtOnce } from "#base/steps.ts";
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser, Scalar, stringify } from "yaml";
import type { Alias, CST, Document, Node, Pair, YAMLMap } from "yaml";
import { parseJsonText, stringifyJson } from "./json.ts";
import { strictErrorsMax, yamlAliasNodesMax, yamlCharactersMax, yamlDepthMax, yamlPiecesPerStep } from "./limits.ts";
import { isRecord, PlainRecord } from "./record.ts";

export type YamlResult =
  | {
      readonly ok: true;
      /** One value for each document; empty documents are left out. */
      readonly documents: readonly unknown[];
      /** Keys that occur twice in their map: `line 3: key "name" already set in map`, or the path where the text is JSON. */
      readonly duplicates: readonly string[];
    }
  | { readonly ok: false; readonly message: string };

export interface YamlLimits {
  readonly charactersMax?: number;
}

const tooDeep = "yaml: exceeded max depth";

/**
 * Reads YAML the way Kubernetes' clients and server do: version 1.1's plain scalars (`yes`, `0644`, `~`), merge keys, keys that
 * become strings, and no more than JSON can hold. Aliases, nesting and size are bounded.
 */
export function parseYaml(source: string | Uint8Array, limits: YamlLimits = {}): YamlResult {
  return allAtOnce(yamlSteps(source, limits));
}

/** `parseYaml` with pauses: a megabyte takes a tenth of a second. */
export function* yamlSteps(source: string | Uint8Array, limits: YamlLimits = {}): Generator<void, YamlResult> {
  const text = typeof source === "string" ? source : new TextDecoder("utf-8").decode(source);
  if (/^\s*\{/.test(text)) {
    // JSON is YAML, and its own parser is thirty times faster: no bound of ours on its size.
    const json = parseJsonText(text);
    if (json.ok) return { ok: true, documents: [json.value], duplicates: json.duplicates };
  }
  if (text.length > (limits.charactersMax ?? yamlCharactersMax)) {
    return { ok: false, message: "yaml: document is too large" };
  }
  if (isNestedTooDeep(text)) return { ok: false, message: tooDeep };
  try {
    return yield* readDocuments(text);
  } catch (error) {
    if (error instanceof YamlError) return { ok: false, message: error.message };
    if (error instanceof RangeError) return { ok: false, message: tooDeep };
    throw error;
  }
}

/** YAML text of plain data; strings that version 1.1 would read as something else are quoted. */
export function stringifyYaml(value: unknown): string {
  try {
    return stringify(value, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false, indentSeq: false });
  } catch (error) {
    // Nested deeper than the writer's recursion holds: JSON is YAML too.
    if (error instanceof RangeError) return `${stringifyJson(value)}\n`;
    throw error;
  }
}

class YamlError extends Error {
  override readonly name = "YamlError";
}

/** The parser recurses, so hostile nesting is turned away before it starts. Counts what could open a level. */
function isNestedTooDeep(text: string): boolean {
  if (/(?:[-?:][ \t]+){200}/.test(text)) return true;
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 91 || code === 123) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if ((code === 93 || code === 125) && depth > 0) depth -= 1;
  }
  return deepest > yamlDepthMax * 2;
}

/** As the library's `parseAllDocuments`, piece by piece. */
function* parsedDocuments(text: string): Generator<void, Document.Parsed[]> {
  const parser = new Parser();
  const composer = new Composer({
    schema: "failsafe",
    version: "1.1",
    merge: false,
    uniqueKeys: false,
    strict: false,
    prettyErrors: false,
    logLevel: "silent",
  });
  const tokens: CST.Token[] = [];
  let pieces = 0;
  for (const piece of new Lexer().lex(text)) {
    tokens.push(...parser.next(piece));
    pieces += 1;
    if (pieces % yamlPiecesPerStep === 0) yield;
  }
  tokens.push(...parser.end());
  if (pieces > yamlPiecesPerStep) yield;
  const documents: Document.Parsed[] = [];
  for (const token of tokens) documents.push(...composer.next(token));
  documents.push(...composer.end(false, text.length));
  if (pieces > yamlPiecesPerStep) yield;
  return documents;
}

function* readDocuments(text: string): Generator<void, YamlResult> {
  const parsed = yield* parsedDocuments(text);
  const documents: unknown[] = [];
  const reader = new NodeReader(text);
  for (const document of parsed) {
    const problem = document.errors[0];
    if (problem !== undefined) {
      return { ok: false, message: `yaml: line ${reader.lineAt(problem.pos[0])}: ${problem.message}` };
    }
    if (document.contents === null) continue;
    const value = reader.readDocument(document as Document);
    if (value !== null) documents.push(value);
  }
  return { ok: true, documents, duplicates: reader.duplicates };
}

/** Turns the nodes of the parser into plain data. */
class NodeReader {
  readonly duplicates: string[] = [];
  private readonly text: string;
  private aliasNodes = 0;
  private aliasDepth = 0;
  /** Anchors as met so far; the parser's own search for them is quadratic. */
  private anchors = new Map<string, Node>();
  /** Anchored nodes being read: an alias to one of them would never end. */
  private readonly open = new Set<Node>();

  constructor(text: string) {
    this.text = text;
  }

  readDocument(document: Document): unknown {
    this.anchors = new Map();
    return this.read(document.contents as Node | null, 0);
  }

  lineAt(offset: number): number {
    let line = 1;
    for (let at = this.text.indexOf("\n"); at >= 0 && at < offset; at = this.text.indexOf("\n", at + 1)) line += 1;
    return line;
  }

  private read(node: Node | null, depth: number): unknown {
    if (node === null) return null;
    if (depth > yamlDepthMax) throw new YamlError(tooDeep);
    if (this.aliasDepth > 0) {
      this.aliasNodes += 1;
      if (this.aliasNodes > yamlAliasNodesMax) throw new YamlError("yaml: document contains excessive aliasing");
    }
    if (isAlias(node)) return this.readAlias(node, depth);
    if (node.anchor === undefined) return this.readContent(node, depth);
    this.anchors.set(node.anchor, node);
    this.open.add(node);
    const value = this.readContent(node, depth);
    this.open.delete(node);
    return value;
  }

  private readContent(node: Node, depth: number): unknown {
    if (isScalar(node)) return readScalar(node);
    if (isSeq(node)) return node.items.map((item) => this.read(item as Node | null, depth + 1));
    if (isMap(node)) return this.readMap(node, depth);
    throw new YamlError("yaml: unexpected node");
  }

  private readAlias(node: Alias, depth: number): unknown {
    const target = this.anchors.get(node.source);
    if (target === undefined) throw new YamlError(`yaml: unknown anchor '${node.source}' referenced`);
    if (this.open.has(target)) throw new YamlError(`yaml: anchor '${node.source}' value contains itself`);
    this.aliasDepth += 1;
    const value = this.read(target, depth + 1);
    this.aliasDepth -= 1;
    return value;
  }

  private readMap(node: YAMLMap, depth: number): unknown {
    const record = new PlainRecord();
    const merged: unknown[] = [];
    const seen = new Set<string>();
    for (const pair of node.items as Pair<Node | null, Node | null>[]) {
      if (isMergeKey(pair.key)) {
        merged.push(this.read(pair.value, depth + 1));
        continue;
      }
      const key = keyText(this.read(pair.key, depth + 1));
      if (seen.has(key)) this.noteDuplicate(key, pair.key);
      seen.add(key);
      record[key] = this.read(pair.value, depth + 1);
    }
    for (const source of merged.flat()) mergeInto(record, source);
    return record;
  }

  private noteDuplicate(key: string, node: Node | null): void {
    if (this.duplicates.length >= strictErrorsMax) return;
    this.duplicates.push(`line ${this.lineAt(node?.range?.[0] ?? 0)}: key ${JSON.stringify(key)} already set in map`);
  }
}

function isMergeKey(node: Node | null): boolean {
  return isScalar(node) && node.value === "<<" && node.type === Scalar.PLAIN;
}

function mergeInto(record: Record<string, unknown>, source: unknown): void {
  if (!isRecord(source)) throw new YamlError("yaml: map merge requires map or sequence of maps as the value");
  for (const key of Object.keys(source)) if (record[key] === undefined) record[key] = source[key];
}

function keyText(key: unknown): string {
  if (typeof key === "string") return key;
  if (typeof key === "number" || typeof key === "bigint" || typeof key === "boolean") return String(key);
  if (key === null) return "null";
  throw new YamlError("yaml: invalid map key: a list or map cannot be a key");
}

function readScalar(node: Scalar): unknown {
  const text = String(node.value ?? "");
  const tag = node.tag;
  if (tag !== undefined && tag !== "tag:yaml.org,2002:str") return readTagged(tag, text);
  if (node.type !== Scalar.PLAIN && node.type !== undefined) return text;
  return tag === undefined ? resolvePlain(text) : text;
}

function readTagged(tag: string, text: string): unknown {
  const kind = tag.replace("tag:yaml.org,2002:", "");
  if (kind === "int" || kind === "float" || kind === "bool" || kind === "null") return resolvePlain(text);
  return text;
}

const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, null] as const),
  ...["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"].map((word) => [word, true] as const),
  ...["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"].map((word) => [word, false] as const),
]);
const integer = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const uint64Max = 2n ** 64n - 1n;

/** A plain scalar as YAML 1.1 means it, in the dialect of Go's parser: octals with a leading zero, no base 60, no dates. */
function resolvePlain(text: string): unknown {
  const word = words.get(text);
  if (word !== undefined) return word;
  if (!/^[-+.0-9]/.test(text) || text.length > 400) return text;
  const plain = text.replaceAll("_", "");
  const match = integer.exec(plain);
  if (match !== null) return integerOf(match[1] ?? "", match[2] ?? "0");
  if (!float.test(plain)) return text;
  const value = Number(plain);
  return Number.isFinite(value) ? value : text;
}

function integerOf(sign: string, digits: string): number | bigint {
  const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  const magnitude = BigInt(octal);
  const value = sign === "-" ? -magnitude : magnitude;
  const isSafe = value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER);
  if (isSafe || magnitude > uint64Max) return Number(value);
  return value < 2n ** 63n && value >= -(2n ** 63n) ? value : Number(value);
}
