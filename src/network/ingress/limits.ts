/** Hosts and paths in the route table; an Ingress that would go beyond is reported. */
export const routesMax = 50_000;
/** Bytes of one path: HAProxy's line of a command holds 16 KiB. */
export const pathBytesMax = 2_000;
/** Backends that HAProxy has places for at first; doubled by a reload when they run out. */
export const backendSlotsFirst = 64;
export const backendSlotsMax = 8_192;
/** Servers of one backend; endpoints beyond get no requests. */
export const serversPerBackendMax = 250;
/** Bytes of one certificate chain with its key. */
export const certificateBytesMax = 64 << 10;
/** Milliseconds for one command of the runtime API. */
export const commandTimeoutMs = 10_000;
/** Bytes of one command's answer. */
export const answerBytesMax = 64 << 20;
/** Map lines sent in one command. */
export const linesPerCommand = 100;
/** Milliseconds that others wait for a Secret that cannot be read: then it counts as missing. */
export const secretTimeoutMs = 2_000;
/** Milliseconds that HAProxy gets to answer its socket after a start, and to end after a stop. */
export const startTimeoutMs = 10_000;
export const stopTimeoutMs = 10_000;
export const startPollMs = 20;
