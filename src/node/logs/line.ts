/** One line of a CRI log file: `2026-11-22T11:16:21.688208492Z stdout F hello`. */
export interface LogLine {
  /** RFC 3339 with nanoseconds, as the runtime wrote it. */
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  /** The line goes on in the next entry. */
  readonly partial: boolean;
  readonly content: string;
}

/** Undefined for what is no entry (a line cut off by rotation). */
export function parseLogLine(line: string): LogLine | undefined {
  const match = /^(\S+) (stdout|stderr) ([FP])(?::\S*)? ?(.*)$/s.exec(line);
  if (match === null) return undefined;
  const [, time = "", stream, tag, content = ""] = match;
  return { time, stream: stream === "stderr" ? "stderr" : "stdout", partial: tag === "P", content };
}
