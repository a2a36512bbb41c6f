import { strictErrorsMax } from "./limits.ts";

/** A value of the wrong type. */
export interface DecodeError {
  /** Go's path notation: `spec.containers[0].image`. */
  readonly field: string;
  /** As Go's decoder words it: `json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool`. */
  readonly message: string;
}

export interface DecodeOptions {
  /** Apply the published defaults (and those of a custom resource's schema). */
  readonly defaults: boolean;
  /** Take over only what is given, zeros too, and drop nulls: the configuration of a server-side apply. */
  readonly sparse?: boolean;
}

/** State of one walk. */
export class Walk {
  readonly defaults: boolean;
  readonly sparse: boolean;
  readonly unknownFields: string[] = [];
  readonly errors: DecodeError[] = [];
  /** Field names, list indices, and map keys from the root to where the walk stands. */
  readonly path: (string | number)[] = [];
  /** Structs around where the walk stands; Go names the innermost in its messages. */
  readonly structs: string[] = [];

  constructor(options: DecodeOptions) {
    this.sparse = options.sparse === true;
    this.defaults = options.defaults && !this.sparse;
  }

  pathText(last?: string): string {
    let text = "";
    for (const part of last === undefined ? this.path : [...this.path, last]) {
      text +=
        typeof part === "number" ? `[${part}]` : text === "" ? part.replace(/^\0/, "") : `.${part.replace(/^\0/, "")}`;
    }
    return text;
  }

  unknown(name: string): void {
    if (this.unknownFields.length < strictErrorsMax) this.unknownFields.push(this.pathText(name));
  }

  wrongType(what: string, type: string): void {
    const struct = this.structs.at(-1) ?? "";
    // Go's field stack has neither indices nor map keys.
    const fields = this.path.filter((part) => typeof part === "string" && !part.startsWith("\0")).join(".");
    const place = struct === "" ? "value" : `struct field ${struct.slice(struct.lastIndexOf(".") + 1)}.${fields}`;
    this.fail(`json: cannot unmarshal ${what} into Go ${place} of type ${type}`);
  }

  fail(message: string): void {
    if (this.errors.length < strictErrorsMax) this.errors.push({ field: this.pathText(), message });
  }
}
