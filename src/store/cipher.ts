/** Seals values on their way to the disk and opens them on their way back. Memory holds them open. */
export interface ValueCipher {
  /** The bytes to write in the place of `value`; `value` itself when this key's values are written as they are. */
  seal(key: string, value: Uint8Array): Uint8Array;
  /** What `seal` was given; values that were never sealed come back as they are. Throws when it cannot be opened. */
  open(key: string, value: Uint8Array): Uint8Array;
  /** Fetches what opening these values needs; undefined when nothing is missing. Rejects with what is wrong. */
  prepare(values: readonly Uint8Array[]): Promise<void> | undefined;
  /** Why no value of this key can be sealed now; undefined: it can. `isLast`: it is the last state of what is deleted. */
  refusal(key: string, isLast: boolean): string | undefined;
}
