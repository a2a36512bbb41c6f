/** Verified service account tokens that are remembered; the oldest goes first. */
export const verifiedTokensMax = 10_000;

/** Client certificates whose user is remembered; the oldest goes first. */
export const certificatesMax = 10_000;

/** Longest bearer token that is looked at, in characters. */
export const tokenCharsMax = 64 * 1024;

/** How far clocks of several servers may differ before a token counts as not yet valid, in milliseconds. */
export const clockSkewMs = 60_000;

/** A deleted object that lingers (finalizers, grace) makes tokens bound to it invalid after this time, in milliseconds. */
export const deletedLeewayMs = 60_000;

/** Lifetime of a service account token when none is asked for, in seconds. */
export const tokenSecondsDefault = 3600;

/** Values of one kind (groups, extras) in the impersonation headers of one request. */
export const impersonatedValuesMax = 1000;

/** Keys of one issuer that are read; the rest of a longer list is left out. */
export const issuerKeysMax = 64;

/** An issuer's discovery document and its keys are waited for this long each, in milliseconds. */
export const issuerTimeoutMs = 5_000;

/** An issuer is asked for its keys at most this often because of tokens that none fits, in milliseconds. */
export const keysAskAgainMs = 1_000;

/** Keys of an issuer are read again when they are older, in milliseconds. */
export const keysKeepMs = 10 * 60_000;

/** How far an issuer's clock may be ahead, in milliseconds. */
export const issuerLeewayMs = 60_000;

/** What an issuer's token says is remembered this long, in milliseconds; its end counts before. */
export const jwtKeepMs = 10_000;

/** Verified tokens of issuers that are remembered; the oldest goes first. */
export const jwtsMax = 10_000;

/** Groups that an issuer's token may name. */
export const jwtGroupsMax = 10_000;

/** Cost units that all expressions for one token may use. */
export const jwtCostMax = 10_000_000;

/** A claim that lies with another server is waited for this long, in milliseconds. */
export const claimTimeoutMs = 5_000;

/** A claim that was fetched is remembered this long, in milliseconds; the end of what held it counts before. */
export const claimKeepMs = 60_000;

/** That a claim could not be fetched is remembered this long, in milliseconds. */
export const claimFailureKeepMs = 1_000;

/** Tokens whose fetched claim is remembered; the oldest goes first. */
export const claimsKeptMax = 1_000;

/** Issuers nobody configured whose keys are kept because they signed claims that lie elsewhere; the oldest goes first. */
export const claimIssuersMax = 16;

/** Verdicts of the token webhook that are remembered; the oldest goes first. */
export const reviewedTokensMax = 10_000;

/** A verdict of the token webhook counts this long, in milliseconds. */
export const reviewedTokenKeepMs = 120_000;

/** An answer of the token webhook is waited for this long, in milliseconds. */
export const tokenWebhookTimeoutMs = 5_000;
