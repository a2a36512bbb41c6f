import type { ObjectMeta } from "./generated/meta-v1.ts";
import type { KindRules, RuleContext } from "./kind.ts";

interface WithStatus {
  metadata?: ObjectMeta;
  spec?: unknown;
  status?: unknown;
}

/**
 * The usual division of labour: a create drops what the client says about the status; the main resource keeps the stored
 * status, and /status keeps the stored spec and everything of the metadata that is not bookkeeping.
 */
export function separateStatus<T extends WithStatus>(
  initialStatus: () => T["status"],
): Required<Pick<KindRules<T>, "prepareCreate" | "prepareUpdate">> {
  return {
    prepareCreate(object: T): void {
      object.status = initialStatus();
    },
    prepareUpdate(object: T, old: T, context: RuleContext): void {
      if (context.subresource === "status") keepSpec(object, old);
      else keepStatus(object, old);
    },
  };
}

export function keepStatus<T extends WithStatus>(object: T, old: T): void {
  if (old.status === undefined) delete object.status;
  else object.status = old.status;
}

/** For /status: what it may not change stays as stored. Labels are the main resource's; annotations and finalizers follow upstream. */
export function keepSpec<T extends WithStatus>(object: T, old: T): void {
  if (old.spec === undefined) delete object.spec;
  else object.spec = old.spec;
  if (object.metadata !== undefined && old.metadata !== undefined) keepLabels(object.metadata, old.metadata);
}

export function keepLabels(metadata: ObjectMeta, old: ObjectMeta): void {
  if (old.labels === undefined) delete metadata.labels;
  else metadata.labels = old.labels;
}
