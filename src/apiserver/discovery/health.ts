import type { HttpResponse } from "#world/http.ts";
import type { Call, HealthCheck } from "../call.ts";
import { bytesOf } from "../objects/bytes.ts";
import { headersFor } from "../objects/respond.ts";

type Endpoint = HealthCheck["endpoints"][number];

const endpoints: ReadonlySet<string> = new Set(["livez", "readyz", "healthz"]);

const ping: HealthCheck = { name: "ping", endpoints: ["livez", "readyz", "healthz"], check: () => undefined };

/** /livez, /readyz, /healthz, whole or one check; undefined for other paths. */
export function health(call: Call, path: string): HttpResponse | undefined {
  const [, endpoint = "", name, more] = path.split("/");
  if (!endpoints.has(endpoint) || more !== undefined) return undefined;
  const all = [ping, ...call.parts.health].filter((check) => check.endpoints.includes(endpoint as Endpoint));
  const excluded = new Set(call.info.query.getAll("exclude"));
  const chosen =
    name === undefined ? all.filter((check) => !excluded.has(check.name)) : all.filter((check) => check.name === name);
  if (name !== undefined && chosen.length === 0) return text(call, 404, "404 page not found\n");
  const results = chosen.map((check) => ({ name: check.name, problem: check.check() }));
  const isHealthy = results.every(({ problem }) => problem === undefined);
  if (isHealthy && !call.info.query.has("verbose")) return text(call, 200, "ok");
  // The reason of a failed check is for the log; clients see which one it was.
  const lines = results.map((result) =>
    result.problem === undefined ? `[+]${result.name} ok` : `[-]${result.name} failed: reason withheld`,
  );
  lines.push(isHealthy ? `${endpoint} check passed` : `${endpoint} check failed`);
  return text(call, isHealthy ? 200 : 500, `${lines.join("\n")}\n`);
}

function text(call: Call, status: number, content: string): HttpResponse {
  const headers = { ...headersFor(call, "text/plain; charset=utf-8"), "x-content-type-options": "nosniff" };
  return { status, headers, body: bytesOf(content) };
}
