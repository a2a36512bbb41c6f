/** Role bindings are indexed for this many namespaces at a time; beyond it the indexes are made anew. */
export const namespaceIndexesMax = 10_000;

/** Namespaces for which one user's grants are kept. */
export const namespacesPerUserMax = 256;

/** Parts into which a rule is broken to judge an escalation; a larger rule is judged as not covered. */
export const simpleRulesMax = 50_000;
