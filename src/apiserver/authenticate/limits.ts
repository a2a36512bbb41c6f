/** Verified service account tokens that are remembered; the oldest goes first. */
export const verifiedTokensMax = 10_000;

/** Client certificates whose user is remembered; the oldest goes first. */
export const certificatesMax = 10_000;

/** Longest bearer token that is looked at, in characters. */
export const tokenCharsMax = 16 * 1024;

/** How far clocks of several servers may differ before a token counts as not yet valid, in milliseconds. */
export const clockSkewMs = 60_000;

/** A deleted object that lingers (finalizers, grace) makes tokens bound to it invalid after this time, in milliseconds. */
export const deletedLeewayMs = 60_000;

/** Lifetime of a service account token when none is asked for, in seconds. */
export const tokenSecondsDefault = 3600;

/** Values of one kind (groups, extras) in the impersonation headers of one request. */
export const impersonatedValuesMax = 1000;
