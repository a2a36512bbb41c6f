import type { Connection } from "#world/sockets.ts";
import { SpdyClient, type SpdyStream } from "./spdy.ts";
import type { WebSocket } from "./websocket.ts";

/** Subprotocols of exec and attach over WebSocket, best first. Version 5 can say that standard input has ended. */
export const remoteCommandProtocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"] as const;

/** The version of the stream protocol that is spoken to the container runtime. */
export const runtimeStreamProtocol = "v4.channel.k8s.io";

export interface CommandStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/**
 * Joins a client's WebSocket (each message begins with its channel's number) with the streams of the runtime's SPDY
 * connection, for exec and attach. Ends both when either ends.
 */
export function bridgeRemoteCommand(webSocket: WebSocket, runtime: Connection, streams: CommandStreams): void {
  const spdy = new SpdyClient(runtime);
  const inputs = new Map<number, SpdyStream>();
  let openOutputs = 0;
  const finish = (): void => {
    webSocket.close(1000, "");
    spdy.end();
  };
  const receive = (channel: number) => ({
    data: (payload: Uint8Array): void => {
      if (!webSocket.send(withChannel(channel, payload))) spdy.pause();
    },
    end: (): void => {
      openOutputs -= 1;
      // The error stream carries the exit status and ends with the output streams: then all has been said.
      if (openOutputs === 0) finish();
    },
  });
  const output = (name: string, channel: number): void => {
    openOutputs += 1;
    spdy.open({ streamType: name }, receive(channel));
  };
  const input = (name: string, channel: number): void => {
    inputs.set(channel, spdy.open({ streamType: name }, { data: () => undefined, end: () => undefined }));
  };
  spdy.start({ closed: () => webSocket.close(1000, ""), drain: () => webSocket.resume() });
  // The runtime's server expects the error stream first, then those that were asked for.
  output("error", channels.error);
  if (streams.stdin) input("stdin", channels.stdin);
  if (streams.stdout) output("stdout", channels.stdout);
  if (streams.stderr && !streams.tty) output("stderr", channels.stderr);
  if (streams.tty) input("resize", channels.resize);
  webSocket.start({
    message: (payload) => {
      const channel = payload[0];
      if (channel === undefined) return;
      if (channel === channels.close) {
        inputs.get(payload[1] ?? -1)?.end();
      } else if (inputs.get(channel)?.write(payload.subarray(1)) === false) {
        webSocket.pause();
      }
    },
    close: () => spdy.end(),
    drain: () => spdy.resume(),
  });
}

export function withChannel(channel: number, payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(1 + payload.length);
  message[0] = channel;
  message.set(payload, 1);
  return message;
}
