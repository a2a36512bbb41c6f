/** Nesting of JSON objects and arrays, as in Go's decoder. */
export const jsonDepthMax = 10_000;
/** Duplicate and unknown fields reported for one document; the rest is only counted as present. */
export const strictErrorsMax = 100;
/** Nesting of typed structures that contain themselves (JSONSchemaProps): bounds the recursion of decoding. */
export const schemaDepthMax = 500;
/** Bytes of one YAML document. */
export const yamlBytesMax = 3 * 1024 * 1024;
/** Nesting of YAML collections. */
export const yamlDepthMax = 1_000;
/** Nodes that aliases may add beyond those written out. */
export const yamlAliasNodesMax = 10_000;
/** Nesting of protobuf messages. */
export const protobufDepthMax = 500;
