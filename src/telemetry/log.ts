import type { Clock } from "#world/clock.ts";

/** Values that a log line may carry. Never secrets, never whole objects. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log: a constant message, everything variable in fields. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** Something of ours is broken: `error` goes in with its stack. */
  error(message: string, error: unknown, fields?: LogFields): void;
  /** The same log with fields on every line. */
  with(fields: LogFields): Log;
}

/** One JSON object a line, the time first. */
export function createLog(clock: Clock, writeLine: (line: string) => void, fixed: LogFields = {}): Log {
  const write = (level: string, message: string, fields: LogFields): void => {
    writeLine(JSON.stringify({ time: new Date(clock.now()).toISOString(), level, message, ...fixed, ...fields }));
  };
  return {
    info: (message, fields = {}) => write("info", message, fields),
    warn: (message, fields = {}) => write("warn", message, fields),
    error: (message, error, fields = {}) => {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      write("error", message, { ...fields, error: detail });
    },
    with: (fields) => createLog(clock, writeLine, { ...fixed, ...fields }),
  };
}

/** A log that keeps nothing, for tests and simulations. */
export const silentLog: Log = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};
