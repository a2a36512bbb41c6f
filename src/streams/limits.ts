/** Bytes of one WebSocket message; clients cut their data into smaller ones. */
export const messageBytesMax = 4 * 1024 * 1024;
/** Bytes of one SPDY frame's payload, of which the protocol allows 16 MiB. */
export const spdyFrameBytesMax = 4 * 1024 * 1024;
/** Streams open at once on one SPDY connection. */
export const spdyStreamsMax = 1000;
/** Ports of one port-forward request over WebSocket channels. */
export const forwardedPortsMax = 64;
