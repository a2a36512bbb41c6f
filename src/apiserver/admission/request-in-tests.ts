import type { ApiObject, Kind } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import type { AdmissionPlugin, AdmissionRequest, Operation, Verdict } from "../admission.ts";
import type { User } from "../user.ts";

export const person: User = { name: "jane", uid: "", groups: ["system:authenticated"], extra: {} };

export interface Asked {
  readonly operation?: Operation;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly user?: User;
  readonly object?: object;
  readonly oldObject?: object;
  readonly now?: number;
  readonly dryRun?: boolean;
}

/** A request as the pipeline would make it; name and namespace come from the object unless they are given. */
export function requestFor(resource: Resource<unknown>, asked: Asked): AdmissionRequest {
  const object = asked.object as ApiObject | undefined;
  const oldObject = asked.oldObject as ApiObject | undefined;
  const metadata = (object ?? oldObject)?.metadata;
  const kind: Kind = {
    versions: [resource as Resource<ApiObject>],
    storage: resource as Resource<ApiObject>,
    rules: {},
  };
  return {
    operation: asked.operation ?? (oldObject === undefined ? "CREATE" : "UPDATE"),
    kind,
    version: resource.version,
    resource: resource.resource,
    group: resource.group,
    subresource: asked.subresource ?? "",
    namespace: asked.namespace ?? metadata?.namespace ?? "",
    name: asked.name ?? metadata?.name ?? "",
    user: asked.user ?? person,
    dryRun: asked.dryRun ?? false,
    now: asked.now ?? 0,
    object,
    oldObject,
    warnings: [],
    auditAnnotations: {},
  };
}

/** Runs both phases of one step; the message of the refusal, or undefined when the request passed. */
export async function admit(plugin: AdmissionPlugin, request: AdmissionRequest): Promise<string | undefined> {
  const refusal = (verdict: Verdict | undefined): string | undefined =>
    verdict?.allowed === false ? verdict.message : undefined;
  return refusal(await plugin.mutate?.(request)) ?? refusal(await plugin.validate?.(request));
}
