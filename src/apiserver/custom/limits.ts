/** Errors of one object; whoever sends more has seen enough. */
export const errorsMax = 100;
/** Cost units of one evaluation of a rule. */
export const callCostMax = 1_000_000;
/** Cost units of all rules of one object together. */
export const objectCostMax = 10_000_000;
/** Estimated cost units of one rule, as often as it can run. */
export const ruleEstimateMax = 10_000_000;
/** Estimated cost units of all rules of a definition's version. */
export const definitionEstimateMax = 100_000_000;
/** Characters of a rule's message. */
export const messageLengthMax = 5_120;
/** Objects that one call of a conversion webhook carries. */
export const conversionBatchMax = 500;
/** Seconds that a conversion webhook may take. */
export const conversionTimeoutSeconds = 30;
/** Events of a watch that wait for their conversion; beyond them the watch is broken off. */
export const conversionBacklogMax = 1_000;
/** Values that are followed through a JSONPath. */
export const pathValuesMax = 10_000;
