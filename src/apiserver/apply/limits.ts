/** Entries of operation Update that an object keeps; the oldest beyond them are merged into one, as upstream. */
export const updateEntriesMax = 10;
/** Nesting that field sets follow: what lies deeper belongs to the field above it. */
export const fieldDepthMax = 500;
