import type { ApiObject } from "#api/kind.ts";
import type { Binding } from "#api/generated/core-v1.ts";
import { schemaOf } from "#api/schemas.ts";
import { formatTime } from "#codec/time.ts";
import { recordOf } from "#codec/record.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, conflict, Failure, invalid } from "../failure.ts";
import { readObject, type Expected } from "../objects/read-body.ts";
import { valueResponse } from "../objects/respond.ts";
import type { Served } from "../registry.ts";
import { successStatus } from "../status.ts";
import { admissionRequest, admitMutating, admitValidating } from "../verbs/admit.ts";
import { writeOptions } from "../verbs/options.ts";
import { updateObject } from "../verbs/update.ts";

const expected: Expected = { apiVersion: "v1", kind: "Binding", schema: schemaOf("core/v1.Binding"), custom: false };

/** POST to pods/binding or to the older bindings: gives a pod its node, once. */
export async function bind(call: Call, served: Served): Promise<Outcome> {
  const options = writeOptions(call);
  if (options instanceof Failure) return options;
  const body = readObject(call, expected);
  if (body instanceof Failure) return body;
  const binding = body as ApiObject & Binding;
  const name = call.info.name === "" ? (binding.metadata?.name ?? "") : call.info.name;
  const namespace = call.info.namespace;
  if (binding.metadata?.name !== undefined && binding.metadata.name !== "" && binding.metadata.name !== name) {
    return badRequest("name in URL does not match name in Binding object");
  }
  const node = binding.target.name ?? "";
  const problem = judgeTarget(name, binding);
  if (problem !== undefined) return problem;
  const pods = call.parts.registry.find("v1", "pods") ?? served;
  const request = admissionRequest(call, {
    operation: "CREATE",
    served: pods,
    subresource: "binding",
    namespace,
    name,
    object: body,
    oldObject: undefined,
    dryRun: options.dryRun,
  });
  const refused = (await admitMutating(call, request)) ?? (await admitValidating(call, request));
  if (refused !== undefined) return refused;

  const bound = await updateObject(call, pods, options, (old) => assigned(call, pods, old, binding, node), {
    verb: "bind",
    direct: true,
    at: { namespace, name },
  });
  if (bound instanceof Failure) return bound;
  return valueResponse(call, undefined, 201, successStatus({ code: 201 }));
}

function judgeTarget(name: string, { target }: Binding): Failure | undefined {
  const errors = [];
  if (target.kind !== undefined && target.kind !== "" && target.kind !== "Node") {
    const message = `Unsupported value: ${JSON.stringify(target.kind)}: supported values: "Node", "<empty>"`;
    errors.push({ field: "target.kind", reason: "FieldValueNotSupported" as const, message });
  }
  if (target.name === undefined || target.name === "") {
    errors.push({ field: "target.name", reason: "FieldValueRequired" as const, message: "Required value" });
  }
  return errors.length === 0 ? undefined : invalid("", "Binding", name, errors);
}

interface PodParts {
  spec?: { nodeName?: string; schedulingGates?: unknown[] };
  status?: { conditions?: Record<string, unknown>[] };
}

function assigned(call: Call, pods: Served, old: ApiObject, binding: Binding, node: string): ApiObject | Failure {
  const { name = "" } = old.metadata;
  const uid = binding.metadata?.uid;
  if (uid !== undefined && uid !== "" && uid !== old.metadata.uid) {
    return conflict(
      pods.resource,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid ?? ""}`,
    );
  }
  const before = old as PodParts;
  if (old.metadata.deletionTimestamp !== undefined)
    return conflict(
      { group: "", resource: "pods/binding" },
      name,
      `pod ${name} is being deleted, cannot be assigned to a host`,
    );
  const assignedTo = before.spec?.nodeName ?? "";
  if (assignedTo !== "")
    return conflict(
      { group: "", resource: "pods/binding" },
      name,
      `pod ${name} is already assigned to node ${JSON.stringify(assignedTo)}`,
    );
  if ((before.spec?.schedulingGates?.length ?? 0) > 0) {
    return conflict({ group: "", resource: "pods/binding" }, name, `pod ${name} has non-empty .spec.schedulingGates`);
  }
  // What does not change is shared with the state before: nobody changes either, and who keeps what it derived knows it again.
  const { resourceVersion: _, ...metadata } = old.metadata;
  const { annotations, labels } = binding.metadata ?? {};
  if (annotations !== undefined) metadata.annotations = merged(metadata.annotations, annotations);
  // The pod's own labels count more than those of its node.
  if (labels !== undefined) metadata.labels = merged(labels, metadata.labels);
  const others = (before.status?.conditions ?? []).filter((condition) => condition.type !== "PodScheduled");
  const scheduled = {
    type: "PodScheduled",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: formatTime(call.parts.clock.now()),
  };
  return {
    ...old,
    metadata,
    spec: { ...before.spec, nodeName: node },
    status: { ...before.status, conditions: [...others, scheduled] },
  };
}

type Texts = Readonly<Record<string, string>>;

function merged(less: Texts | undefined, more: Texts | undefined): Record<string, string> {
  return recordOf({ ...less, ...more }) as Record<string, string>;
}
