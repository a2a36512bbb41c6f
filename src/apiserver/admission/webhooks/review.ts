import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import { fromBase64 } from "../../authenticate/base64.ts";
import { parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import type { AdmissionRequest } from "../../admission.ts";
import { foreignKind } from "../../discovery/documents.ts";
import { shown } from "../../objects/shown.ts";

/** The versions of AdmissionReview that the server speaks, the preferred first. */
export const reviewVersions = ["v1", "v1beta1"] as const;

export interface ReviewOrder {
  readonly uid: string;
  /** The version of the resource that the webhook wants to see. */
  readonly resource: Resource<unknown>;
  readonly reviewVersion: string;
  readonly object: ApiObject | undefined;
  readonly oldObject: ApiObject | undefined;
}

/** The AdmissionReview that a webhook is sent. */
export function reviewOf(request: AdmissionRequest, order: ReviewOrder): Record<string, unknown> {
  const { resource, object, oldObject } = order;
  const requested = request.kind.versions.find(
    ({ group, version }) => group === request.group && version === request.version,
  );
  const { subresource, name, namespace, operation, dryRun, user } = request;
  return {
    kind: "AdmissionReview",
    apiVersion: `admission.k8s.io/${order.reviewVersion}`,
    request: {
      uid: order.uid,
      kind: kindOf(resource, subresource),
      resource: { group: resource.group, version: resource.version, resource: resource.resource },
      ...(subresource !== "" && { subResource: subresource }),
      requestKind: kindOf(requested ?? resource, subresource),
      requestResource: { group: request.group, version: request.version, resource: request.resource },
      ...(subresource !== "" && { requestSubResource: subresource }),
      ...(name !== "" && { name }),
      ...(namespace !== "" && { namespace }),
      operation,
      userInfo: {
        username: user.name,
        ...(user.uid !== "" && { uid: user.uid }),
        groups: user.groups,
        ...(Object.keys(user.extra).length > 0 && { extra: user.extra }),
      },
      object: object ?? null,
      oldObject: oldObject ?? null,
      dryRun,
      options: optionsOf(request),
    },
  };
}

function kindOf(resource: Resource<unknown>, subresource: string): Record<string, string> {
  const kind = resource.subresources.find((each) => each.name === subresource)?.kind ?? resource.kind;
  return { group: resource.group, version: resource.version, ...foreignKind(kind, resource.kind), kind };
}

const optionKinds = {
  CREATE: "CreateOptions",
  UPDATE: "UpdateOptions",
  DELETE: "DeleteOptions",
  CONNECT: undefined,
} as const;

function optionsOf({ operation, dryRun, origin }: AdmissionRequest): Record<string, unknown> | null {
  const kind = optionKinds[operation];
  if (kind === undefined) return null;
  const fieldManager = origin?.query.get("fieldManager") ?? undefined;
  const fieldValidation = origin?.query.get("fieldValidation") ?? undefined;
  return {
    kind,
    apiVersion: "meta.k8s.io/v1",
    ...(dryRun && { dryRun: ["All"] }),
    ...(kind !== "DeleteOptions" && fieldManager !== undefined && { fieldManager }),
    ...(kind !== "DeleteOptions" && fieldValidation !== undefined && { fieldValidation }),
  };
}

/** What a webhook has answered. */
export interface ReviewAnswer {
  readonly allowed: boolean;
  readonly status: { readonly code?: number; readonly reason?: string; readonly message?: string };
  /** Operations of a JSON Patch; undefined: nothing is to change. */
  readonly patch: unknown;
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

/** Reads a webhook's answer; a text says why it cannot count. */
export function readReview(
  body: Uint8Array,
  order: Pick<ReviewOrder, "uid" | "reviewVersion">,
  mayPatch: boolean,
): ReviewAnswer | string {
  const parsed = parseJson(body);
  if (!parsed.ok || !isRecord(parsed.value)) return "the answer is no JSON object";
  const { kind, apiVersion, response } = parsed.value;
  const wanted = `admission.k8s.io/${order.reviewVersion}`;
  if (order.reviewVersion === "v1" && (kind !== "AdmissionReview" || apiVersion !== wanted)) {
    return `expected webhook response of ${wanted}, Kind=AdmissionReview, got ${shown(apiVersion)}, Kind=${shown(kind)}`;
  }
  if (!isRecord(response)) return "webhook response was absent";
  if (order.reviewVersion === "v1" && response.uid !== order.uid) {
    return `expected response.uid=${JSON.stringify(order.uid)}, got ${JSON.stringify(response.uid ?? "")}`;
  }
  const patch = mayPatch ? readPatch(response, order.reviewVersion) : { operations: undefined };
  if (typeof patch === "string") return patch;
  const status = isRecord(response.status) ? response.status : {};
  return {
    allowed: response.allowed === true,
    status: {
      ...(typeof status.code === "number" && { code: status.code }),
      ...(typeof status.reason === "string" && { reason: status.reason }),
      ...(typeof status.message === "string" && { message: status.message }),
    },
    patch: patch.operations,
    warnings: Array.isArray(response.warnings)
      ? response.warnings.filter((each): each is string => typeof each === "string")
      : [],
    auditAnnotations: textsOf(response.auditAnnotations),
  };
}

function readPatch(response: Record<string, unknown>, version: string): { operations: unknown } | string {
  const { patch, patchType } = response;
  if (patch === undefined || patch === null || patch === "") {
    return patchType === undefined || patchType === null || version !== "v1"
      ? { operations: undefined }
      : "webhook returned response.patchType but no response.patch";
  }
  if (version === "v1" && patchType !== "JSONPatch") {
    return patchType === undefined
      ? "webhook returned response.patch but not response.patchType"
      : `webhook returned invalid response.patchType of ${JSON.stringify(patchType)}`;
  }
  const bytes = typeof patch === "string" ? fromBase64(patch) : undefined;
  if (bytes === undefined) return "webhook returned a patch that is not base64";
  const parsed = parseJson(bytes);
  return parsed.ok ? { operations: parsed.value } : `webhook returned a patch that is not JSON: ${parsed.message}`;
}

function textsOf(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, text]) => (typeof text === "string" ? [[key, text]] : [])),
  );
}
