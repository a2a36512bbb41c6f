/** Values that are sealed anew at once. */
export const resealBatchMax = 64;
/** Values that are found to lie otherwise than they should before others get their turn. */
export const markedPerTurn = 5_000;
/** Milliseconds between two times that a plugin's new key makes everything be sealed anew: a plugin may change it at each look. */
export const resealPauseMs = 10 * 60_000;

/** Milliseconds between looks at a plugin that answers as it should, and at one that does not (as upstream). */
export const pluginLookMs = 60_000;
export const pluginRetryMs = 10_000;
/** Health checks start a look at a plugin when the last is older than this, in milliseconds (as upstream). */
export const pluginHealthyMs = 20_000;
export const pluginUnhealthyMs = 3_000;
/** Milliseconds that a seed may seal after its plugin was last seen to be well, and to have its key (as upstream). */
export const pluginTrustMs = 3 * 60_000;
/** Milliseconds that a plugin has for an answer when its configuration does not say (as upstream). */
export const pluginTimeoutMs = 3_000;
/** Opened seeds that are kept for each plugin, besides those that values at hand need. */
export const pluginSeedsMax = 64;
/** Seeds that a plugin is asked to open at once. */
export const pluginCallsMax = 8;
/** When more seeds of a plugin than these lie in the store, values are sealed anew after the start: each start has to ask for each. */
export const pluginSeedsLyingMax = 32;
/** Ids of keys that the metrics tell, for each of uses and names: those of last (as upstream). */
export const keyIdSeriesMax = 100;
/** Bytes of a key's name, of a sealed seed, and of all annotations of one (as upstream). */
export const pluginKeyIdBytesMax = 1024;
export const pluginCiphertextBytesMax = 1024;
export const pluginAnnotationBytesMax = 32 * 1024;
