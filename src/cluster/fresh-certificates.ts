import type { Log } from "#telemetry/log.ts";
import type { Transport, TlsIdentity } from "#world/http.ts";
import type { World } from "#world/world.ts";
import { renewBeforeMs } from "./pki.ts";

/** Clocks step, and timers have an end: what is due in months is looked at again after this time, in milliseconds. */
const lookAgainMsMax = 20 * 24 * 60 * 60 * 1000;
/** Nothing is renewed more often, in milliseconds. */
const lookAgainMsMin = 60_000;
/** After a renewal that failed it is tried again after this time, in milliseconds. */
const failedAgainMs = 60 * 60 * 1000;
/** Streams over a replaced identity are broken off this long after, in milliseconds; whoever reads them goes on with the new. */
const replacedKeepMs = 60_000;

type FreshWorld = Pick<World, "clock" | "timers" | "certificates">;

/**
 * Calls `renew` when the first of the `current` certificates (PEM) ends within the time of renewal, so that no process needs a
 * restart because of a date. Sleeps until then.
 */
export function keepFresh(
  world: FreshWorld,
  options: {
    readonly current: () => readonly string[];
    readonly renew: () => Promise<void>;
    readonly log: Log;
  },
): { stop(): void } {
  const { clock, timers } = world;
  let isStopped = false;
  const dueInMs = (): number => {
    const ends = options.current().map((certificate) => world.certificates.read(certificate)?.notAfter ?? Infinity);
    return Math.min(...ends) - renewBeforeMs - clock.now();
  };
  const look = async (): Promise<void> => {
    if (isStopped) return;
    let waitMs = dueInMs();
    if (waitMs <= 0) {
      try {
        await options.renew();
        options.log.info("certificates were renewed");
        waitMs = dueInMs();
      } catch (error) {
        options.log.error("cannot renew certificates", error);
        waitMs = failedAgainMs;
      }
    }
    plan(waitMs);
  };
  let timer = timers.after(lookAgainMsMin, () => void look());
  const plan = (waitMs: number): void => {
    if (isStopped) return;
    timer.cancel();
    timer = timers.after(Math.min(Math.max(waitMs, lookAgainMsMin), lookAgainMsMax), () => void look());
  };
  plan(dueInMs());
  return {
    stop() {
      isStopped = true;
      timer.cancel();
    },
  };
}

/** A transport that shows the identity that counts now: requests after a renewal go over new connections. */
export function transportOf(
  world: Pick<World, "http" | "timers">,
  options: { readonly baseUrl: string; readonly ca: string },
  identity: () => TlsIdentity,
): Transport {
  const open = (shown: TlsIdentity): ReturnType<World["http"]["transport"]> =>
    world.http.transport({ ...options, identity: shown });
  let shown = identity();
  let transport = open(shown);
  const current = (): typeof transport => {
    const now = identity();
    if (now === shown) return transport;
    const former = transport;
    world.timers.after(replacedKeepMs, () => former.close());
    shown = now;
    transport = open(now);
    return transport;
  };
  return {
    send: async (request) => await current().send(request),
    upgrade: async (request) => {
      const { upgrade } = current();
      if (upgrade === undefined) throw new Error("this transport cannot upgrade");
      return await upgrade.call(transport, request);
    },
  };
}
