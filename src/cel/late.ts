import type { Clock } from "#world/clock.ts";
import type { IsLate } from "./frame.ts";
import { evaluationMsMax } from "./limits.ts";

/** For an evaluation that begins now: whether it has taken too long. */
export function lateFromNow(clock: Pick<Clock, "monotonic">): IsLate {
  const until = clock.monotonic() + evaluationMsMax;
  return () => until < clock.monotonic();
}
