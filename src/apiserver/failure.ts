import type { FieldError } from "#api/kind.ts";

export interface StatusCause {
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly field?: string | undefined;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** An expected failure of a request, in the words that the client may see. Becomes a Status in `status.ts`, nowhere else. */
export class Failure {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details: StatusDetails | undefined;
  /** Listed in metadata.continue: how a list that expired may go on. */
  readonly continueToken: string | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, continueToken?: string) {
    this.code = code;
    this.reason = reason;
    this.message = message;
    this.details = details;
    this.continueToken = continueToken;
  }
}

interface Named {
  readonly group: string;
  readonly resource: string;
}

/** `deployments.apps`: a resource as messages name it. */
function qualified({ group, resource }: Named): string {
  return group === "" ? resource : `${resource}.${group}`;
}

function detailsOf({ group, resource }: Named, name: string): StatusDetails {
  return { ...(name !== "" && { name }), ...(group !== "" && { group }), kind: resource };
}

export function notFound(resource: Named, name: string): Failure {
  return new Failure(404, "NotFound", `${qualified(resource)} "${name}" not found`, detailsOf(resource, name));
}

/** The path names no resource that is served. */
export function noSuchResource(): Failure {
  return new Failure(404, "NotFound", "the server could not find the requested resource", {});
}

export function alreadyExists(resource: Named, name: string): Failure {
  return new Failure(
    409,
    "AlreadyExists",
    `${qualified(resource)} "${name}" already exists`,
    detailsOf(resource, name),
  );
}

/** The generated name exists already, several times over. */
export function generateNameConflict(resource: Named, name: string): Failure {
  const message = `${qualified(resource)} "${name}" already exists, the server was not able to generate a unique name for the object`;
  return new Failure(409, "AlreadyExists", message, { ...detailsOf(resource, name), retryAfterSeconds: 1 });
}

const modifiedMessage = "the object has been modified; please apply your changes to the latest version and try again";

export function conflict(
  resource: Named,
  name: string,
  why: string = modifiedMessage,
  causes?: readonly StatusCause[],
): Failure {
  const message = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`;
  return new Failure(409, "Conflict", message, {
    ...detailsOf(resource, name),
    ...(causes !== undefined && { causes }),
  });
}

/** 422 with all field errors at once. `kind` and `group` name the kind, not the resource, as clients expect here. */
export function invalid(group: string, kind: string, name: string, errors: readonly FieldError[]): Failure {
  const texts = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  const title = group === "" ? kind : `${kind}.${group}`;
  return new Failure(422, "Invalid", `${title} "${name}" is invalid: ${list}`, {
    ...(name !== "" && { name }),
    ...(group !== "" && { group }),
    kind,
    causes: errors.map(({ field, reason, message }) => ({ reason, message, field })),
  });
}

export function forbidden(resource: Named, name: string, why: string, causes?: readonly StatusCause[]): Failure {
  const object = name === "" ? qualified(resource) : `${qualified(resource)} "${name}"`;
  const details = { ...detailsOf(resource, name), ...(causes !== undefined && { causes }) };
  return new Failure(403, "Forbidden", `${object} is forbidden: ${why}`, details);
}

export function unauthorized(): Failure {
  return new Failure(401, "Unauthorized", "Unauthorized");
}

export function badRequest(message: string): Failure {
  return new Failure(400, "BadRequest", message);
}

/** The body is of another object than the one that the path names. */
export function otherName(name: string, nameOfPath: string): Failure {
  return badRequest(`the name of the object (${name}) does not match the name on the URL (${nameOfPath})`);
}

export function methodNotAllowed(): Failure {
  return new Failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
}

export function notAcceptable(accepted: readonly string[]): Failure {
  return new Failure(406, "NotAcceptable", `only the following media types are accepted: ${accepted.join(", ")}`);
}

export function unsupportedMediaType(accepted: readonly string[]): Failure {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`;
  return new Failure(415, "UnsupportedMediaType", message);
}

/** The body is compressed, or otherwise not as it is: it is never unpacked, so it cannot be larger than it looks. */
export function unsupportedEncoding(encoding: string): Failure {
  const message = `the body of the request is encoded as ${encoding.slice(0, 64)}: send it as it is`;
  return new Failure(415, "UnsupportedMediaType", message);
}

export function tooManyRequests(message: string, seconds: number): Failure {
  return new Failure(429, "TooManyRequests", message, { retryAfterSeconds: seconds });
}

export function requestTooLarge(message: string): Failure {
  return new Failure(413, "RequestEntityTooLarge", message);
}

/** 410: list again. */
export function expired(message: string, continueToken?: string): Failure {
  return new Failure(410, "Expired", message, undefined, continueToken);
}

/** 504: the revision asked for has not been reached. */
export function revisionTooLarge(asked: number, current: number): Failure {
  return new Failure(504, "Timeout", `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}

/** 504: the time of a request is over. */
export function timedOut(): Failure {
  const message = "Timeout: request did not complete within the allotted timeout";
  return new Failure(504, "Timeout", message, {});
}

export function internal(message = "Internal error occurred"): Failure {
  return new Failure(500, "InternalError", message, {
    causes: [{ message: "the server could not complete the request" }],
  });
}

export function serviceUnavailable(message: string): Failure {
  return new Failure(503, "ServiceUnavailable", message);
}
