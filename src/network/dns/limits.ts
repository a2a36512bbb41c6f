/** Bytes of an answer over UDP: what fits into a packet everywhere (the DNS flag day's figure), and without EDNS. */
export const udpAnswerBytesMax = 1_232;
export const udpAnswerBytesPlain = 512;
/** Bytes of a message over TCP: the protocol's own bound. */
export const messageBytesMax = 65_535;
/** Questions that are asked upstream at the same time; more are answered with SERVFAIL. */
export const forwardedInFlightMax = 512;
/** Clients that wait for the answer to one question asked upstream. */
export const waitersPerQuestionMax = 256;
/** Milliseconds that one upstream resolver gets, and all of them together. */
export const upstreamTimeoutMs = 2_000;
export const forwardTimeoutMs = 5_000;
/** TCP connections at once, and milliseconds that one may be idle. */
export const connectionsMax = 256;
export const connectionIdleMs = 10_000;
/** Upstream resolvers that are asked, as in resolv.conf(5). */
export const upstreamsMax = 3;
/** CNAMEs that are followed inside the cluster. */
export const aliasesMax = 8;
/** Seconds that answers may be kept: short, because pods come and go. */
export const ttlSeconds = 5;
/** Records in one answer. */
export const recordsMax = 1_500;
