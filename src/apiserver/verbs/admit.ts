import type { ApiObject } from "#api/kind.ts";
import type { AdmissionRequest, Operation, Verdict } from "../admission.ts";
import type { Call } from "../call.ts";
import { Failure, forbidden } from "../failure.ts";
import type { AdmissionTimes } from "../measures.ts";
import type { Served } from "../registry.ts";

export interface AdmissionSubject {
  readonly operation: Operation;
  readonly served: Served;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly object: ApiObject | undefined;
  readonly oldObject: ApiObject | undefined;
  readonly dryRun: boolean;
}

/** The request as the plugins of both phases see it. */
export function admissionRequest(call: Call, subject: AdmissionSubject): AdmissionRequest {
  const { served, ...rest } = subject;
  return {
    ...rest,
    kind: served.kind,
    version: served.resource.version,
    resource: served.resource.resource,
    group: served.resource.group,
    user: call.user,
    now: call.parts.clock.now(),
    warnings: call.warnings,
    auditAnnotations: call.auditAnnotations,
    origin: { registry: call.parts.registry, query: call.info.query },
  };
}

/** Runs all mutating steps in order; the object of the request is changed in place. */
export function admitMutating(
  call: Call,
  request: AdmissionRequest,
): Failure | undefined | Promise<Failure | undefined> {
  const first = runPhase(call, request, "mutate");
  // Only steps that wait for somebody outside can want a second turn.
  return first instanceof Promise ? first.then((refused) => refused ?? mutateAgain(call, request)) : first;
}

function mutateAgain(call: Call, request: AdmissionRequest): Failure | undefined | Promise<Failure | undefined> {
  if (request.wantsReinvocation !== true) return undefined;
  request.isReinvocation = true;
  return runPhase(call, request, "mutate");
}

export function admitValidating(
  call: Call,
  request: AdmissionRequest,
): Failure | undefined | Promise<Failure | undefined> {
  return runPhase(call, request, "validate");
}

function runPhase(
  call: Call,
  request: AdmissionRequest,
  phase: "mutate" | "validate",
): Failure | undefined | Promise<Failure | undefined> {
  const times = call.parts.measures?.admission(request.operation, phase);
  const refused = runFrom(call, request, phase, 0, times);
  if (times === undefined) return refused;
  if (!(refused instanceof Promise)) {
    times.over(refused !== undefined);
    return refused;
  }
  return refused.then((settled) => {
    times.over(settled !== undefined);
    return settled;
  });
}

/** Goes through the steps without awaiting those that answer at once: most do. */
function runFrom(
  call: Call,
  request: AdmissionRequest,
  phase: "mutate" | "validate",
  from: number,
  times: AdmissionTimes | undefined,
): Failure | undefined | Promise<Failure | undefined> {
  const plugins = call.parts.admission;
  for (let i = from; i < plugins.length; i++) {
    const plugin = plugins[i]!;
    if (request.isReinvocation === true && phase === "mutate" && plugin.isRepeatable === false) continue;
    const verdict = plugin[phase]?.(request);
    if (verdict === undefined) continue;
    if (verdict instanceof Promise) return runAfter(verdict, call, request, phase, i, times);
    times?.plugin(plugin, !verdict.allowed);
    const refused = refusal(request, verdict);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

/** The rest of the steps behind one that answers later. A function of its own: closures in the loop would cost each step a context. */
function runAfter(
  verdict: Promise<Verdict>,
  call: Call,
  request: AdmissionRequest,
  phase: "mutate" | "validate",
  at: number,
  times: AdmissionTimes | undefined,
): Promise<Failure | undefined> {
  return verdict.then((settled) => {
    // Only webhooks and what looks at much answer later: the server's own work is told apart from theirs.
    const tookMs = times?.plugin(call.parts.admission[at]!, !settled.allowed, true) ?? 0;
    call.outsideMs = (call.outsideMs ?? 0) + tookMs;
    return refusal(request, settled) ?? runFrom(call, request, phase, at + 1, times);
  });
}

function refusal(request: AdmissionRequest, verdict: Verdict): Failure | undefined {
  if (verdict.allowed) return undefined;
  const causes = verdict.causes?.map(({ field, reason, message }) => ({ field, reason, message }));
  const name = request.name;
  if (verdict.isWhole !== true && (verdict.code === undefined || verdict.code === 403)) {
    const failure = forbidden(request, name, verdict.message, causes);
    if (verdict.reason === undefined || verdict.reason === "Forbidden") return failure;
    return new Failure(403, verdict.reason, failure.message, failure.details);
  }
  const reason = verdict.reason ?? "Invalid";
  const details = {
    ...(name !== "" && { name }),
    ...(request.group !== "" && { group: request.group }),
    // What is invalid is named by its kind, as where validation says so; all else by its resource.
    kind: reason === "Invalid" ? request.kind.storage.kind : request.resource,
    ...(causes !== undefined && { causes }),
    ...(verdict.retryAfterSeconds !== undefined && { retryAfterSeconds: verdict.retryAfterSeconds }),
  };
  return new Failure(verdict.code ?? 403, reason, verdict.message, details);
}
