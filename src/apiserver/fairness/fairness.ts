import type { FlowSchema, PriorityLevelConfiguration } from "#api/generated/flowcontrol-v1.ts";
import { flowschemas, prioritylevelconfigurations } from "#api/generated/resources.ts";
import type { Timers } from "#world/clock.ts";
import { listStored } from "../authorize/stored.ts";
import type { Call, Outcome } from "../call.ts";
import { tooManyRequests } from "../failure.ts";
import { retryAfterSeconds } from "../limits.ts";
import type { ObjectReader } from "../object-reader.ts";
import { classify, flowOf, inOrder } from "./classify.ts";
import { FairLevel } from "./fair-level.ts";
import { queueLengthDefault, queueLengthMax, seatsTotal } from "./limits.ts";

interface Level {
  readonly uid: string;
  /** Undefined: exempt from all limits. */
  readonly seats: FairLevel | undefined;
}

/** API priority and fairness: each request belongs to a flow of a priority level, and takes one of the level's seats. */
export class Fairness {
  readonly #objects: ObjectReader;
  readonly #timers: Pick<Timers, "after">;
  readonly #listening: { close(): void }[];
  #schemas: readonly FlowSchema[] = [];
  #levels = new Map<string, Level>();
  #isStale = true;

  constructor(objects: ObjectReader, timers: Pick<Timers, "after">) {
    this.#objects = objects;
    this.#timers = timers;
    const stale = (): void => {
      this.#isStale = true;
    };
    this.#listening = [objects.onChange(flowschemas, stale), objects.onChange(prioritylevelconfigurations, stale)];
  }

  close(): void {
    for (const each of this.#listening) each.close();
  }

  /** Waits for a seat where it must. Watches are over when they have begun; calls of the house itself are no clients. */
  limit(call: Call): Outcome | Promise<Outcome> {
    if (call.inProcess) return undefined;
    if (this.#isStale) this.#refresh();
    const schema = classify(this.#schemas, call.info, call.user);
    const level = schema === undefined ? undefined : this.#levels.get(schema.spec.priorityLevelConfiguration.name);
    if (schema === undefined || level === undefined) return undefined;
    call.flow = { schemaUid: schema.metadata.uid ?? "", levelUid: level.uid };
    const { seats } = level;
    if (seats === undefined) return undefined;
    const turn = seats.enter(flowOf(schema, call.info, call.user));
    if (turn === "refused") return tooMany();
    if (turn === "now") {
      call.finished = () => seats.leave();
      return undefined;
    }
    return turn.then((hasSeat) => {
      if (!hasSeat) return tooMany();
      call.finished = () => seats.leave();
      return undefined;
    });
  }

  #refresh(): void {
    this.#isStale = false;
    this.#schemas = inOrder(listStored<FlowSchema>(this.#objects, flowschemas));
    const stored = listStored<PriorityLevelConfiguration>(this.#objects, prioritylevelconfigurations);
    const shares = (level: PriorityLevelConfiguration): number => level.spec.limited?.nominalConcurrencyShares ?? 0;
    const total = Math.max(
      1,
      stored.reduce((sum, level) => sum + shares(level), 0),
    );
    const next = new Map<string, Level>();
    for (const level of stored) {
      const name = level.metadata.name ?? "";
      const uid = level.metadata.uid ?? "";
      if (level.spec.type === "Exempt") {
        next.set(name, { uid, seats: undefined });
        continue;
      }
      const count = Math.max(1, Math.ceil((seatsTotal * shares(level)) / total));
      const { limitResponse } = level.spec.limited ?? {};
      const length = limitResponse?.queuing?.queueLengthLimit ?? queueLengthDefault;
      const queueLength = limitResponse?.type === "Reject" ? 0 : Math.min(length, queueLengthMax);
      // Who sits or waits there goes on: only the numbers change.
      const seats = this.#levels.get(name)?.seats ?? new FairLevel(this.#timers, count, queueLength);
      seats.seats = count;
      seats.queueLength = queueLength;
      next.set(name, { uid, seats });
    }
    this.#levels = next;
  }
}

function tooMany(): Outcome {
  return tooManyRequests("too many requests, please try again later.", retryAfterSeconds);
}
