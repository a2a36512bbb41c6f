const hourMs = 3_600_000;

/** Longest life of a certificate that is signed here, in milliseconds. */
export const certificateMsMax = 365 * 24 * hourMs;

/** Clocks of nodes may differ: certificates count from a little earlier, in milliseconds. */
export const backdateMs = 5 * 60 * 1000;

/** How long requests are kept in which state, in milliseconds since their creation. */
export const issuedKeptMs = hourMs;
export const deniedKeptMs = hourMs;
export const pendingKeptMs = 24 * hourMs;
