import type { FlowSchema, PriorityLevelConfiguration } from "#api/generated/flowcontrol-v1.ts";
import { flowschemas, prioritylevelconfigurations } from "#api/generated/resources.ts";
import { listStored } from "../authorize/stored.ts";
import type { Family } from "#telemetry/metrics.ts";
import type { Call, Outcome } from "../call.ts";
import { tooManyRequests } from "../failure.ts";
import { retryAfterSeconds } from "../limits.ts";
import type { FlowCounts, Measures } from "../measures.ts";
import type { ObjectReader } from "../object-reader.ts";
import type { User } from "../user.ts";
import { classify, flowOf, inOrder, schemasOf, type SchemaOfUser } from "./classify.ts";
import { CountedFor } from "./counted-for.ts";
import { FairLevel, type FairWorld, type Seat, type Share } from "./fair-level.ts";
import { LargeWrites } from "./large-writes.ts";
import { flowCountsMax, queueLengthDefault, queueLengthMax, seatsTotal } from "./limits.ts";
import { SeatPool } from "./seat-pool.ts";
import { widthOf } from "./width.ts";

interface Level {
  readonly uid: string;
  /** Undefined: exempt from all limits. */
  readonly seats: FairLevel | undefined;
}

/** API priority and fairness: each request belongs to a flow of a priority level, and takes seats of that level. */
export class Fairness {
  readonly #objects: ObjectReader;
  readonly #world: FairWorld;
  readonly #pool = new SeatPool();
  readonly #largeWrites: LargeWrites;
  readonly #listening: { close(): void }[];
  #schemas: readonly FlowSchema[] = [];
  /** By the user's object, which is the same for the same credential. */
  #byUser = new WeakMap<User, readonly SchemaOfUser[]>();
  #counted = new WeakMap<FlowSchema, CountedFor>();
  #levels = new Map<string, Level>();
  readonly #measures: Measures | undefined;
  /** By level and schema: what is counted outlives a change of either. */
  readonly #flowCounts = new Map<string, FlowCounts>();
  #isStale = true;

  constructor(objects: ObjectReader, world: FairWorld, measures?: Measures) {
    this.#objects = objects;
    this.#world = world;
    this.#largeWrites = new LargeWrites(world);
    this.#measures = measures;
    const stale = (): void => {
      this.#isStale = true;
    };
    this.#listening = [objects.onChange(flowschemas, stale), objects.onChange(prioritylevelconfigurations, stale)];
  }

