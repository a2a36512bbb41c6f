import { growingBuckets, type Metrics } from "#telemetry/metrics.ts";
import type { Clock } from "#world/clock.ts";
import type { Transport } from "#world/http.ts";

/** Counts and times requests of transports under client-go's names; `host`: where they lead. */
export function transportCounter(metrics: Metrics, clock: Clock): (inner: Transport, host: string) => Transport {
  const total = metrics.counter(
    "rest_client_requests_total",
    "Number of HTTP requests, partitioned by status code, method, and host.",
    ["code", "method", "host"],
  );
  const duration = metrics.histogram(
    "rest_client_request_duration_seconds",
    "Request latency in seconds. Broken down by verb, and host.",
    ["verb", "host"],
    [...growingBuckets(0.005, 2.5, 8), 15, 30, 60],
  );
  return (inner, host) => ({
    ...inner,
    send: async (request) => {
      const beganMs = clock.monotonic();
      try {
        const response = await inner.send(request);
        total.add([String(response.status), request.method, host]);
        return response;
      } catch (error) {
        total.add(["<error>", request.method, host]);
        throw error;
      } finally {
        duration.observe([request.method, host], (clock.monotonic() - beganMs) / 1000);
      }
    },
  });
}
