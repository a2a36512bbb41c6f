/** Values that are sealed anew at once. */
export const resealBatchMax = 64;
/** Values that are found to lie otherwise than they should before others get their turn. */
export const markedPerTurn = 5_000;
