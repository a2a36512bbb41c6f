/** Bounds of this room; each with its unit. */
export const limits = {
  /** A plain answer (not a stream) larger than this is refused. Bytes. */
  answerBytesMax: 512 * 1024 * 1024,
  /** One line of a watch. Bytes. */
  watchLineBytesMax: 16 * 1024 * 1024,
  /** Encoded length of one cause header. Bytes. */
  causeHeaderBytesMax: 1024,
  /** Answer to a request that is no watch. Milliseconds. */
  requestTimeoutMs: 60_000,
} as const;
