import type { Connection } from "#world/sockets.ts";
import { forwardedPortsMax } from "./limits.ts";
import { withChannel } from "./remote-command.ts";
import { SpdyClient } from "./spdy.ts";
import type { WebSocket } from "./websocket.ts";

/** kubectl tunnels SPDY through a WebSocket; older clients use a pair of channels a port. */
export const portForwardProtocols = ["SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io"] as const;

/** The version of the port-forward protocol that is spoken to the container runtime. */
export const runtimePortForwardProtocol = "portforward.k8s.io";

/** Joins a WebSocket whose messages are the bytes of a SPDY connection with that connection. */
export function tunnelThroughWebSocket(webSocket: WebSocket, runtime: Connection): void {
  runtime.start({
    data: (chunk) => {
      if (!webSocket.send(chunk)) runtime.pause();
    },
    end: () => webSocket.close(1000, ""),
    close: () => webSocket.close(1000, ""),
    drain: () => webSocket.resume(),
  });
  webSocket.start({
    message: (payload) => {
      if (!runtime.write(payload)) webSocket.pause();
    },
    close: () => runtime.end(),
    drain: () => runtime.resume(),
  });
}

/**
 * Port-forward over numbered channels: port i has channel 2i for data and 2i+1 for errors, and each begins with the port's
 * number in two bytes, low first.
 */
export function bridgePortForward(webSocket: WebSocket, runtime: Connection, ports: readonly number[]): void {
  if (ports.length === 0 || ports.length > forwardedPortsMax) {
    webSocket.close(1002, `between 1 and ${forwardedPortsMax} ports can be forwarded`);
    runtime.end();
    return;
  }
  const spdy = new SpdyClient(runtime);
  spdy.start({ closed: () => webSocket.close(1000, ""), drain: () => webSocket.resume() });
  const opened = ports.map((port, index) => {
    const headers = { port: String(port), requestID: String(index) };
    const receive = (channel: number) => ({
      data: (payload: Uint8Array): void => {
        if (!webSocket.send(withChannel(channel, payload))) spdy.pause();
      },
      end: (): void => undefined,
    });
    for (const channel of [2 * index, 2 * index + 1]) webSocket.send(Uint8Array.of(channel, port & 255, port >> 8));
    // The error stream goes first; the runtime pairs the two by their request id.
    const error = spdy.open({ ...headers, streamType: "error" }, receive(2 * index + 1));
    error.end();
    return spdy.open({ ...headers, streamType: "data" }, receive(2 * index));
  });
  webSocket.start({
    message: (payload) => {
      const channel = payload[0] ?? 1;
      if (channel % 2 === 0 && opened[channel / 2]?.write(payload.subarray(1)) === false) webSocket.pause();
    },
    close: () => spdy.end(),
    drain: () => spdy.resume(),
  });
}
