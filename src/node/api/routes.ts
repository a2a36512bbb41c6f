import { decodePercent } from "#base/percent.ts";
import type { LogOptions } from "../logs/filter.ts";
import type { StreamOptions } from "#world/container-runtime.ts";

export interface PodPath {
  readonly namespace: string;
  readonly pod: string;
  readonly uid?: string | undefined;
}

/** What a request to the agent's API asks for. */
export type Route =
  | { readonly to: "healthz" }
  | { readonly to: "pods" }
  | { readonly to: "stats-summary" }
  | { readonly to: "usage"; readonly maxAgeMs: number; readonly uids: ReadonlySet<string> | undefined }
  | { readonly to: "ingress-activity" }
  | { readonly to: "traffic-users" }
  | { readonly to: "resource-metrics" }
  | { readonly to: "agent-metrics" }
  | { readonly to: "cadvisor-metrics" }
  | { readonly to: "probe-metrics" }
  | {
      readonly to: "logs";
      readonly at: PodPath;
      readonly container: string;
      readonly options: LogOptions;
      readonly previous: boolean;
    }
  | { readonly to: "run"; readonly at: PodPath; readonly container: string; readonly command: readonly string[] }
  | {
      readonly to: "exec";
      readonly at: PodPath;
      readonly container: string;
      readonly command: readonly string[];
      readonly streams: StreamOptions;
    }
  | { readonly to: "attach"; readonly at: PodPath; readonly container: string; readonly streams: StreamOptions }
  | { readonly to: "port-forward"; readonly at: PodPath; readonly ports: readonly number[] }
  | { readonly to: "load-image" };

export type RouteResult = Route | { readonly to: "none" } | { readonly to: "bad"; readonly message: string };

/** Reads a request's target. Paths and parameters are kubelet's. Pure. */
export function routeOf(method: string, target: string, now: number): RouteResult {
  const [path = "", search = ""] = target.split(/\?(.*)/s);
  const parts = path.split("/").slice(1).map(decodePercent);
  // A segment that means something to a file system is no name.
  if (
    parts.some(
      (part) => part === undefined || part === "." || part === ".." || part.includes("/") || part.includes("\0"),
    )
  )
    return { to: "none" };
  const query = new URLSearchParams(search);
  const [first, ...rest] = parts as string[];
  if (method === "GET" && rest.length === 0) {
    if (first === "healthz") return { to: "healthz" };
    if (first === "pods" || first === "runningpods") return { to: "pods" };
  }
  if (method === "GET" && path === "/stats/summary") return { to: "stats-summary" };
  if (method === "GET" && path === "/metrics") return { to: "agent-metrics" };
  if (method === "GET" && path === "/metrics/cadvisor") return { to: "cadvisor-metrics" };
  if (method === "GET" && path === "/metrics/probes") return { to: "probe-metrics" };
  if (method === "GET" && path === "/stats/usage") return usageRoute(query);
  if (method === "GET" && path === "/stats/ingress") return { to: "ingress-activity" };
  if (method === "GET" && path === "/stats/users") return { to: "traffic-users" };
  if (method === "GET" && path === "/metrics/resource") return { to: "resource-metrics" };
  if (method === "GET" && first === "containerLogs" && rest.length === 3) return logRoute(rest, query, now);
  if (method === "POST" && path === "/images/load") return { to: "load-image" };
  if (method === "GET" || method === "POST") return streamRoute(first ?? "", rest, query);
  return { to: "none" };
}

/** `/stats/usage?maxAgeMs=2000&uid=a,b`: ours, for the server's metrics. */
function usageRoute(query: URLSearchParams): RouteResult {
  const maxAgeMs = Number(query.get("maxAgeMs") ?? "5000");
  if (!Number.isSafeInteger(maxAgeMs) || maxAgeMs < 0) return { to: "bad", message: "invalid maxAgeMs" };
  const uids = query.get("uid");
  return { to: "usage", maxAgeMs, uids: uids === null ? undefined : new Set(uids.split(",")) };
}

