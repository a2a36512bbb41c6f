import type { HttpResponse } from "#world/http.ts";
import type { Call, Outcome, Stage } from "./call.ts";
import { Failure, timedOut } from "./failure.ts";
import { CountedStream } from "./fairness/counted-stream.ts";
import type { Fairness } from "./fairness/fairness.ts";
import { streamSeatMs } from "./fairness/limits.ts";
import { requestTimeoutMs } from "./limits.ts";
import { authenticate } from "./stages/authenticate.ts";
import { authorize } from "./stages/authorize.ts";
import { impersonate } from "./stages/impersonate.ts";
import { InFlight } from "./stages/limit.ts";
import { perform } from "./stages/perform.ts";
import { prettyJson, wantsPretty } from "./objects/pretty.ts";
import { internalFailure, statusResponse } from "./status.ts";

/**
 * The table of contents of the API server: what every request goes through, in order. `route` has run before, because a
 * target that cannot be read makes no call. Drawn in docs/api-pipeline.md.
 */
export function pipelineStages(fairness: Fairness): readonly Stage[] {
  const inFlight = new InFlight();
  return [
    { name: "authenticate", run: authenticate },
    { name: "impersonate", run: impersonate },
    { name: "audit", run: beginAudit },
    {
      name: "limit",
      // What no flow schema knows is at least counted.
      run: (call) => fairness.limit(call) ?? (call.flow === undefined ? inFlight.limit(call) : undefined),
    },
    { name: "authorize", run: authorize },
    { name: "perform", run: perform },
  ];
}

/** Runs the stages until one ends the request. Stages that answer at once are not awaited: a GET takes no turn. */
export function runStages(stages: readonly Stage[], call: Call): HttpResponse | Promise<HttpResponse> {
  try {
    const outcome = runFrom(stages, call, 0);
    if (!(outcome instanceof Promise)) return respond(call, outcome);
    if (!call.inProcess && !isLongRunning(call)) return withinTime(call, outcome);
    return outcome.then(
      (settled) => respond(call, settled),
      (error: unknown) => respondToError(call, error),
    );
  } catch (error) {
    return respondToError(call, error);
  }
}

/** Leaves the audit entry of a request that was answered before it came to the stages: its body was too large. */
export function noteAnswered(call: Call, response: HttpResponse): void {
  const { audit, log } = call.parts;
  if (audit === undefined) return;
  const note = async (): Promise<void> => {
    // Who it was is worth knowing; that he may be nobody changes nothing.
    await authenticate(call);
    await audit.finish(call, response);
  };
  note().catch((error: unknown) => log("cannot note a request that was refused", error));
}

const streams: ReadonlySet<string> = new Set(["attach", "exec", "log", "portforward", "proxy"]);

function isLongRunning({ info }: Call): boolean {
  return info.verb === "watch" || streams.has(info.subresource);
}

/** Answers 504 when the time is over: `?timeout=` of the client, at most a minute. A late outcome is dropped. */
function withinTime(call: Call, outcome: Promise<Outcome>): Promise<HttpResponse> {
  return new Promise((resolve) => {
    let isOver = false;
    const end = (response: () => HttpResponse | Promise<HttpResponse>): void => {
      if (isOver) {
        // What it waited for may have come after the answer.
        call.finished?.(0);
        call.finished = undefined;
        return;
      }
      isOver = true;
      timer.cancel();
      resolve(response());
    };
    const late = (): void => end(() => respond(call, timedOut()));
    const limitMs = timeLimitMs(call);
    const { deadlines, timers } = call.parts;
    const timer = limitMs === requestTimeoutMs ? deadlines.after(late) : timers.after(limitMs, late);
    outcome.then(
      (settled) => end(() => respond(call, settled)),
      (error: unknown) => end(() => respondToError(call, error)),
    );
  });
}

function timeLimitMs({ info }: Call): number {
  const match = info.query.size === 0 ? null : /^([0-9]{1,5})(ms|s|m)?$/.exec(info.query.get("timeout") ?? "");
  if (match === null) return requestTimeoutMs;
  const unitMs = match[2] === "ms" ? 1 : match[2] === "m" ? 60_000 : 1000;
  const asked = Number(match[1]) * unitMs;
  return asked === 0 ? requestTimeoutMs : Math.min(asked, requestTimeoutMs);
}

function runFrom(stages: readonly Stage[], call: Call, from: number): Outcome | Promise<Outcome> {
  for (let i = from; i < stages.length; i++) {
    const outcome = stages[i]!.run(call);
    if (outcome === undefined) continue;
    if (outcome instanceof Promise) return outcome.then((settled) => settled ?? runFrom(stages, call, i + 1));
    return outcome;
  }
  return undefined;
}

/** The last stage, for every request: the one place where failures become answers. */
function respond(call: Call, outcome: Outcome, stage?: "Panic"): HttpResponse | Promise<HttpResponse> {
  if (outcome === undefined) throw new Error("the last stage gave no answer");
  const whole = outcome instanceof Failure ? failureResponse(call, outcome) : outcome;
  const made = call.finished === undefined ? whole : finish(call, whole, call.finished);
  call.finished = undefined;
  const response =
    call.flow === undefined || made.status === 101 ? made : { ...made, headers: call.flow.mark(made.headers) };
  return call.parts.audit === undefined ? response : call.parts.audit.finish(call, response, stage);
}

function failureResponse(call: Call, failure: Failure): HttpResponse {
  const response = statusResponse(failure, call.warnings);
  return wantsPretty(call) && response.body instanceof Uint8Array
    ? { ...response, body: prettyJson(response.body) }
    : response;
}

/** Gives back what the request took: at once, or when a list has been sent, or has taken too long to send. */
function finish(call: Call, response: HttpResponse, finished: NonNullable<Call["finished"]>): HttpResponse {
  const { body } = response;
  if (body instanceof Uint8Array) finished(body.length);
  else if (!("open" in body)) finished(body.reduce((sum, part) => sum + part.length, 0));
  else if (call.info.verb !== "list") finished(0);
  else {
    const timer = call.parts.timers.after(streamSeatMs, () => finished(0));
    const counted = new CountedStream(body, (bytes) => {
      timer.cancel();
      finished(bytes);
    });
    return { status: response.status, headers: response.headers, body: counted };
  }
  return response;
}

function beginAudit(call: Call): Outcome {
  call.parts.audit?.begin(call);
  return undefined;
}

function respondToError(call: Call, error: unknown): HttpResponse | Promise<HttpResponse> {
  call.parts.log("a request failed unexpectedly", error);
  return respond(call, internalFailure, "Panic");
}
