/** Seals values on their way to the disk and opens them on their way back. Memory holds them open. */
export interface ValueCipher {
  /** The bytes to write in the place of `value`; `value` itself when this key's values are written as they are. */
  seal(key: string, value: Uint8Array): Uint8Array;
  /** What `seal` was given; values that were never sealed come back as they are. Throws when it cannot be opened. */
  open(key: string, value: Uint8Array): Uint8Array;
}