  close(): void {
    for (const each of this.#listening) each.close();
  }

  /** Waits for seats where it must. Watches give them back when they have begun; calls of the house itself are no clients. */
  limit(call: Call): Outcome | Promise<Outcome> {
    if (call.inProcess) return undefined;
    if (this.#isStale) this.#refresh();
    const schema = classify(this.#schemasOf(call.user), call.info);
    const level = schema === undefined ? undefined : this.#levels.get(schema.spec.priorityLevelConfiguration.name);
    if (schema === undefined || level === undefined) return undefined;
    call.flow = this.#countedFor(schema, level);
    const { counts } = call.flow;
    const { seats } = level;
    if (seats === undefined) {
      counts?.dispatched(0);
      return undefined;
    }
    // The same user in two schemas of a level is two flows.
    const flow = `${schema.metadata.name ?? ""}\n${flowOf(schema, call.info, call.user)}`;
    const width = widthOf(call);
    const turn = this.#largeWrites.before(call, () => seats.enter(flow, width));
    if (!(turn instanceof Promise)) {
      if (turn === "refused") counts?.rejected(seats.share.queueLength === 0 ? "concurrency-limit" : "queue-full");
      return seated(call, turn, width, 0);
    }
    const sinceMs = this.#world.clock.monotonic();
    if (counts !== undefined) counts.waiting += 1;
    return turn.then((seat) => {
      const waitedMs = this.#world.clock.monotonic() - sinceMs;
      call.outsideMs = (call.outsideMs ?? 0) + waitedMs;
      if (counts !== undefined) counts.waiting -= 1;
      if (seat === "refused") counts?.rejected("time-out");
      return seated(call, seat, width, waitedMs);
    });
  }

  /** What each flow schema and level does now. */
  families(): Family[] {
    const level = (name: string, help: string, value: (share: Share) => number): Family => ({
      name: `apiserver_flowcontrol_${name}`,
      type: "gauge",
      help,
      samples: [...this.#levels].flatMap(([priority_level, { seats }]) =>
        seats === undefined ? [] : [{ labels: { priority_level }, value: value(seats.share) }],
      ),
    });
    const flow = (name: string, help: string, value: (counts: FlowCounts) => number): Family => ({
      name: `apiserver_flowcontrol_${name}`,
      type: "gauge",
      help,
      samples: Array.from(this.#flowCounts.values(), (counts) => {
        return {
          labels: { priority_level: counts.names.level, flow_schema: counts.names.schema },
          value: value(counts),
        };
      }),
    });
    return [
      level("nominal_limit_seats", "Nominal number of execution seats of each priority level", (one) => one.nominal),
      level("lower_limit_seats", "Number of seats that a priority level never lends", (one) => one.least),
      level(
        "upper_limit_seats",
        "Number of seats that a priority level may have with those it borrows",
        (one) => one.most,
      ),
      flow("current_executing_requests", "Number of requests that have seats now", (one) => one.executing),
      flow("current_executing_seats", "Seats that requests have now", (one) => one.seats),
      flow("current_inqueue_requests", "Number of requests that wait in queues now", (one) => one.waiting),
    ];
  }

  #schemasOf(user: User): readonly SchemaOfUser[] {
    const known = this.#byUser.get(user);
    if (known !== undefined) return known;
    const found = schemasOf(this.#schemas, user);
    this.#byUser.set(user, found);
    return found;
  }

  #countedFor(schema: FlowSchema, level: Level): CountedFor {
    const known = this.#counted.get(schema);
    if (known !== undefined) return known;
    const made = new CountedFor(schema.metadata.uid ?? "", level.uid, this.#flowCountsOf(schema));
    this.#counted.set(schema, made);
    return made;
  }

  #flowCountsOf({ metadata, spec }: FlowSchema): FlowCounts | undefined {
    const [level, schema] = [spec.priorityLevelConfiguration.name, metadata.name ?? ""];
    const known = this.#flowCounts.get(`${level}/${schema}`);
    if (known !== undefined || this.#measures === undefined) return known;
    // Beyond the bound nobody counts them one by one.
    if (flowCountsMax <= this.#flowCounts.size) return undefined;
    const made = this.#measures.flow(level, schema);
    this.#flowCounts.set(`${level}/${schema}`, made);
    return made;
  }

  #refresh(): void {
    this.#isStale = false;
    this.#byUser = new WeakMap();
    this.#counted = new WeakMap();
    this.#schemas = inOrder(listStored<FlowSchema>(this.#objects, flowschemas));
    const names = new Set(
      this.#schemas.map(({ metadata, spec }) => `${spec.priorityLevelConfiguration.name}/${metadata.name ?? ""}`),
    );
    for (const [name, { executing, waiting }] of this.#flowCounts)
      if (!names.has(name) && executing + waiting === 0) this.#flowCounts.delete(name);
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
      const share = shareOf(level, Math.max(1, Math.ceil((seatsTotal * shares(level)) / total)));
      // Who sits or waits there goes on: only the numbers change.
      const seats = this.#levels.get(name)?.seats ?? new FairLevel(this.#pool, this.#world, share);
      seats.share = share;
      next.set(name, { uid, seats });
    }
    this.#levels = next;
    const limited = [...next.values()].flatMap(({ seats }) => (seats === undefined ? [] : [seats]));
    // Every level has one seat at least, so there may be some more than were to be shared.
    const nominal = limited.reduce((sum, { share }) => sum + share.nominal, 0);
    this.#pool.configure(limited, Math.max(seatsTotal, nominal));
  }
}

/** What a level has, lends and may borrow (KEP-1040, "Adjusting concurrency limits"). */
function shareOf({ spec }: PriorityLevelConfiguration, nominal: number): Share {
  const { limitResponse, lendablePercent = 0, borrowingLimitPercent } = spec.limited ?? {};
  const { queueLengthLimit = queueLengthDefault, handSize = 1 } = limitResponse?.queuing ?? {};
  const percentOf = (percent: number): number => Math.round((nominal * percent) / 100);
  return {
    nominal,
    least: nominal - percentOf(lendablePercent),
    most:
      borrowingLimitPercent === undefined ? Math.max(seatsTotal, nominal) : nominal + percentOf(borrowingLimitPercent),
    // A flow may wait in as many queues as upstream deals it.
    queueLength: limitResponse?.type === "Reject" ? 0 : Math.min(queueLengthLimit * handSize, queueLengthMax),
  };
}

function seated(call: Call, seat: Seat | "refused", width: number, waitedMs: number): Outcome {
  if (seat === "refused") return tooMany();
  const counts = call.flow?.counts;
  if (counts === undefined) {
    call.finished = (bytes) => seat.leave(bytes);
    return undefined;
  }
  counts.dispatched(waitedMs / 1000);
  counts.executing += 1;
  counts.seats += width;
  let isSeated = true;
  call.finished = (bytes) => {
    // Whoever sends a list may finish twice: when it took too long, and when it ended.
    if (isSeated) {
      isSeated = false;
      counts.executing -= 1;
      counts.seats -= width;
    }
    seat.leave(bytes);
  };
  return undefined;
}

function tooMany(): Outcome {
  return tooManyRequests("too many requests, please try again later.", retryAfterSeconds);
}
