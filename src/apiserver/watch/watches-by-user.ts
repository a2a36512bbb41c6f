import { watchesOfUserMax } from "../fairness/limits.ts";

/** How many watches each user has open: one alone must not take all that the server has. */
export class WatchesByUser {
  readonly #counts = new Map<string, number>();

  /** False: the user has as many as one may have. Who opens one closes it. */
  open(user: string): boolean {
    const count = this.#counts.get(user) ?? 0;
    if (watchesOfUserMax <= count) return false;
    this.#counts.set(user, count + 1);
    return true;
  }

  close(user: string): void {
    const count = this.#counts.get(user) ?? 0;
    if (count <= 1) this.#counts.delete(user);
    else this.#counts.set(user, count - 1);
  }
}
