/** Characters of one expression. */
export const expressionLengthMax = 100_000;
/** How deep expressions nest: parentheses, calls, selections one behind the other. */
export const nestingMax = 250;
/** Compile errors that are told of one expression. */
export const issuesMax = 20;
/** Cost units of one evaluation when its caller does not say otherwise. */
export const evaluationCostMax = 1_000_000;
/** Cost units that an evaluation may spend before anybody looks at the time, and between two such looks. */
export const pauseCost = 20_000;
/** Elements and entries of JSON data that are weighed before others may get their turn. */
export const weighedPartsMax = 20_000;
/** Compiled regular expressions that are remembered. */
export const patternsMax = 1_000;
/** Characters of a regular expression. */
export const patternLengthMax = 10_000;
/** Instructions of a compiled regular expression times characters that one search may cost. */
export const patternWorkMax = 1_000_000;
/** Digits behind the point that `format` writes. */
export const precisionMax = 100;
/** Time zones whose offsets are remembered. */
export const timeZonesMax = 100;
/** Characters of texts that are read as a number, a time, a duration. */
export const scalarLengthMax = 1_000;
/** Characters of a string that an evaluation may make. */
export const resultLengthMax = 10_000_000;
/** Levels of nested lists and maps that are compared. */
export const comparisonDepthMax = 1_000;
