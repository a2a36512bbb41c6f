import type { Family, Sample } from "#telemetry/metrics.ts";

/** What the proxy counted for one backend. */
export interface TrafficCounters {
  /** `namespace/service:port`. */
  readonly backend: string;
  readonly requests: number;
  /** By the first digit of the status: index 0 is 1xx. */
  readonly answers: readonly number[];
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly connectionFailures: number;
  readonly retries: number;
  readonly responseSeconds: number;
  readonly totalSeconds: number;
}

/** The golden signals of every Service behind an Ingress, without code in the application. */
export function trafficFamilies(counters: readonly TrafficCounters[]): readonly Family[] {
  const each = (value: (one: TrafficCounters) => number): Sample[] =>
    counters.map((one) => ({ labels: labelsOf(one), value: value(one) }));
  const answers = counters.flatMap((one) =>
    one.answers.map((value, index) => ({ labels: { ...labelsOf(one), code: `${index + 1}xx` }, value })),
  );
  const counter = (name: string, help: string, samples: readonly Sample[]): Family => ({
    name,
    type: "counter",
    help,
    samples,
  });
  const gauge = (name: string, help: string, samples: readonly Sample[]): Family => ({
    name,
    type: "gauge",
    help,
    samples,
  });
  return [
    counter(
      "steersman_ingress_requests_total",
      "Requests that the ingress sent to a Service.",
      each((one) => one.requests),
    ),
    counter("steersman_ingress_responses_total", "Answers by the class of their status.", answers),
    counter(
      "steersman_ingress_received_bytes_total",
      "Bytes that clients sent.",
      each((one) => one.bytesIn),
    ),
    counter(
      "steersman_ingress_sent_bytes_total",
      "Bytes that clients were sent.",
      each((one) => one.bytesOut),
    ),
    counter(
      "steersman_ingress_connection_failures_total",
      "Connections to pods that failed.",
      each((one) => one.connectionFailures),
    ),
    counter(
      "steersman_ingress_retries_total",
      "Requests that were sent to another pod.",
      each((one) => one.retries),
    ),
    gauge(
      "steersman_ingress_response_seconds_average",
      "Time until an answer begins, average of the last 1024 requests.",
      each((one) => one.responseSeconds),
    ),
    gauge(
      "steersman_ingress_request_seconds_average",
      "Time until an answer ends, average of the last 1024 requests.",
      each((one) => one.totalSeconds),
    ),
  ];
}

function labelsOf({ backend }: TrafficCounters): Record<string, string> {
  const [namespace = "", rest = ""] = backend.split("/");
  const [service = "", port = ""] = rest.split(":");
  return { namespace, service, port };
}
