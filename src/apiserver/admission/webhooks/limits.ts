/** A webhook without timeoutSeconds is waited for this long, in seconds. */
export const webhookTimeoutSeconds = 10;
/** Bytes of a webhook's answer that are read. */
export const webhookAnswerBytesMax = 3 * 1024 * 1024;
/** Warnings of one webhook that reach the client, and characters of each. */
export const webhookWarningsMax = 20;
export const webhookWarningLengthMax = 256;
