import { concatBytes } from "#base/bytes.ts";
import { parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import { formatMicroTime } from "#codec/time.ts";
import type { Metrics } from "#telemetry/metrics.ts";
import type { ByteSink, ByteStream, HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { readRaw } from "../objects/read-body.ts";
import { Failure } from "../failure.ts";
import type { User } from "../user.ts";
import { causeOf } from "../verbs/reasons.ts";
import { entryCharsMax } from "./limits.ts";
import { decide, type AuditPolicy, type AuditStage, type Decision } from "./policy.ts";
import { revisionAnnotation, type AuditSinks } from "./sinks.ts";

export interface AuditOptions {
  readonly policy: AuditPolicy;
  readonly sinks: Pick<AuditSinks, "note" | "write"> & Partial<Pick<AuditSinks, "lost">>;
}

interface Begun {
  readonly decision: Decision;
  readonly id: string;
  readonly receivedAt: number;
  /** The name of what was created, which the path does not say. */
  createdName?: string;
  /** The entry that went into a transaction of the request, and the status that it promises. */
  kept?: { readonly line: string; readonly code: number; readonly isWhole: boolean };
}

/** Writes down who did what. Decided once for each request, when it is known who asks. */
export class Audit {
  readonly #options: AuditOptions;
  readonly #begun = new WeakMap<Call, Begun>();
  readonly #events: { add(): void } | undefined;

  constructor(options: AuditOptions, metrics?: Metrics) {
    this.#options = options;
    this.#events = metrics
      ?.counter("apiserver_audit_event_total", "Counter of audit events generated and sent to the audit backend.", [])
      .series([]);
    // Nobody is turned away because of audit: a request whose entry is lost is counted by the sink that lost it.
    metrics
      ?.counter(
        "apiserver_audit_requests_rejected_total",
        "Counter of apiserver requests rejected due to an error in audit logging backend.",
        [],
      )
      .series([]);
  }

  /** Decides how much is written, and writes that the request has come. */
  begin(call: Call): void {
    const decision = decide(this.#options.policy, call.info, call.realUser ?? call.user);
    if (decision.level === "None") return;
    const given = call.request.headers["audit-id"];
    const id = given !== undefined && given.length <= 64 ? given : call.parts.random.uuid();
    const begun = { decision, id, receivedAt: call.parts.clock.now() };
    this.#begun.set(call, begun);
    void this.#write(call, begun, "RequestReceived", undefined);
  }

  /** Writes the end, or for a stream its start and later its end; the answer gets the entry's id. */
  finish(
    call: Call,
    response: HttpResponse,
    stage: "ResponseComplete" | "Panic" = "ResponseComplete",
  ): HttpResponse | Promise<HttpResponse> {
    // Who was turned away before it was known who he is leaves an entry too.
    if (400 <= response.status && !this.#begun.has(call)) this.begin(call);
    const begun = this.#begun.get(call);
    if (begun === undefined) return response;
    this.#begun.delete(call);
    const { body } = response;
    const headers = { ...response.headers, "audit-id": begun.id };
    if (!("open" in body)) {
      const written = this.#write(call, begun, stage, response);
      // The connection is somebody else's by now.
      const marked = response.status === 101 ? response : { ...response, headers };
      return written === undefined ? marked : written.then(() => marked);
    }
    const started = this.#write(call, begun, "ResponseStarted", response);
    const ended = (): void => void this.#write(call, begun, "ResponseComplete", response);
    const marked = { ...response, headers, body: endingStream(body, ended) };
    return started === undefined ? marked : started.then(() => marked);
  }

  /**
   * The entry of a write, for its transaction: what is committed leaves its entry whatever happens next. Undefined where the
   * policy wants none. `code`: the status that the answer will have when the commit holds.
   */
  entryOf(call: Call, code: number, name: string): string | undefined {
    const begun = this.#begun.get(call);
    if (begun !== undefined && call.info.verb === "create") begun.createdName = name;
    if (begun === undefined || begun.decision.omitStages.includes("ResponseComplete")) return undefined;
    const promised = { status: code, headers: {}, body: noBytes };
    const whole = JSON.stringify(eventOf(call, begun, "ResponseComplete", promised));
    const isWhole = whole.length <= entryCharsMax;
    const level = "Metadata" as const;
    const line = isWhole
      ? whole
      : JSON.stringify(
          eventOf(call, { ...begun, decision: { ...begun.decision, level } }, "ResponseComplete", promised),
        );
    begun.kept = { line, code, isWhole: isWhole && begun.decision.level !== "RequestResponse" };
    return line;
  }

  /** A promise where the entry is nowhere else, for whoever answers the request. */
  #write(call: Call, begun: Begun, stage: AuditStage, response: HttpResponse | undefined): Promise<void> | undefined {
    if (begun.decision.omitStages.includes(stage)) return undefined;
    this.#events?.add();
    const { sinks } = this.#options;
    const { kept } = begun;
    if (kept !== undefined && call.revision !== undefined) {
      const isSame = stage === "ResponseComplete" && kept.isWhole && kept.code === response?.status;
      const line = isSame ? kept.line : JSON.stringify(eventOf(call, begun, stage, response));
      sinks.note(withRevision(line, call.revision));
      return undefined;
    }
    const line = JSON.stringify(eventOf(call, begun, stage, response));
    // That a request came is told again by how it ended.
    if (stage !== "RequestReceived") return sinks.write(line);
    sinks.note(line);
    return undefined;
  }
}

const noBytes = new Uint8Array(0);

/** An entry ends with its annotations, which are never empty once there is an answer. */
function withRevision(line: string, revision: number): string {
  return `${line.slice(0, -2)},"${revisionAnnotation}":"${revision}"}}`;
}

/** Members that are undefined are not written. */
function eventOf(call: Call, begun: Begun, stage: AuditStage, response: HttpResponse | undefined): object {
  const { info, request, user, realUser, peer } = call;
  const { level, omitManagedFields } = begun.decision;
  const withRequest = level === "Request" || level === "RequestResponse";
  const shown = omitManagedFields ? withoutManagedFields : <T>(value: T): T => value;
  const requestObject = withRequest && response !== undefined ? shown(bodyOf(call)) : undefined;
  const responseObject = level === "RequestResponse" && response !== undefined ? shown(objectOf(response)) : undefined;
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level,
    auditID: begun.id,
    stage,
    requestURI: request.target,
    verb: info.verb,
    user: userOf(realUser ?? user),
    impersonatedUser: realUser === undefined ? undefined : userOf(user),
    sourceIPs: peer.address === "" ? undefined : [peer.address],
    userAgent: request.headers["user-agent"],
    objectRef: info.isResource ? referenceOf(call, begun.createdName ?? "") : undefined,
    responseStatus: response === undefined ? undefined : statusOf(response),
    requestObject,
    responseObject,
    requestReceivedTimestamp: formatMicroTime(begun.receivedAt),
    stageTimestamp: formatMicroTime(call.parts.clock.now()),
    annotations: annotationsOf(call, response),
  };
}

function userOf({ name, uid, groups, extra }: User): object {
  return {
    username: name,
    uid: given(uid),
    groups,
    extra: Object.keys(extra).length === 0 ? undefined : extra,
  };
}

function referenceOf({ info }: Call, createdName: string): object {
  const { resource, namespace, group, version, subresource } = info;
  const name = info.name === "" ? createdName : info.name;
  return {
    resource,
    namespace: given(namespace),
    name: given(name),
    apiGroup: given(group),
    apiVersion: version,
    subresource: given(subresource),
  };
}

function given(text: string): string | undefined {
  return text === "" ? undefined : text;
}

function statusOf(response: HttpResponse): object {
  const { status: code } = response;
  if (code < 400) return { metadata: {}, code };
  const value = objectOf(response);
  const { status, message, reason } = value ?? {};
  return { metadata: {}, ...(value?.kind === "Status" && { status, message, reason }), code };
}

/** Why, as far as it is known: the authorizer's verdict, what admission noted, and the reason of an automated write. */
function annotationsOf(call: Call, response: HttpResponse | undefined): Record<string, string> {
  const annotations: Record<string, string> = { ...call.auditAnnotations };
  if (response !== undefined && response.status !== 401)
    annotations["authorization.k8s.io/decision"] = response.status === 403 ? "forbid" : "allow";
  const { actor, rule, because } = causeOf(call);
  if (actor !== undefined) annotations["steersman.dev/actor"] = actor;
  if (rule !== undefined) annotations["steersman.dev/rule"] = rule;
  if (because !== undefined) annotations["steersman.dev/because"] = because;
  return annotations;
}

function bodyOf(call: Call): unknown {
  const { body, headers } = call.request;
  if (body.length === 0) return undefined;
  if (headers["content-type"]?.includes("patch") === true) {
    const parsed = parseJson(body);
    return parsed.ok ? parsed.value : undefined;
  }
  const raw = readRaw(call, false);
  return raw instanceof Failure ? undefined : raw.value;
}

function objectOf({ body, headers, value }: HttpResponse): Record<string, unknown> | undefined {
  if (isRecord(value)) return value;
  if ("open" in body || headers["content-type"]?.startsWith("application/json") !== true) return undefined;
  const parsed = parseJson(body instanceof Uint8Array ? body : concatBytes(body));
  return parsed.ok && isRecord(parsed.value) ? parsed.value : undefined;
}

/** An object, or a list of them, without what only tells who owns which field. */
function withoutManagedFields(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const { metadata, items } = value;
  const out = { ...value };
  if (isRecord(metadata)) {
    const { managedFields: _, ...rest } = metadata;
    out["metadata"] = rest;
  }
  if (Array.isArray(items)) out["items"] = items.map(withoutManagedFields);
  return out;
}

/** The same stream, which calls `ended` once, however it ends. */
function endingStream(stream: ByteStream, ended: () => void): ByteStream {
  let hasEnded = false;
  const once = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    ended();
  };
  return {
    open(sink: ByteSink) {
      stream.open({
        write: (chunk) => sink.write(chunk),
        ...(sink.line !== undefined && { line: (line) => sink.line!(line) }),
        end: () => {
          once();
          sink.end();
        },
        abort: (error) => {
          once();
          sink.abort(error);
        },
      });
    },
    drained: () => stream.drained(),
    close: () => {
      once();
      stream.close();
    },
  };
}
