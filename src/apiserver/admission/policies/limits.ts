/** Cost units of one evaluation. */
export const callCostMax = 1_000_000;
/** Cost units of all expressions of one policy for one request. */
export const policyCostMax = 10_000_000;
/** Cost units of the match conditions of one webhook or policy. */
export const conditionsCostMax = 2_500_000;
/** Different questions to authorizers that the expressions for one request may ask. */
export const questionsMax = 100;
/** Compiled match conditions of webhooks that are remembered. */
export const conditionsMax = 1_000;
/** Objects that a binding's selector may find as parameters. */
export const paramsMax = 1_000;
/** Characters of a message that an expression makes. */
export const messageLengthMax = 5_120;
/** Bytes of an audit annotation's value. */
export const annotationLengthMax = 10 * 1024;
/** Warnings of the type check of one policy. */
export const typeWarningsMax = 50;
