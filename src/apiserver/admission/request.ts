import type { Resource } from "#api/resource.ts";
import type { AdmissionRequest, Verdict, VerdictCause } from "../admission.ts";

/** The request has passed. */
export const allow: Verdict = { allowed: true };

/** 403; the message is what stands behind `pods "x" is forbidden: `. */
export function forbid(message: string, causes?: readonly VerdictCause[]): Verdict {
  return causes === undefined ? { allowed: false, message } : { allowed: false, message, causes };
}

/** Whether the request is about this resource itself, or about its subresource when one is named. */
export function isAbout(request: AdmissionRequest, resource: Resource<unknown>, subresource = ""): boolean {
  return (
    request.resource === resource.resource && request.group === resource.group && request.subresource === subresource
  );
}

/** The object of the request, with the type of the resource that `isAbout` has found. Undefined for deletions. */
export function objectOf<T>(request: AdmissionRequest, resource: Resource<T>): T | undefined {
  assertAbout(request, resource);
  return request.object as T | undefined;
}

/** The stored object, undefined for creations. Never changed. */
export function oldObjectOf<T>(request: AdmissionRequest, resource: Resource<T>): T | undefined {
  assertAbout(request, resource);
  return request.oldObject as T | undefined;
}

function assertAbout(request: AdmissionRequest, resource: Resource<unknown>): void {
  if (request.resource === resource.resource && request.group === resource.group) return;
  throw new Error(`Cannot read ${request.resource} as ${resource.kind}: the request is about something else`);
}
