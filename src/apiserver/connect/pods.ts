import type { ApiObject } from "#api/kind.ts";
import type { Pod } from "#api/generated/core-v1.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, Failure, notFound } from "../failure.ts";
import { keyOf } from "../keys.ts";
import type { Served } from "../registry.ts";
import { isTrue } from "../stages/route.ts";
import { admitConnect, toNode } from "./forward.ts";

/** GET of pods/log, from the node's agent. */
export async function podLog(call: Call, served: Served): Promise<Outcome> {
  const place = placeOf(call, served, true);
  if (place instanceof Failure) return place;
  const query = new URLSearchParams();
  for (const name of ["follow", "previous", "timestamps"]) {
    const value = call.info.query.get(name);
    if (value !== null && isTrue(value)) query.set(name, "true");
  }
  const problem = logOptionsProblem(call.info.query);
  if (problem !== undefined) return problem;
  for (const name of ["sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream"]) {
    const value = call.info.query.get(name);
    if (value !== null && value !== "") query.set(name, value);
  }
  return toNode(call, place.node, targetOf("containerLogs", place, query));
}

function logOptionsProblem(query: URLSearchParams): Failure | undefined {
  for (const [name, least] of [
    ["sinceSeconds", 1],
    ["tailLines", 0],
    ["limitBytes", 1],
  ] as const) {
    const text = query.get(name);
    if (text === null || text === "") continue;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least)
      return badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be greater than or equal to ${least}`);
  }
  if (query.get("sinceSeconds") && query.get("sinceTime"))
    return badRequest("at most one of `sinceTime` or `sinceSeconds` may be specified");
  return undefined;
}

export async function execInPod(call: Call, served: Served): Promise<Outcome> {
  const commands = call.info.query.getAll("command");
  if (commands.length === 0) return badRequest("you must specify at least 1 command for the container");
  return stream(call, served, "exec", commands);
}

export function attachToPod(call: Call, served: Served): Promise<Outcome> {
  return stream(call, served, "attach", []);
}

/** Exec and attach: the agent names the streams in its own words. */
async function stream(
  call: Call,
  served: Served,
  action: "exec" | "attach",
  commands: readonly string[],
): Promise<Outcome> {
  const place = placeOf(call, served, true);
  if (place instanceof Failure) return place;
  const query = new URLSearchParams();
  const names = { stdin: "input", stdout: "output", stderr: "error", tty: "tty" };
  for (const [name, own] of Object.entries(names)) {
    const value = call.info.query.get(name);
    if (value !== null && isTrue(value)) query.set(own, "1");
  }
  if (!query.has("input") && !query.has("output") && !query.has("error")) {
    return badRequest("you must specify at least one of stdin, stdout, stderr");
  }
  for (const command of commands) query.append("command", command);
  const refused = await admitConnect(call, served);
  return refused ?? toNode(call, place.node, targetOf(action, place, query));
}

export async function forwardToPod(call: Call, served: Served): Promise<Outcome> {
  const place = placeOf(call, served, false);
  if (place instanceof Failure) return place;
  const query = new URLSearchParams();
  for (const ports of call.info.query.getAll("ports")) for (const port of ports.split(",")) query.append("port", port);
  const refused = await admitConnect(call, served);
  return refused ?? toNode(call, place.node, targetOf("portForward", place, query));
}

interface Place {
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  /** Empty where no container is meant. */
  readonly container: string;
}

function targetOf(action: string, { namespace, pod, container }: Place, query: URLSearchParams): string {
  const parts = [action, namespace, pod, ...(container === "" ? [] : [container])].map(encodeURIComponent);
  return `/${parts.join("/")}${query.size === 0 ? "" : `?${query.toString()}`}`;
}

/** Node and container of the pod that a call names; the container must be one of the pod's. */
function placeOf(call: Call, served: Served, wantsContainer: boolean): Place | Failure {
  const { namespace, name, query } = call.info;
  const entry = call.parts.store.snapshot().get(keyOf(served.prefix, namespace, name));
  if (entry === undefined) return notFound(served.resource, name);
  const pod = call.parts.objects.decoded(entry) as ApiObject & Pod;
  const container = wantsContainer ? containerOf(pod, query.get("container") ?? "") : "";
  if (container instanceof Failure) return container;
  const node = pod.spec?.nodeName ?? "";
  if (node === "") return badRequest(`pod ${name} does not have a host assigned`);
  return { node, namespace, pod: name, container };
}

function containerOf(pod: ApiObject & Pod, asked: string): string | Failure {
  const { name = "" } = pod.metadata;
  const containers = (pod.spec?.containers ?? []).map((container) => container.name);
  const initial = (pod.spec?.initContainers ?? []).map((container) => container.name);
  const ephemeral = (pod.spec?.ephemeralContainers ?? []).map((container) => container.name);
  if (asked !== "") {
    const isKnown = containers.includes(asked) || initial.includes(asked) || ephemeral.includes(asked);
    return isKnown ? asked : badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const [only] = containers;
  if (containers.length === 1 && only !== undefined) return only;
  const preferred = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  if (preferred !== undefined && containers.includes(preferred)) return preferred;
  const choices = `choose one of: [${containers.join(" ")}]`;
  const more = initial.length === 0 ? "" : ` or one of the init containers: [${initial.join(" ")}]`;
  return badRequest(`a container name must be specified for pod ${name}, ${choices}${more}`);
}
