/** Operations of one JSON Patch, as upstream. */
export const jsonPatchOperationsMax = 10_000;
/** Bytes of JSON that all `copy` operations of one patch may add, as upstream's JSONPatchMaxCopyBytes. */
export const jsonPatchCopyBytesMax = 3 * 1024 * 1024;
/** List elements that one patch may shift by inserting and removing before them: bounds quadratic patches. */
export const jsonPatchShiftsMax = 50_000_000;
/** Nesting of patches: bounds the recursion of merging. */
export const patchDepthMax = 500;