function logRoute(parts: readonly string[], query: URLSearchParams, now: number): RouteResult {
  const [namespace = "", pod = "", container = ""] = parts;
  const numbers: Record<string, number | undefined> = {};
  for (const name of ["tailLines", "limitBytes", "sinceSeconds"]) {
    const text = query.get(name);
    if (text === null || text === "") continue;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 0 || (name !== "tailLines" && value < 1))
      return { to: "bad", message: `invalid ${name}: "${text}"` };
    numbers[name] = value;
  }
  const sinceTime = query.get("sinceTime");
  if (sinceTime !== null && Number.isNaN(Date.parse(sinceTime)))
    return { to: "bad", message: `invalid sinceTime: "${sinceTime}"` };
  const stream = query.get("stream") ?? "All";
  if (stream !== "All" && stream !== "Stdout" && stream !== "Stderr")
    return { to: "bad", message: `invalid stream: "${stream}"` };
  const sinceSeconds = numbers["sinceSeconds"];
  const sinceMs =
    sinceTime !== null ? Date.parse(sinceTime) : sinceSeconds === undefined ? undefined : now - sinceSeconds * 1000;
  return {
    to: "logs",
    at: { namespace, pod },
    container,
    previous: isTrue(query.get("previous")),
    options: {
      follow: isTrue(query.get("follow")),
      timestamps: isTrue(query.get("timestamps")),
      tailLines: numbers["tailLines"],
      limitBytes: numbers["limitBytes"],
      sinceMs,
      stream,
    },
  };
}

function streamRoute(first: string, rest: readonly string[], query: URLSearchParams): RouteResult {
  const [namespace = "", pod = "", third = "", fourth] = rest;
  const at = fourth === undefined ? { namespace, pod } : { namespace, pod, uid: third };
  const container = fourth ?? third;
  const given = (short: string, long: string): boolean => isTrue(query.get(short)) || isTrue(query.get(long));
  const tty = isTrue(query.get("tty"));
  const streams: StreamOptions = {
    stdin: given("input", "stdin"),
    stdout: given("output", "stdout"),
    // A terminal has one stream for both.
    stderr: given("error", "stderr") && !tty,
    tty,
  };
  if (first === "portForward" && (rest.length === 2 || rest.length === 3)) {
    const ports = query
      .getAll("port")
      .flatMap((text) => text.split(","))
      .map(Number);
    if (ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65535))
      return { to: "bad", message: "invalid port" };
    return { to: "port-forward", at: { namespace, pod, ...(third === "" ? {} : { uid: third }) }, ports };
  }
  if (rest.length !== 3 && rest.length !== 4) return { to: "none" };
  if (first === "run")
    return { to: "run", at, container, command: (query.get("cmd") ?? "").split(" ").filter((word) => word !== "") };
  if (first !== "exec" && first !== "attach") return { to: "none" };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    return { to: "bad", message: "you must specify at least 1 of stdin, stdout, stderr" };
  }
  return first === "exec"
    ? { to: "exec", at, container, command: query.getAll("command"), streams }
    : { to: "attach", at, container, streams };
}

function isTrue(value: string | null): boolean {
  return value === "1" || value === "true" || value === "True";
}

/**
 * The subresources of nodes of which each opens a route. `proxy` is for what has none of its own, and for what had none before
 * KEP-2862: it never opened statistics and metrics.
 */
export function subresourcesOf(route: Route): readonly string[] {
  switch (route.to) {
    case "healthz":
      return ["healthz", "proxy"];
    case "pods":
      return ["pods", "proxy"];
    case "stats-summary":
    case "usage":
    case "ingress-activity":
    case "traffic-users":
      return ["stats"];
    case "resource-metrics":
    case "agent-metrics":
    case "cadvisor-metrics":
    case "probe-metrics":
      return ["metrics"];
    default:
      return ["proxy"];
  }
}

/** Whatever runs something in a container is a creation, also when a WebSocket asks with GET. */
export function verbOf(route: Route): "get" | "create" {
  const reading = [
    "healthz",
    "pods",
    "stats-summary",
    "usage",
    "ingress-activity",
    "traffic-users",
    "resource-metrics",
    "agent-metrics",
    "cadvisor-metrics",
    "probe-metrics",
    "logs",
  ];
  return reading.includes(route.to) ? "get" : "create";
}
