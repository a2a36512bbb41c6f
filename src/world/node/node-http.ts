/**
 * Node's HTTP/1.1 modules. Not imported: the ES module form of `node:http` reads every property, also the lazy ones, and so loads
 * the whole of `fetch` and `WebSocket`, 55 ms in every process.
 */
export const nodeHttp = process.getBuiltinModule("node:http");
export const nodeHttps = process.getBuiltinModule("node:https");
