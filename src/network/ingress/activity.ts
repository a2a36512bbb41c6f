import type { IngressActivity } from "#api/observability/activity.ts";
import type { Haproxy } from "./haproxy.ts";
import { retiringMs } from "./limits.ts";
import type { Runtime } from "./runtime.ts";
import { backendName, type Slots } from "./slots.ts";

export interface ActivityOptions {
  readonly runtime: Pick<Runtime, "command">;
  readonly haproxy: Pick<Haproxy, "isRetiring">;
  readonly slots: Slots;
  /** Milliseconds since a request for `namespace/service` was held, as far as somebody listened. */
  readonly heldQuietMs: (service: string) => number;
}

/**
 * For how long no request came for each Service that routes lead to. Rejects when HAProxy does not tell. What cannot be known counts
 * as a request: what an older process of HAProxy still serves, and what came before this one was started.
 */
export async function readActivity(options: ActivityOptions): Promise<IngressActivity> {
  const { runtime, haproxy, slots, heldQuietMs } = options;
  const [info, stat, isRetiring] = await Promise.all([
    runtime.command("show info"),
    runtime.command("show stat -1 2 -1"),
    haproxy.isRetiring(),
  ]);
  const uptime = Number(/^Uptime_sec: (\d+)$/m.exec(info)?.[1] ?? 0);
  const isAlone = isRetiring === undefined ? uptime * 1000 > retiringMs : !isRetiring;
  const [header = "", ...lines] = stat.split("\n");
  const columns = header.replace(/^# /, "").split(",");
  const services = new Map([...slots.backends].map(([id, slot]) => [backendName(slot), serviceOf(id)]));
  const quietSeconds: Record<string, number> = {};
  for (const line of lines) {
    const values = line.split(",");
    const textOf = (name: string): string => values[columns.indexOf(name)] ?? "";
    const service = services.get(textOf("pxname"));
    if (service === undefined) continue;
    const last = textOf("lastsess");
    const since = last === "" || last === "-1" ? uptime : Math.min(Number(last), uptime);
    const isBusy = !isAlone || Number(textOf("scur")) > 0 || !Number.isFinite(since);
    const quiet = isBusy ? 0 : Math.min(since, heldQuietMs(service) / 1000);
    quietSeconds[service] = Math.min(quietSeconds[service] ?? quiet, quiet);
  }
  return { quietSeconds };
}

/** `namespace/service` of a backend's id, which names the port and whose split it is as well. */
export function serviceOf(backend: string): string {
  return backend.slice(0, backend.indexOf(":"));
}
