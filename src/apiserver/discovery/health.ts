import type { Family } from "#telemetry/metrics.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call, HealthCheck } from "../call.ts";
import { bytesOf } from "../objects/bytes.ts";
import { headersFor } from "../objects/respond.ts";

type Endpoint = HealthCheck["endpoints"][number];

const endpoints: ReadonlySet<string> = new Set(["livez", "readyz", "healthz"]);

const ping: HealthCheck = { name: "ping", endpoints: ["livez", "readyz", "healthz"], check: () => undefined };

/** What the checks say now, under upstream's name. */
export function healthFamilies(checks: readonly HealthCheck[]): Family[] {
  const samples = [ping, ...checks].flatMap(({ name, endpoints, check }) =>
    endpoints.map((type) => ({ labels: { name, type }, value: check() === undefined ? 1 : 0 })),
  );
  const help = "This metric records the result of a single healthcheck.";
  return [{ name: "kubernetes_healthcheck", type: "gauge", help, samples }];
}

/** /livez, /readyz, /healthz, whole or one check; undefined for other paths. */
export function health(call: Call, path: string): HttpResponse | undefined {
  const [, endpoint = "", ...rest] = path.split("/");
  if (!endpoints.has(endpoint)) return undefined;
  const name = rest.length === 0 ? undefined : rest.join("/");
  const all = [ping, ...call.parts.health].filter((check) => check.endpoints.includes(endpoint as Endpoint));
  if (name !== undefined)
    return single(
      call,
      endpoint,
      all.find((check) => check.name === name),
    );
  const excluded = new Set(call.info.query.getAll("exclude"));
  const lines = all.map((check) => {
    if (excluded.has(check.name)) return `[+]${check.name} excluded: ok`;
    // The reason of a failed check is for the log; clients see which one it was.
    return check.check() === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`;
  });
  const isHealthy = !lines.some((line) => line.startsWith("[-]"));
  const names = new Set(all.map((check) => check.name));
  // Names that are none of ours may be typing errors; how many there are is the client's doing, so they are not repeated.
  if ([...excluded].some((each) => !names.has(each)))
    lines.push("warn: some health checks cannot be excluded: no matches");
  if (isHealthy && !call.info.query.has("verbose")) return text(call, 200, "ok");
  lines.push(isHealthy ? `${endpoint} check passed` : `${endpoint} check failed`);
  return text(call, isHealthy ? 200 : 500, `${lines.join("\n")}\n`);
}

/** /readyz/NAME */
function single(call: Call, endpoint: string, check: HealthCheck | undefined): HttpResponse {
  if (check === undefined) return text(call, 404, "404 page not found\n");
  if (check.check() === undefined) return text(call, 200, "ok");
  return text(call, 500, `[-]${check.name} failed: reason withheld\n${endpoint} check failed\n`);
}

function text(call: Call, status: number, content: string): HttpResponse {
  const headers = { ...headersFor(call, "text/plain; charset=utf-8"), "x-content-type-options": "nosniff" };
  return { status, headers, body: bytesOf(content) };
}
