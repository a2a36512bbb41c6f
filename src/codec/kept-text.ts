import { jsonDepthMax, keptTextLengthMax, keptTextsMax } from "./limits.ts";
import { JsonParser } from "./json-parser.ts";
import { freezeDeeply, isRecord } from "./record.ts";

/**
 * A part of documents that stays the JSON it is until somebody looks inside. Parts of the same text are one: what a thousand
 * objects say alike is kept and read once.
 */
export class KeptText {
  readonly text: string;
  #value: unknown;

  private constructor(text: string) {
    this.text = text;
  }

  /** `text` is JSON in canonical form: of our own writing. */
  static of(text: string): KeptText {
    const known = texts.get(text);
    if (known !== undefined) return known;
    const kept = new KeptText(text);
    if (keptTextLengthMax < text.length) return kept;
    texts.set(text, kept);
    if (keptTextsMax < texts.size) for (const oldest of texts.keys()) return forget(oldest, kept);
    return kept;
  }

  /** The text of a value that came from one; undefined for any other. */
  static behind(value: unknown): KeptText | undefined {
    return isRecord(value) ? values.get(value) : undefined;
  }

  /** What the text says, shared by all who ask: frozen. */
  get value(): unknown {
    if (this.#value === undefined) {
      this.#value = freezeDeeply(new JsonParser(this.text, jsonDepthMax).parse());
      if (isRecord(this.#value)) values.set(this.#value, this);
    }
    return this.#value;
  }
}

/** By their text, oldest first. */
const texts = new Map<string, KeptText>();
const values = new WeakMap<object, KeptText>();

function forget(oldest: string, kept: KeptText): KeptText {
  texts.delete(oldest);
  return kept;
}
