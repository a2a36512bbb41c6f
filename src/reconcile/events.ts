import { events as eventResource } from "#api/generated/resources.ts";
import type { Event } from "#api/generated/core-v1.ts";
import type { Draft } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import type { EventText } from "./action.ts";
import { limits } from "./limits.ts";

/**
 * Writes Events beside the work: never awaited, bounded, combined, behind what matters more. A lost Event changes nothing, but
 * where nobody answers it is written again, a few times.
 */
export interface EventRecorder {
  record(event: EventText): void;
  /** The process ends: nothing is waited for any more. What is left is tried at once, and lost where nobody answers. */
  stop(): void;
}

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  /** With timers, Events give way to a server that is busy. */
  readonly timers?: Timers;
  readonly random: Random;
  /** `deployment-controller`: the From column of kubectl describe. */
  readonly source: string;
  /** The node, for agents. */
  readonly host?: string;
  readonly onProblem?: (problem: string, error: unknown) => void;
}

interface Series {
  /** Name of the stored Event; undefined before the first was written. */
  name: string | undefined;
  count: number;
  firstMs: number;
  lastMs: number;
}

/** What happened since the last write about a series. */
interface Waiting {
  event: EventText;
  count: number;
  readonly firstMs: number;
  lastMs: number;
  /** Writes that nobody answered. */
  tries: number;
  /** Of the Event that such a write may have made. */
  name: string | undefined;
}

interface Similar {
  readonly texts: Set<string>;
  lastMs: number;
}

interface Bucket {
  tokens: number;
  filledMs: number;
}

const combinedPrefix = "(combined from similar events): ";

/**
 * Counts repeats into one Event, combines many texts of one object and reason into one, and limits what one object may cause,
 * with the numbers that client-go's correlator documents (10 similar in 10 minutes, 25 at once, one more each 5 minutes).
 */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const series = new Map<string, Series>();
  const similar = new Map<string, Similar>();
  const buckets = new Map<string, Bucket>();
  const waiting = new Map<string, Waiting>();
  let writing = false;
  let isStopped = false;
  let wake = (): void => undefined;

  const rest = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = isStopped ? undefined : options.timers?.after(delayMs, resolve);
      wake = () => {
        timer?.cancel();
        resolve();
      };
      if (timer === undefined) resolve();
    });
  const drain = async (): Promise<void> => {
    writing = true;
    for (let next = takeFirst(waiting); next !== undefined; next = takeFirst(waiting)) {
      const startMs = options.clock.monotonic();
      try {
        await write(options, next.key, next.news, series);
      } catch (error) {
        options.onProblem?.(`cannot write the event ${next.news.event.eventReason}`, error);
        if (options.timers !== undefined && !isStopped && mayBeTriedAgain(error, next.news)) {
          putBack(waiting, next.key, next.news);
          await rest(limits.eventRetryMs);
        }
      }
      const pauseMs = pauseAfter(options.clock.monotonic() - startMs);
      if (pauseMs > 0) await rest(pauseMs);
    }
    writing = false;
  };
  return {
    record(event) {
      const nowMs = options.clock.now();
      const about = identity(event);
      const combined = combine(similar, about, event, nowMs);
      if (!mayPass(buckets, about, nowMs)) return;
      const key = seriesOf(about, combined);
      const known = waiting.get(key);
      if (known !== undefined) {
        known.event = combined;
        known.count++;
        known.lastMs = nowMs;
      } else {
        if (waiting.size >= limits.eventsWaitingMax) takeFirst(waiting);
        const fresh = { count: 1, firstMs: nowMs, lastMs: nowMs, tries: 0, name: undefined };
        waiting.set(key, { event: combined, ...fresh });
      }
      if (!writing) void drain();
    },
    stop() {
      isStopped = true;
      wake();
    },
  };
}

function takeFirst(waiting: Map<string, Waiting>): { readonly key: string; readonly news: Waiting } | undefined {
  for (const [key, news] of waiting) {
    waiting.delete(key);
    return { key, news };
  }
  return undefined;
}

/** Nobody answered, or the server was unwell; what it refused it will refuse again. */
function mayBeTriedAgain(error: unknown, { tries }: Waiting): boolean {
  const isRefused = error instanceof ApiStatusError && error.code < 500 && error.code !== 429;
  return !isRefused && tries + 1 < limits.eventTriesMax;
}

/** Behind the others; what happened meanwhile counts with it. */
function putBack(waiting: Map<string, Waiting>, key: string, news: Waiting): void {
  const later = waiting.get(key);
  const { event, count, lastMs } = later ?? { event: news.event, count: 0, lastMs: news.lastMs };
  waiting.set(key, { ...news, event, count: news.count + count, lastMs, tries: news.tries + 1 });
}

