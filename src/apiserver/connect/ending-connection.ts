import type { Connection } from "#world/sockets.ts";

/** The same connection, which calls `ended` once it is over, whoever owns it by then. */
export function endingConnection(inner: Connection, ended: () => void): Connection {
  return {
    start: (events) =>
      inner.start({
        data: (chunk) => events.data(chunk),
        end: () => events.end(),
        drain: () => events.drain(),
        close: (error) => {
          ended();
          events.close(error);
        },
      }),
    write: (chunk) => inner.write(chunk),
    end: () => inner.end(),
    destroy: (error) => inner.destroy(error),
    pause: () => inner.pause(),
    resume: () => inner.resume(),
  };
}
