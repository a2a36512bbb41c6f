import type { Readable } from "node:stream";
import { Heap } from "#base/heap.ts";
import { bodiesReadPerTurn, bodyBytesPerTurn } from "./http-limits.ts";

interface Waiting {
  readonly place: number;
  readonly resume: () => void;
}

/**
 * Lets a few large bodies be read in each turn of the event loop, those that began first before others: what many send at once would
 * otherwise be read to its end in one turn, and all would be complete at the same time. The rest waits in the kernel's buffers, in
 * the windows of HTTP/2 streams and with its clients. A client that sends nothing takes nobody's turn: only bodies of which
 * something was read wait here.
 */
class BodyTurns {
  #begun = 0;
  #isPlanned = false;
  readonly #waiting = new Heap<Waiting>((a, b) => a.place < b.place);

  /** The place of a body that begins. */
  begin(): number {
    this.#begun += 1;
    return this.#begun;
  }

  /** Calls `resume` in a later turn of the event loop. */
  wait(place: number, resume: () => void): void {
    this.#waiting.push({ place, resume });
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned || this.#waiting.length === 0) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      for (let count = 0; count < bodiesReadPerTurn; count += 1) this.#waiting.pop()?.resume();
      this.#plan();
    });
  }
}

const bodyTurns = new BodyTurns();

export interface BodyReader {
  /** The bytes that the client announced; undefined: it did not say. */
  readonly announced: string | undefined;
  readonly bytesMax: number;
  /** More than `bytesMax` came; nothing is read from now on. */
  tooLarge(): void;
  whole(body: Uint8Array): void;
}

/** Reads a request's body to its end, a large one in its turns. */
export function readBody(source: Readable, { announced, bytesMax, tooLarge, whole }: BodyReader): void {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let turnEndsAt = bodyBytesPerTurn;
  const place = bodyTurns.begin();
  const waitForTurn = (): void => {
    source.pause();
    bodyTurns.wait(place, () => source.resume());
  };
  const take = (chunk: Uint8Array): void => {
    length += chunk.length;
    if (bytesMax < length) {
      source.off("data", take);
      source.off("end", finish);
      tooLarge();
      return;
    }
    chunks.push(chunk);
    if (length < turnEndsAt) return;
    turnEndsAt = length + bodyBytesPerTurn;
    waitForTurn();
  };
  const finish = (): void => {
    const first = chunks[0];
    whole(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, length));
  };
  if (bodyBytesPerTurn < Number(announced)) waitForTurn();
  source.on("data", take);
  source.on("end", finish);
}
