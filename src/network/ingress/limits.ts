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
/** Milliseconds between two looks at the counters of TrafficSplits, while one counts. */
export const countPollMs = 200;
/** Milliseconds until the next look after one that failed. */
export const countRetryMs = 1_000;
/** Milliseconds between two tellings of numbers that speak of no new error. */
export const countSpacingMs = 1_000;
/** Milliseconds after which unchanged counters are told again: whoever judges them knows that we are alive. */
export const countHeartbeatMs = 4_000;
/** Failed requests told as samples, and characters of each. */
export const samplesMax = 5;
export const sampleCharactersMax = 300;