/** A server that takes long to answer has more important things to do than to write what happened. Milliseconds. */
function pauseAfter(tookMs: number): number {
  return tookMs < limits.eventBusyMs ? 0 : Math.min(tookMs * limits.eventPauseFactor, limits.eventPauseMaxMs);
}

function identity(event: EventText): string {
  const { about } = event;
  return `${about.kind}/${about.namespace ?? ""}/${about.name}/${about.uid}`;
}

function combine(similar: Map<string, Similar>, about: string, event: EventText, nowMs: number): EventText {
  const key = `${about}/${event.type}/${event.eventReason}`;
  let known = similar.get(key);
  if (known === undefined || nowMs - known.lastMs > limits.eventWindowMs) known = { texts: new Set(), lastMs: nowMs };
  remember(similar, key, known);
  known.lastMs = nowMs;
  if (known.texts.size < limits.eventSimilarMax) known.texts.add(event.message);
  if (known.texts.has(event.message)) return event;
  return { ...event, message: `${combinedPrefix}${event.message}` };
}

function mayPass(buckets: Map<string, Bucket>, key: string, nowMs: number): boolean {
  const bucket = buckets.get(key) ?? { tokens: limits.eventBurst, filledMs: nowMs };
  remember(buckets, key, bucket);
  const refill = Math.floor((nowMs - bucket.filledMs) / limits.eventRefillMs);
  if (refill > 0) {
    bucket.tokens = Math.min(limits.eventBurst, bucket.tokens + refill);
    bucket.filledMs += refill * limits.eventRefillMs;
  }
  if (bucket.tokens < 1) return false;
  bucket.tokens--;
  return true;
}

/** Events of one series are one object that counts. */
function seriesOf(about: string, event: EventText): string {
  const isCombined = event.message.startsWith(combinedPrefix);
  return `${about}/${event.type}/${event.eventReason}/${isCombined ? "combined" : event.message}`;
}

async function write(
  options: EventRecorderOptions,
  key: string,
  news: Waiting,
  allSeries: Map<string, Series>,
): Promise<void> {
  const { event, firstMs, lastMs } = news;
  let known = allSeries.get(key);
  if (known === undefined || lastMs - known.lastMs > limits.eventWindowMs) {
    known = { name: undefined, count: 0, firstMs, lastMs };
  }
  remember(allSeries, key, known);
  const count = known.count + news.count;
  const namespace = event.about.namespace ?? "default";
  if (known.name !== undefined) {
    try {
      const patch = { count, lastTimestamp: seconds(lastMs), message: event.message };
      await options.client.patch(eventResource, { namespace, name: known.name }, patch, {
        type: "merge",
        shared: true,
      });
      known.count = count;
      known.lastMs = lastMs;
      return;
    } catch (error) {
      // The event has expired: write a new one that goes on counting.
      if (!(error instanceof ApiStatusError) || error.code !== 404) throw error;
    }
  }
  const isFirst = news.name === undefined;
  news.name ??= nameOf(options, event);
  const object = eventObject(options, event, { name: news.name, count, firstMs: known.firstMs, lastMs }, namespace);
  try {
    await options.client.create<Event>(eventResource, { namespace }, object, { shared: true });
  } catch (error) {
    // The write whose answer was lost has made it.
    const isThere = !isFirst && error instanceof ApiStatusError && error.reason === "AlreadyExists";
    if (!isThere) throw error;
  }
  Object.assign(known, { name: news.name, count, lastMs });
}

function nameOf({ clock, random }: EventRecorderOptions, { about }: EventText): string {
  // Nanoseconds, of which the clock knows the milliseconds and chance the rest.
  const suffix = BigInt(clock.now()) * 1_000_000n + BigInt(Math.floor(random.float() * 1_000_000));
  return `${about.name}.${suffix.toString(16)}`;
}

function eventObject(
  options: EventRecorderOptions,
  event: EventText,
  series: Series & { readonly name: string },
  namespace: string,
): Draft<Event> {
  const { about } = event;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: series.name, namespace },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name: about.name,
      uid: about.uid,
      ...(about.namespace === undefined ? {} : { namespace: about.namespace }),
    },
    reason: event.eventReason,
    message: event.message.slice(0, 1024),
    type: event.type,
    count: series.count,
    firstTimestamp: seconds(series.firstMs),
    lastTimestamp: seconds(series.lastMs),
    source: { component: options.source, ...(options.host === undefined ? {} : { host: options.host }) },
    reportingComponent: options.source,
    reportingInstance: options.host ?? "",
  };
}

function seconds(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}

/** Sets a value as the most recent one and forgets the least recent beyond `eventSeriesMax`. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= limits.eventSeriesMax) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
