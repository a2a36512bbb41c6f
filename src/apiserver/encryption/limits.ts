/** Values that are sealed anew at once. */
export const resealBatchMax = 64;
