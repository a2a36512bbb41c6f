/** The wall clock of a place. */
export interface TimeZone {
  /** Seconds that it is ahead of UTC at an instant, in milliseconds since 1970, of which whole seconds count. */
  offsetSeconds(atMs: number): number;
}

/** The IANA time zone of a name; undefined when there is none. */
export function timeZone(name: string): TimeZone | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    // That is how the language says that it does not know the name.
    return undefined;
  }
  return {
    offsetSeconds(atMs) {
      const wholeMs = Math.floor(atMs / 1000) * 1000;
      const parts = new Map(format.formatToParts(new Date(wholeMs)).map(({ type, value }) => [type, Number(value)]));
      const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
      return (
        (Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second")) - wholeMs) / 1000
      );
    },
  };
}
