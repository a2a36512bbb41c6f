import type { Connection, ConnectionEvents } from "#world/sockets.ts";

/** Joins two connections byte for byte, with back-pressure and half-closing both ways, until both have ended. */
export function joinConnections(left: Connection, right: Connection): void {
  left.start(forwardTo(left, right));
  right.start(forwardTo(right, left));
}

function forwardTo(from: Connection, to: Connection): ConnectionEvents {
  return {
    data: (chunk) => {
      if (!to.write(chunk)) from.pause();
    },
    end: () => to.end(),
    // Whatever ended this side, the other has nobody to talk to any more.
    close: (error) => (error === undefined ? to.end() : to.destroy(error)),
    // `from` has room again, so its counterpart may go on reading.
    drain: () => to.resume(),
  };
}
