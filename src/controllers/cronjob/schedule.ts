import type { CronSchedule } from "#api/cron-schedule.ts";
import { timeZone } from "#base/time-zone.ts";

const minuteMs = 60_000;
/** How far ahead the next time is looked for: a 29 February on a given weekday comes at least this often. Milliseconds. */
const horizonMs = 29 * 366 * 24 * 60 * minuteMs;

/** The wall clock of a time zone. */
export interface ZoneClock {
  /** Minutes that the zone's clock is ahead of UTC at this instant. */
  offsetMinutes(atMs: number): number;
}

/** The clock of an IANA time zone; undefined when there is no such zone. UTC when `zone` is undefined. */
export function zoneClock(zone: string | undefined): ZoneClock | undefined {
  if (zone === undefined || zone === "UTC" || zone === "Etc/UTC") return { offsetMinutes: () => 0 };
  const found = timeZone(zone);
  return found && { offsetMinutes: (atMs) => Math.round(found.offsetSeconds(atMs) / 60) };
}

/**
 * The first instant after `afterMs` at which the schedule fires; undefined when there is none. A wall-clock time that the zone
 * skips does not come; one that it repeats fires once, at its first passing, when the hour is fixed.
 */
export function nextTime(schedule: CronSchedule, clock: ZoneClock, afterMs: number): number | undefined {
  if (schedule.everyMs !== undefined) return afterMs + Math.max(1000, schedule.everyMs);
  const endMs = afterMs + horizonMs;
  let atMs = Math.floor(afterMs / minuteMs) * minuteMs + minuteMs;
  while (atMs < endMs) {
    const offset = clock.offsetMinutes(atMs);
    const local = new Date(atMs + offset * minuteMs);
    const skip = minutesToSkip(schedule, local);
    if (skip === 0) {
      if (!isRepeated(schedule, clock, atMs, offset)) return atMs;
      atMs += minuteMs;
      continue;
    }
    // A jump may not pass over a change of the offset: then look from the change on.
    const targetMs = atMs + skip * minuteMs;
    atMs = clock.offsetMinutes(targetMs) === offset ? targetMs : changeBetween(clock, atMs, targetMs, offset);
  }
  return undefined;
}

/** The newest instant up to `nowMs` at which the schedule fires, when it fires at `firstMs` already. */
export function lastTime(schedule: CronSchedule, clock: ZoneClock, firstMs: number, nowMs: number): number {
  if (schedule.everyMs !== undefined) {
    const everyMs = Math.max(1000, schedule.everyMs);
    return firstMs + Math.floor((nowMs - firstMs) / everyMs) * everyMs;
  }
  // Whether it fires between an instant and now can only change from yes to no as the instant comes nearer to now.
  let last = firstMs;
  for (let low = firstMs, high = nowMs; high - low > minuteMs;) {
    const middle = low + Math.floor((high - low) / 2);
    const next = nextTime(schedule, clock, middle);
    if (next !== undefined && next <= nowMs) low = last = next;
    else high = middle;
  }
  return last;
}

/** 0: this minute fires. Else the minutes to the start of the next minute, hour or day that might. */
function minutesToSkip(schedule: CronSchedule, local: Date): number {
  const minutesLeftInDay = 24 * 60 - (local.getUTCHours() * 60 + local.getUTCMinutes());
  if (!schedule.months.has(local.getUTCMonth() + 1)) return minutesLeftInDay;
  if (!isDay(schedule, local)) return minutesLeftInDay;
  if (!schedule.hours.has(local.getUTCHours())) return 60 - local.getUTCMinutes();
  return schedule.minutes.has(local.getUTCMinutes()) ? 0 : 1;
}

function isDay(schedule: CronSchedule, local: Date): boolean {
  const inMonth = schedule.daysOfMonth.has(local.getUTCDate());
  const inWeek = schedule.daysOfWeek.has(local.getUTCDay());
  // Both fields restricted: either is enough, as cron has always had it.
  return schedule.anyDayOfMonth || schedule.anyDayOfWeek ? inMonth && inWeek : inMonth || inWeek;
}

function changeBetween(clock: ZoneClock, fromMs: number, toMs: number, offset: number): number {
  let low = fromMs / minuteMs;
  let high = toMs / minuteMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (clock.offsetMinutes(middle * minuteMs) === offset) low = middle;
    else high = middle;
  }
  return high * minuteMs;
}

/** The clock was put back and shows this time for the second time. Schedules that fire every hour do so in both. */
function isRepeated(schedule: CronSchedule, clock: ZoneClock, atMs: number, offset: number): boolean {
  if (schedule.hours.size === 24) return false;
  for (const shift of [30, 60, 120]) {
    if (clock.offsetMinutes(atMs - shift * minuteMs) === offset + shift) return true;
  }
  return false;
}
