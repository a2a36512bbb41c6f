import type { FairLevel } from "./fair-level.ts";

/**
 * The seats of all levels. Each level has its least seats for itself alone; the rest is lent to whoever needs it, up to the most
 * that a level may have. What is given back goes first to levels that have less than their own.
 */
export class SeatPool {
  #levels: readonly FairLevel[] = [];
  /** Seats that no level has, and none has for itself alone. */
  #shared = 0;

  /** Sets the levels and how many seats they have together. Who sits goes on. */
  configure(levels: readonly FairLevel[], total: number): void {
    this.#levels = levels;
    this.#shared = total - levels.reduce((sum, level) => sum + held(level, level.taken), 0);
    this.#admit();
  }

  hasRoom(level: FairLevel, width: number): boolean {
    const after = level.taken + width;
    return after <= level.share.most && held(level, after) - held(level, level.taken) <= this.#shared;
  }

  take(level: FairLevel, width: number): void {
    this.#shared -= held(level, level.taken + width) - held(level, level.taken);
    level.taken += width;
  }

  giveBack(level: FairLevel, width: number): void {
    // What a level that is gone has left was never kept from the others.
    if (this.#levels.includes(level)) this.#shared += held(level, level.taken) - held(level, level.taken - width);
    level.taken -= width;
    this.#admit();
  }

  /** Those who wait, the neediest level first. */
  #admit(): void {
    const waiting = this.#levels.filter((level) => level.waiting > 0);
    while (waiting.length > 0) {
      waiting.sort((left, right) => left.taken / left.share.nominal - right.taken / right.share.nominal);
      const at = waiting.findIndex((level) => level.admitNext());
      if (at === -1) return;
      if (waiting[at]!.waiting === 0) waiting.splice(at, 1);
    }
  }
}

/** Seats that a level keeps from the others when it has taken this many. */
function held({ share }: FairLevel, taken: number): number {
  return Math.max(taken, share.least);
}
