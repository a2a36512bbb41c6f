import { growingBuckets, type Metrics } from "#telemetry/metrics.ts";
import type { Clock } from "#world/clock.ts";
import { codes, types } from "./wire.ts";

/** CoreDNS' ends of buckets: seconds, and bytes. */
const timeBuckets = growingBuckets(0.00025, 2, 16);
const sizeBuckets: readonly number[] = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];

/** Types that are told by their names; RFC 1035 and those after it. What else a client asks for is `other`. */
const typeNames: ReadonlyMap<number, string> = new Map([
  ...Object.entries(types).map(([name, number]) => [number, name] as const),
  ...([
    [2, "NS"],
    [15, "MX"],
    [43, "DS"],
    [46, "RRSIG"],
    [48, "DNSKEY"],
    [64, "SVCB"],
    [65, "HTTPS"],
  ] as const),
]);
const codeNames: ReadonlyMap<number, string> = new Map([
  [codes.ok, "NOERROR"],
  [codes.formatError, "FORMERR"],
  [codes.serverFailure, "SERVFAIL"],
  [codes.nameError, "NXDOMAIN"],
  [codes.notImplemented, "NOTIMP"],
  [codes.refused, "REFUSED"],
]);

/** A question that was answered. */
export interface Answered {
  readonly type: number;
  readonly isStream: boolean;
  /** From what the cluster knows; otherwise other servers were asked. */
  readonly isOwn: boolean;
  readonly requestBytes: number;
  readonly reply: Uint8Array;
  readonly sinceMs: number;
}

interface Series {
  add(): void;
}
interface Sizes {
  observe(value: number): void;
}

/** What the cluster's DNS is asked and answers, under CoreDNS' names. Every series is found once, not once for each question. */
export class DnsMeasures {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #own: ZoneMeasures;
  readonly #forwarded: ZoneMeasures;

  constructor(metrics: Metrics, clock: Pick<Clock, "monotonic">, domain: string) {
    this.#clock = clock;
    const about = ["server", "zone", "view"];
    const prefix = "coredns_dns_";
    const families: Families = {
      requests: metrics.counter(
        `${prefix}requests_total`,
        "Counter of DNS requests made per zone, protocol and family.",
        [...about, "proto", "family", "type"],
      ),
      responses: metrics.counter(`${prefix}responses_total`, "Counter of response status codes.", [
        ...about,
        "rcode",
        "plugin",
      ]),
      duration: metrics.histogram(
        `${prefix}request_duration_seconds`,
        "Histogram of the time (in seconds) each request took per zone.",
        about,
        timeBuckets,
      ),
      requestSize: metrics.histogram(
        `${prefix}request_size_bytes`,
        "Size of the request in bytes.",
        [...about, "proto"],
        sizeBuckets,
      ),
      responseSize: metrics.histogram(
        `${prefix}response_size_bytes`,
        "Size of the returned response in bytes.",
        [...about, "proto"],
        sizeBuckets,
      ),
    };
    this.#own = new ZoneMeasures(families, `${domain}.`, "kubernetes");
    this.#forwarded = new ZoneMeasures(families, ".", "forward");
  }

  now(): number {
    return this.#clock.monotonic();
  }

  answered(question: Answered): void {
    const zone = question.isOwn ? this.#own : this.#forwarded;
    zone.answered(question, (this.#clock.monotonic() - question.sinceMs) / 1000);
  }
}

interface Families {
  readonly requests: ReturnType<Metrics["counter"]>;
  readonly responses: ReturnType<Metrics["counter"]>;
  readonly duration: ReturnType<Metrics["histogram"]>;
  readonly requestSize: ReturnType<Metrics["histogram"]>;
  readonly responseSize: ReturnType<Metrics["histogram"]>;
}

class ZoneMeasures {
  readonly #about: readonly string[];
  readonly #plugin: string;
  readonly #families: Families;
  /** By type and protocol as one number, and by code: bounded by the names above. */
  readonly #requests = new Map<string | number, Series>();
  readonly #responses = new Map<string | undefined, Series>();
  readonly #duration: Sizes;
  readonly #sizes: Readonly<Record<"udp" | "tcp", { readonly request: Sizes; readonly response: Sizes }>>;

  constructor(families: Families, zone: string, plugin: string) {
    this.#about = ["dns://:53", zone, ""];
    this.#plugin = plugin;
    this.#families = families;
    this.#duration = families.duration.series(this.#about);
    const sizes = (protocol: string): { readonly request: Sizes; readonly response: Sizes } => ({
      request: families.requestSize.series([...this.#about, protocol]),
      response: families.responseSize.series([...this.#about, protocol]),
    });
    this.#sizes = { udp: sizes("udp"), tcp: sizes("tcp") };
  }

  answered({ type, isStream, requestBytes, reply }: Answered, seconds: number): void {
    const protocol = isStream ? "tcp" : "udp";
    const name = typeNames.get(type);
    const key = name === undefined ? protocol : isStream ? -type : type;
    let request = this.#requests.get(key);
    if (request === undefined) {
      // The server listens on IPv4 alone: 1 is upstream's word for it.
      request = this.#families.requests.series([...this.#about, protocol, "1", name ?? "other"]);
      this.#requests.set(key, request);
    }
    request.add();
    const code = codeNames.get((reply[3] ?? 0) & 0x0f);
    let response = this.#responses.get(code);
    if (response === undefined) {
      response = this.#families.responses.series([...this.#about, code ?? "other", this.#plugin]);
      this.#responses.set(code, response);
    }
    response.add();
    this.#duration.observe(seconds);
    const sizes = this.#sizes[protocol];
    sizes.request.observe(requestBytes);
    sizes.response.observe(reply.length);
  }
}
