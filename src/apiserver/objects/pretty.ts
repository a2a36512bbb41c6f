import type { Call } from "../call.ts";
import { isTrue } from "../stages/route.ts";

/** Browsers and tools of the command line: people read what they get. */
const readByPeople = /^(?:curl|Wget|Mozilla\/5\.0)/;

/** Whether JSON is to be indented: the query says so, or nothing, and the client is a browser, curl or wget. */
export function wantsPretty({ info, request }: Pick<Call, "info" | "request">): boolean {
  const asked = info.query.size === 0 ? null : info.query.get("pretty");
  if (asked !== null && asked !== "") return isTrue(asked);
  const agent = request.headers["user-agent"];
  return agent !== undefined && readByPeople.test(agent);
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Indents JSON by two spaces without reading its numbers: they stay as they are written. */
export function prettyJson(bytes: Uint8Array): Uint8Array {
  return new JsonIndenter().write(bytes);
}

/** The same for a document that comes in pieces, none of which ends within a string. */
export class JsonIndenter {
  #depth = 0;
  /** The last piece ended with an opening bracket: whether something is in it shows in the next. */
  #isOpen = false;

  write(bytes: Uint8Array): Uint8Array {
    const text = decoder.decode(bytes);
    let out = "";
    let start = 0;
    for (let i = 0; i < text.length; i++) {
      const char = text[i]!;
      const isClosing = char === "}" || char === "]";
      if (this.#isOpen) {
        this.#isOpen = false;
        if (isClosing) continue;
        this.#depth += 1;
        out += text.slice(start, i) + this.#line();
        start = i;
      }
      if (char === '"') {
        for (i += 1; text[i] !== '"' && i < text.length; i++) if (text[i] === "\\") i += 1;
      } else if (char === "{" || char === "[") this.#isOpen = true;
      else if (isClosing) {
        this.#depth -= 1;
        out += text.slice(start, i) + this.#line();
        start = i;
      } else if (char === ",") {
        out += text.slice(start, i + 1) + this.#line();
        start = i + 1;
      } else if (char === ":") {
        out += `${text.slice(start, i + 1)} `;
        start = i + 1;
      }
    }
    return encoder.encode(out + text.slice(start));
  }

  #line(): string {
    return `\n${"  ".repeat(this.#depth)}`;
  }
}
