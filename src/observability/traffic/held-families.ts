import type { Family, Sample } from "#telemetry/metrics.ts";

/** Requests for one Service that the ingress held since its start, or turned away. */
export interface HeldRequests {
  /** `namespace/service`. */
  readonly service: string;
  readonly waiting: number;
  readonly admitted: number;
  readonly refused: number;
}

/** How many requests wait for Services without pods, and waited before. */
export function heldFamilies(counts: readonly HeldRequests[]): readonly Family[] {
  const sums = new Map<string, HeldRequests>();
  for (const one of counts) {
    const sum = sums.get(one.service) ?? { service: one.service, waiting: 0, admitted: 0, refused: 0 };
    sums.set(one.service, {
      service: one.service,
      waiting: sum.waiting + one.waiting,
      admitted: sum.admitted + one.admitted,
      refused: sum.refused + one.refused,
    });
  }
  const each = (value: (one: HeldRequests) => number): Sample[] =>
    [...sums.values()].map((one) => {
      const [namespace = "", service = ""] = one.service.split("/");
      return { labels: { namespace, service }, value: value(one) };
    });
  return [
    {
      name: "steersman_traffic_holding_requests",
      type: "gauge",
      help: "Requests that wait for the first pod of a Service.",
      samples: each(({ waiting }) => waiting),
    },
    {
      name: "steersman_traffic_held_requests_total",
      type: "counter",
      help: "Requests that waited for the first pod of a Service.",
      samples: each(({ admitted }) => admitted),
    },
    {
      name: "steersman_traffic_hold_refusals_total",
      type: "counter",
      help: "Requests that were answered 503 because too many waited, or because they waited too long.",
      samples: each(({ refused }) => refused),
    },
  ];
}
