import { timeZone, type TimeZone } from "#base/time-zone.ts";
import { fail } from "../failure.ts";
import { member, takes, type Overload } from "../library.ts";
import { timeZonesMax } from "../limits.ts";
import { splitSeconds } from "../scalar-text.ts";
import { duration, int, string, timestamp } from "../types.ts";
import type { Duration, Timestamp } from "../value.ts";

type Read = (date: Date, nanos: bigint) => number;

const dayOfYear: Read = (date) => {
  const start = new Date(date.getTime());
  start.setUTCMonth(0, 1);
  return Math.round((date.getTime() - start.getTime()) / 86_400_000);
};

/** What a moment's parts are, in UTC or another time zone. */
const parts: readonly [name: string, read: Read][] = [
  ["getFullYear", (date) => date.getUTCFullYear()],
  ["getMonth", (date) => date.getUTCMonth()],
  ["getDate", (date) => date.getUTCDate()],
  ["getDayOfMonth", (date) => date.getUTCDate() - 1],
  ["getDayOfWeek", (date) => date.getUTCDay()],
  ["getDayOfYear", dayOfYear],
  ["getHours", (date) => date.getUTCHours()],
  ["getMinutes", (date) => date.getUTCMinutes()],
  ["getSeconds", (date) => date.getUTCSeconds()],
  ["getMilliseconds", (_, nanos) => Number(splitSeconds(nanos).fraction / 1_000_000n)],
];

const ofDurations: readonly [name: string, of: (nanos: bigint) => bigint][] = [
  ["getHours", (nanos) => nanos / 3_600_000_000_000n],
  ["getMinutes", (nanos) => nanos / 60_000_000_000n],
  ["getSeconds", (nanos) => nanos / 1_000_000_000n],
  ["getMilliseconds", (nanos) => (nanos / 1_000_000n) % 1_000n],
];

/** Units of asking how far a named time zone is ahead at a moment. */
const zoneUnits = 90;

export const timeLibrary: readonly Overload[] = [
  ...parts.flatMap(([name, read]) => [
    member(name, [timestamp], int, ({ nanos }: Timestamp) => BigInt(read(dateOf(nanos, 0), nanos)), takes(8)),
    member(
      name,
      [timestamp, string],
      int,
      ({ nanos }: Timestamp, zone: string) => BigInt(read(dateOf(nanos, offsetSeconds(nanos, zone)), nanos)),
      takes(zoneUnits),
    ),
  ]),
  ...ofDurations.map(([name, of]) => member(name, [duration], int, ({ nanos }: Duration) => of(nanos), takes(2))),
];

function dateOf(nanos: bigint, offset: number): Date {
  return new Date((Number(splitSeconds(nanos).seconds) + offset) * 1000);
}

const zones = new Map<string, TimeZone>();

/** Seconds that a time zone is ahead of UTC at a moment: `+01:00`, `02:00`, or a name. */
function offsetSeconds(nanos: bigint, zone: string): number {
  if (zone === "UTC" || zone === "") return 0;
  const fixed = /^([-+]?)(\d\d):(\d\d)$/.exec(zone);
  if (fixed !== null) {
    const seconds = (Number(fixed[2]) * 60 + Number(fixed[3])) * 60;
    return fixed[1] === "-" ? -seconds : seconds;
  }
  return zoneOf(zone).offsetSeconds(Number(splitSeconds(nanos).seconds) * 1000);
}

function zoneOf(name: string): TimeZone {
  const known = zones.get(name);
  if (known !== undefined) return known;
  if (64 < name.length) return fail("unknown time zone");
  const zone = timeZone(name) ?? fail(`unknown time zone ${name}`);
  if (timeZonesMax <= zones.size) zones.clear();
  zones.set(name, zone);
  return zone;
}
