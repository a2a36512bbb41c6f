/** What a source said about one metric, before anything is concluded from it. Values are in thousandths. */
export type Reading =
  /** Of single pods, by name. */
  | { readonly kind: "pods"; readonly values: ReadonlyMap<string, PodValue> }
  /** Of one object. */
  | { readonly kind: "value"; readonly value: number }
  /** From outside: all series that the selector matches. */
  | { readonly kind: "values"; readonly values: readonly number[] }
  /** No usable answer; `message` says why. */
  | { readonly kind: "failed"; readonly message: string };

export interface PodValue {
  readonly value: number;
  /** When its window ended, milliseconds since 1970, and the window's length in milliseconds. */
  readonly atMs: number;
  readonly windowMs: number;
}
