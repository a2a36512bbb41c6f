/** Nesting of JSON objects and arrays, as in Go's decoder. */
export const jsonDepthMax = 10_000;
/** Duplicate and unknown fields reported for one document; the rest is only counted as present. */
export const strictErrorsMax = 100;
/** Nesting of typed structures that contain themselves (JSONSchemaProps): bounds the recursion of decoding. */
export const schemaDepthMax = 500;
/** Characters of YAML read at once, unless the caller says otherwise: parsing costs about a microsecond for each. */
export const yamlCharactersMax = 1024 * 1024;
/** Nesting of YAML collections. */
export const yamlDepthMax = 200;
/** Nodes that aliases may add beyond those written out. */
export const yamlAliasNodesMax = 100_000;
/** Nesting of protobuf messages. */
export const protobufDepthMax = 500;
/** Pieces of YAML text (a key, a colon, a value …) that are read before a pause: some ten milliseconds. */
export const yamlPiecesPerStep = 16_000;
/** Parts of documents kept as text that are remembered, so that equal ones are one. */
export const keptTextsMax = 512;
/** Characters of one of them. */
export const keptTextLengthMax = 16 * 1024;
