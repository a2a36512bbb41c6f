/** Aggregated servers are asked for their resources again after this time, in milliseconds. */
export const checkIntervalMs = 30_000;
/** An aggregated server must say what it serves within this time, in milliseconds. */
export const checkTimeoutMs = 5_000;
/** Bytes of a list of resources that are read. */
export const resourceListBytesMax = 1024 * 1024;
/** Bytes of an OpenAPI document of an aggregated server; larger ones are not published. */
export const openApiBytesMax = 4 * 1024 * 1024;
/** Levels that such a document may nest; deeper ones are not published. */
export const openApiDepthMax = 200;
/** Resources of one aggregated group version; more are not shown in discovery. */
export const resourcesMax = 500;
