import type { ApiObject } from "#api/kind.ts";
import type { Entry, Transaction } from "#store/store.ts";
import type { Call } from "../call.ts";
import { forgetConversions } from "../custom/conversion.ts";
import { conflict, Failure, internal, requestTooLarge } from "../failure.ts";
import { objectBytesMax } from "../limits.ts";
import { encodeStored, type Encoded } from "../objects/stored.ts";
import type { Served } from "../registry.ts";
import { causeOf, recordOf } from "./reasons.ts";

export type CommitOutcome =
  | { readonly done: true; readonly entry: Entry }
  /** Somebody else was faster: judge again. */
  | { readonly done: false; readonly actual: Entry | undefined };

/** Encodes an object for the store, or says that it is too large. */
export function encodeBounded(object: ApiObject): Encoded | Failure {
  const encoded = encodeStored(object);
  if (objectBytesMax < encoded.value.length) {
    return requestTooLarge(
      `etcdserver: request is too large: the object has ${encoded.value.length} bytes, the limit is ${objectBytesMax}`,
    );
  }
  return encoded;
}

export interface PutOrder {
  readonly served: Served;
  readonly key: string;
  readonly verb: string;
  readonly object: ApiObject;
  readonly old: ApiObject | undefined;
  /** The revision that must stand there now; 0: nothing. */
  readonly expect: number;
  readonly encoded: Encoded;
}

/** Stores an object that has been judged against `expect`. The object must not be changed afterwards. */
export function commitPut(call: Call, order: PutOrder): Promise<CommitOutcome | Failure> {
  const { served, key, object, old, expect, encoded, verb } = order;
  delete object.metadata.resourceVersion;
  forgetConversions(object);
  const attachment = call.parts.objects.attach(object, encoded);
  return submit(call, served.prefix, key, {
    operations: [{ type: "put", key, value: encoded.value, stampAt: encoded.stampAt, expect, attachment }],
    ...withReason(call, served, { verb, old, object }),
  });
}

export interface DeleteOrder {
  readonly served: Served;
  readonly key: string;
  readonly verb: string;
  readonly expect: number;
  readonly old: ApiObject;
  /** The last state, when it differs from what is stored. */
  readonly last: ApiObject;
}

/** Takes an object out of the store; followers get its last state with the revision of the deletion. */
export function commitDelete(call: Call, order: DeleteOrder): Promise<CommitOutcome | Failure> {
  const { served, key, verb, expect, old, last } = order;
  const encoded = encodeStored(last);
  return submit(call, served.prefix, key, {
    operations: [{ type: "delete", key, expect, value: encoded.value, stampAt: encoded.stampAt }],
    ...withReason(call, served, { verb, old, object: undefined }),
  });
}

function withReason(
  call: Call,
  served: Served,
  change: Parameters<typeof recordOf>[2],
): Pick<Transaction, "epoch" | "record"> {
  const record = recordOf(call, served, change);
  const { epoch } = causeOf(call);
  return { ...(record !== undefined && { record }), ...(epoch !== undefined && { epoch }) };
}

async function submit(
  call: Call,
  prefix: string,
  key: string,
  transaction: Transaction,
): Promise<CommitOutcome | Failure> {
  const { store, pending } = call.parts;
  const committing = store.commit(transaction);
  // The commit has been judged by now: from here on the object counts.
  const underWay = pending.add(prefix, key);
  let result;
  try {
    result = await committing;
  } finally {
    pending.remove(underWay);
  }
  if (!result.ok) {
    if (result.reason === "conflict") return { done: false, actual: result.actual };
    if (result.reason === "unsealed") return internal(`Internal error occurred: ${result.problem}`);
    const resource = { group: call.info.group, resource: call.info.resource };
    return conflict(resource, call.info.name, `the leader's epoch has passed: the current one is ${result.current}`);
  }
  call.revision = result.revision;
  const entry = result.entries[0];
  if (entry === undefined) throw new Error(`the store answered no entry for ${key}`);
  return { done: true, entry };
}
