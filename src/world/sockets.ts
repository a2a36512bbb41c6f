/** What a connection reports. Calls come one at a time, never from inside a method of the connection. */
export interface ConnectionEvents {
  data(chunk: Uint8Array): void;
  /** The other side will send nothing more. */
  end(): void;
  /** Nothing more will happen on this connection; `error` when it broke. Always the last call. */
  close(error?: Error): void;
  /** There is room again after a `write` that returned false. */
  drain(): void;
}

/** A two-way byte stream: TCP, Unix socket, TLS or an upgraded HTTP connection. */
export interface Connection {
  /** Begins delivery of events; called once, by the owner. Bytes that came earlier are delivered first. */
  start(events: ConnectionEvents): void;
  /** False: the buffer is full; wait for `drain`. */
  write(chunk: Uint8Array): boolean;
  /** Half-closes after what was written. */
  end(): void;
  /** Drops the connection at once. */
  destroy(error?: Error): void;
  /** Stops delivery of `data` until `resume`: back-pressure to the other side. */
  pause(): void;
  resume(): void;
}

export interface Listener {
  readonly port: number;
  close(): Promise<void>;
}

export interface DatagramSocket {
  readonly port: number;
  send(message: Uint8Array, port: number, address: string): void;
  close(): void;
}

export interface Sockets {
  connect(to: { host: string; port: number } | { path: string }, timeoutMs: number): Promise<Connection>;
  listen(
    at: { host: string; port: number } | { path: string },
    accept: (connection: Connection) => void,
  ): Promise<Listener>;
  datagram(
    at: { host: string; port: number },
    receive: (message: Uint8Array, from: { address: string; port: number }) => void,
  ): Promise<DatagramSocket>;
}
