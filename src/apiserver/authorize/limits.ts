/** Role bindings are indexed for this many namespaces at a time; beyond it the indexes are made anew. */
export const namespaceIndexesMax = 10_000;

/** Namespaces for which one user's grants are kept. */
export const namespacesPerUserMax = 256;

/** Parts into which a rule is broken to judge an escalation; a larger rule is judged as not covered. */
export const simpleRulesMax = 50_000;

/** Verdicts of one webhook that are remembered; the oldest goes first. */
export const keptVerdictsMax = 10_000;

/** A question to a webhook that is longer is not remembered, in characters. */
export const keptQuestionCharsMax = 10_000;

/** Cost units that the match conditions of a webhook may use for one question. */
export const conditionsCostMax = 2_500_000;
/** Answers that are kept for a user until the rules change. */
export const foundPerUserMax = 128;
