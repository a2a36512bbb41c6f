/** Time for a client to send its headers, in milliseconds. */
export const headersTimeoutMs = 60_000;
/** Time for a client to send a whole request, in milliseconds. */
export const requestTimeoutMs = 300_000;
/** How often the two limits above are looked at, in milliseconds. */
export const connectionCheckIntervalMs = 30_000;
/** A connection without a request is kept this long, in milliseconds. */
export const keepAliveTimeoutMs = 120_000;
/** A client that is told why its connection ends has this long to read it, in milliseconds. */
export const lingerMs = 1_000;
/** Bytes of all header lines of a request: OIDC tokens and impersonation headers are long. */
export const headerBytesMax = 256 * 1024;
/** A client that takes no byte of an answer for this long is cut off, in milliseconds. */
export const stalledAnswerTimeoutMs = 60_000;
/**
 * Time for the TLS handshake, in milliseconds: also that of a client that waits for a busy server. With 10 s a quarter of a gigabyte a
 * second to 256 streams on a tenth of a processor cut off those that were still connecting.
 */
export const handshakeTimeoutMs = 30_000;
/** Small answers fit into the kernel's buffers: only larger ones can stall. In bytes. */
export const smallAnswerBytes = 64 * 1024;
/** Small answers wait for each other no longer than this, in milliseconds. */
export const answersGatheredMs = 1;
/** HTTP/2 streams that one connection may have open; Go's server allows 250. */
export const streamsPerConnectionMax = 250;
/** Memory of one HTTP/2 session in MB, a bound against header and settings floods. */
export const sessionMemoryMegabytesMax = 32;
/** Rapid reset (CVE-2023-44487): this many resets at once, then so many a second, before the session is closed. */
export const streamResetBurst = 500;
export const streamResetsPerSecond = 50;
/** Answers up to this size are read whole by a transport, larger or unbounded ones are streams. In bytes. */
export const wholeAnswerBytesMax = 1024 * 1024;
/** Connections that one transport may hold to its server. */
export const transportConnectionsMax = 256;
/** Time to connect where the caller gives none, in milliseconds. */
export const connectTimeoutDefaultMs = 10_000;
/** Bytes of one body that are read before others get their turn; a body that announces more waits for its first turn too. */
export const bodyBytesPerTurn = 64 * 1024;
/** Large bodies of which so many bytes are read in one turn of the event loop. */
export const bodiesReadPerTurn = 4;
/**
 * Requests are handled for this long in a turn of the event loop, in milliseconds: three or four creations, fifty gets. Shorter and
 * longer turns were slower (docs/benchmarks.md).
 */
export const requestsSliceMs = 1;
/** Streams whose clients have taken what was sent go on for this long in a turn, in milliseconds. */
export const drainsSliceMs = 2;
