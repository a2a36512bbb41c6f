/** Bytes of a webhook's or an issuer's answer. */
export const remoteAnswerBytesMax = 1024 * 1024;
/** How often a question is asked when no answer, or one of an overloaded server, comes. */
export const remoteAttemptsMax = 3;
/** Before the second attempt, in milliseconds; each further wait is three times as long. */
export const remoteRetryMs = 100;
/** Questions to one remote server that wait for their answer; beyond them new ones fail at once. */
export const remoteInFlightMax = 200;
