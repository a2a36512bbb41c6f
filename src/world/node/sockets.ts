import { createSocket } from "node:dgram";
import net from "node:net";
import { AddressInUseError } from "../http.ts";
import type { Sockets } from "../sockets.ts";
import { StreamConnection } from "./connection.ts";

/** TCP, Unix and UDP sockets of the machine. */
export const nodeSockets: Sockets = {
  connect(to, timeoutMs) {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ ...to, allowHalfOpen: true, noDelay: true });
      const timer = setTimeout(
        () => socket.destroy(new Error(`cannot connect: no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      const failed = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      socket.once("error", failed);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", failed);
        resolve(new StreamConnection(socket));
      });
    });
  },

  listen(at, accept) {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    const open = new Set<net.Socket>();
    server.on("connection", (socket) => {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
      accept(new StreamConnection(socket));
    });
    return listening(server, at).then((port) => ({
      port,
      close: () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          for (const socket of open) socket.destroy();
        }),
    }));
  },

  datagram(at, receive) {
    return new Promise((resolve, reject) => {
      const socket = createSocket(at.host.includes(":") ? "udp6" : "udp4");
      socket.once("error", (error) => reject(asAddressError(error, at)));
      socket.on("message", (message, from) => receive(message, { address: from.address, port: from.port }));
      socket.bind(at.port, at.host, () => {
        socket.removeAllListeners("error");
        // A datagram that could not be sent is lost, as datagrams are.
        socket.on("error", () => undefined);
        resolve({
          port: socket.address().port,
          send: (message, port, address) => socket.send(message, port, address, () => undefined),
          close: () => void socket.close(),
        });
      });
    });
  },
};

/** Resolves with the port (0 for a Unix socket); rejects with `AddressInUseError` when the address is taken. */
export function listening(server: net.Server, at: { host: string; port: number } | { path: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(asAddressError(error, at));
    server.once("error", failed);
    server.listen(at, () => {
      server.off("error", failed);
      const address = server.address();
      resolve(address !== null && typeof address === "object" ? address.port : 0);
    });
  });
}

function asAddressError(error: Error, at: { host: string; port: number } | { path: string }): Error {
  if (!("code" in error) || error.code !== "EADDRINUSE") return error;
  const name = "path" in at ? at.path : `${at.host}:${at.port}`;
  return new AddressInUseError(`cannot listen on ${name}: the address is in use`);
}
