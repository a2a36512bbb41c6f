/** Go's layouts for metav1.Time and metav1.MicroTime, as its messages print them. */
const timeLayout = "2006-01-02T15:04:05Z07:00";
const microLayout = "2006-01-02T15:04:05.000000Z07:00";

export type TimeResult =
  | { readonly ok: true; readonly seconds: number; readonly nanos: number }
  | { readonly ok: false; readonly message: string };

const pattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** Reads RFC 3339 as Go's time.Parse does. Seconds since 1970, and nanoseconds within the second. */
export function parseTime(text: string, layout: "time" | "micro-time" = "time"): TimeResult {
  const match = pattern.exec(text);
  if (match === null) return { ok: false, message: parseMessage(text, layout) };
  const [, year, month, day, hour, minute, second, fraction, sign, zoneHour, zoneMinute] = match.map(
    (part) => part ?? "",
  );
  if (!isPossible(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second))) {
    return { ok: false, message: parseMessage(text, layout, rangeName(match)) };
  }
  let offsetMinutes = 0;
  if (sign !== "") {
    if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) {
      return { ok: false, message: parseMessage(text, layout, "time zone offset") };
    }
    offsetMinutes = (Number(zoneHour) * 60 + Number(zoneMinute)) * (sign === "-" ? -1 : 1);
  }
  const ms =
    utcMs(Number(year), Number(month), Number(day)) +
    (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000;
  const nanos = Number((fraction ?? "").padEnd(9, "0").slice(0, 9));
  return { ok: true, seconds: ms / 1000 - offsetMinutes * 60, nanos };
}

function utcMs(year: number, month: number, day: number): number {
  // Years below 100 mean 19xx to Date.UTC.
  return new Date(0).setUTCFullYear(year, month - 1, day);
}

function isPossible(year: number, month: number, day: number, hour: number, minute: number, second: number): boolean {
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return false;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return day <= days;
}

function rangeName(match: RegExpExecArray): string {
  if (Number(match[2]) < 1 || Number(match[2]) > 12) return "month";
  if (Number(match[4]) > 23) return "hour";
  if (Number(match[5]) > 59) return "minute";
  if (Number(match[6]) > 59) return "second";
  return "day";
}

/** The pieces of the layout in order, each with what it accepts: the first that does not match is named. */
const pieces: readonly (readonly [string, RegExp])[] = [
  ["2006", /^\d{4}/],
  ["-", /^-/],
  ["01", /^\d\d/],
  ["-", /^-/],
  ["02", /^\d\d/],
  ["T", /^T/],
  ["15", /^\d\d/],
  [":", /^:/],
  ["04", /^\d\d/],
  [":", /^:/],
  ["05", /^\d\d(?:[.,]\d+)?/],
  ["Z07:00", /^(?:Z|[+-]\d\d:\d\d)/],
];

function parseMessage(text: string, layout: "time" | "micro-time", outOfRange?: string): string {
  const shape = layout === "time" ? timeLayout : microLayout;
  const head = `parsing time ${JSON.stringify(text)}`;
  if (outOfRange !== undefined) return `${head}: ${outOfRange} out of range`;
  let rest = text;
  for (const [name, accepts] of pieces) {
    const match = accepts.exec(rest);
    if (match === null)
      return `${head} as ${JSON.stringify(shape)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(name)}`;
    rest = rest.slice(match[0].length);
  }
  return `${head}: extra text: ${JSON.stringify(rest)}`;
}

let lastSecond = Number.NaN;
let lastText = "";

/** `2024-01-31T08:00:00`: one request writes the same second into many places, and so does the next. */
function secondText(second: number): string {
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toISOString().slice(0, -5);
    lastSecond = second;
  }
  return lastText;
}

/** `2024-01-31T08:00:00Z` from milliseconds since 1970; parts of a second are dropped, as metav1.Time does. */
export function formatTime(ms: number): string {
  return `${secondText(Math.floor(ms / 1000))}Z`;
}

/** `2024-01-31T08:00:00.123Z` from milliseconds since 1970. */
export function formatMilliTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  return `${secondText(second)}.${String(Math.floor(ms - second * 1000)).padStart(3, "0")}Z`;
}

/** `2024-01-31T08:00:00.123456Z` from milliseconds since 1970 and further nanoseconds within the second, if given. */
export function formatMicroTime(ms: number, nanosOfSecond?: number): string {
  const second = Math.floor(ms / 1000);
  const nanos = nanosOfSecond ?? Math.round((ms - second * 1000) * 1e6);
  return `${secondText(second)}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z`;
}

/** Milliseconds since 1970 of an RFC 3339 text; undefined when it is none. */
export function timeToMs(text: string | undefined): number | undefined {
  if (text === undefined || text === null) return undefined;
  const parsed = parseTime(text);
  return parsed.ok ? parsed.seconds * 1000 + Math.floor(parsed.nanos / 1e6) : undefined;
}

const canonicalTime = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

/** A metav1.Time as Go writes it; `null` is the zero time. */
export function canonicalizeTime(text: string): { ok: true; value: string | null } | { ok: false; message: string } {
  if (canonicalTime.test(text) && text.charCodeAt(0) !== 48) return { ok: true, value: text };
  const parsed = parseTime(text);
  if (!parsed.ok) return parsed;
  return { ok: true, value: isZero(parsed.seconds, parsed.nanos) ? null : formatTime(parsed.seconds * 1000) };
}

/** A metav1.MicroTime as Go writes it; `null` is the zero time. */
export function canonicalizeMicroTime(
  text: string,
): { ok: true; value: string | null } | { ok: false; message: string } {
  const parsed = parseTime(text, "micro-time");
  if (!parsed.ok) return parsed;
  return {
    ok: true,
    value: isZero(parsed.seconds, parsed.nanos) ? null : formatMicroTime(parsed.seconds * 1000, parsed.nanos),
  };
}

/** Go's zero time is the first instant of year 1. */
const zeroSeconds = -62_135_596_800;
function isZero(seconds: number, nanos: number): boolean {
  return seconds === zeroSeconds && nanos === 0;
}
