import type { Headers } from "#world/http.ts";
import type { FlowCounts } from "../measures.ts";

/** What requests were counted for. Clients and people see schema and level in the answer's headers. */
export class CountedFor {
  readonly #own: Headers;
  readonly counts: FlowCounts | undefined;
  readonly #marked = new WeakMap<Headers, Headers>();

  constructor(schemaUid: string, levelUid: string, counts: FlowCounts | undefined) {
    this.counts = counts;
    this.#own = {
      "x-kubernetes-pf-flowschema-uid": schemaUid,
      "x-kubernetes-pf-prioritylevel-uid": levelUid,
    };
  }

  /** The headers with those of schema and level. Of frozen ones, which many answers share, the same each time. */
  mark(headers: Headers): Headers {
    const known = this.#marked.get(headers);
    if (known !== undefined) return known;
    const marked = { ...headers, ...this.#own };
    if (Object.isFrozen(headers)) this.#marked.set(headers, Object.freeze(marked));
    return marked;
  }
}
