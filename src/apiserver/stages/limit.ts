import type { Call, Outcome } from "../call.ts";
import { tooManyRequests } from "../failure.ts";
import { readsInFlightMax, retryAfterSeconds, writesInFlightMax } from "../limits.ts";

const reading: ReadonlySet<string> = new Set(["get", "list"]);

/** Counts requests in flight and turns away what is too much. Watches and calls from inside the process do not count. */
export class InFlight {
  #reads = 0;
  #writes = 0;

  limit(call: Call): Outcome {
    if (call.inProcess || call.info.verb === "watch" || call.user.groups.includes("system:masters")) return undefined;
    if (reading.has(call.info.verb)) {
      if (readsInFlightMax <= this.#reads) return tooMany();
      this.#reads += 1;
      call.finished = () => {
        this.#reads -= 1;
      };
      return undefined;
    }
    if (writesInFlightMax <= this.#writes) return tooMany();
    this.#writes += 1;
    call.finished = () => {
      this.#writes -= 1;
    };
    return undefined;
  }
}

function tooMany(): Outcome {
  return tooManyRequests("too many requests, please try again later.", retryAfterSeconds);
}
