/** What the store asks of the thread that owns the file. Answered one by one, in order. */
export type JournalRequest =
  | { readonly ask: "open"; readonly path: string; readonly pagesMax: number | undefined }
  | { readonly ask: "load"; readonly table: "log" | "records"; readonly after: number }
  | { readonly ask: "commit"; readonly buffer: SharedArrayBuffer; readonly length: number; readonly head: number }
  | {
      readonly ask: "drop";
      readonly log: readonly number[];
      readonly records: readonly number[];
      readonly compacted: number;
    }
  | { readonly ask: "records"; readonly ids: readonly number[] }
  | { readonly ask: "close" };

export interface Opened {
  /** Revisions. */
  readonly head: number;
  readonly compacted: number;
}

/** Packed rows; `done` when these are the last. */
export interface Loaded {
  readonly buffer: SharedArrayBuffer;
  readonly length: number;
  readonly last: number;
  readonly done: boolean;
}

export type JournalReply =
  | { readonly ok: true; readonly opened?: Opened; readonly loaded?: Loaded; readonly rows?: readonly Uint8Array[] }
  | { readonly ok: false; readonly kind: "refused" | "failed"; readonly message: string };
