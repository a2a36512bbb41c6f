import type { Call, Outcome } from "../call.ts";
import { Failure, methodNotAllowed, noSuchResource } from "../failure.ts";
import { plainPath } from "../discovery/plain-paths.ts";
import { representationFor } from "../objects/respond.ts";
import type { Served } from "../registry.ts";
import { findSubresource, unstored } from "../subresources/all.ts";
import { create } from "../verbs/create.ts";
import { deleteCollection } from "../verbs/delete-collection.ts";
import { remove } from "../verbs/delete.ts";
import { get } from "../verbs/get.ts";
import { list } from "../verbs/list.ts";
import { patch } from "../verbs/patch.ts";
import { update } from "../verbs/update.ts";
import { watch } from "../verbs/watch.ts";
import { answerVirtual } from "../virtual/answer.ts";

export type Verb = (call: Call, served: Served) => Outcome | Promise<Outcome>;

const verbs: Readonly<Record<string, Verb>> = {
  get,
  list,
  watch,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: deleteCollection,
};

/** Those that a path across all namespaces may ask for, and that may name an object or not. */
const reading: ReadonlySet<string> = new Set(["list", "watch"]);
const isOfCollection: ReadonlySet<string> = new Set(["create", "deletecollection"]);
const writing: ReadonlySet<string> = new Set(["create", "update", "patch", "delete", "deletecollection"]);

/** Carries the request out: a verb on a resource, a subresource, or a document at a plain path. */
export function perform(call: Call): Outcome | Promise<Outcome> {
  const elsewhere = call.parts.aggregation()?.answer(call);
  return elsewhere ?? performHere(call);
}

function performHere(call: Call): Outcome | Promise<Outcome> {
  const { info } = call;
  if (!info.isResource) return plainPath(call);
  const virtual = call.parts.virtual.get(info.apiVersion);
  if (virtual !== undefined) return answerVirtual(call, virtual);
  const served = call.parts.registry.find(info.apiVersion, info.resource);
  if (served === undefined) return plainPath(call);
  call.served = served;
  warnOfDeprecation(call, served);
  const misplaced = placed(call, served);
  if (misplaced !== undefined) return misplaced;
  // A write whose answer nobody could read is not carried out.
  if (writing.has(info.verb) && (info.subresource === "" || info.subresource === "status")) {
    const representation = representationFor(call, served);
    if (representation instanceof Failure) return representation;
  }
  if (info.subresource !== "") {
    const subresource = findSubresource(served, info.subresource);
    const handler = subresource?.[info.verb];
    if (handler !== undefined) return handler(call, served);
    return subresource === undefined ? noSuchResource() : methodNotAllowed();
  }
  const verb = verbs[info.verb];
  if (verb === undefined || !served.resource.verbs.includes(info.verb)) return methodNotAllowed();
  if ((info.name === "") !== isOfCollection.has(info.verb) && !reading.has(info.verb)) return methodNotAllowed();
  const question = unstored(served)?.[info.verb];
  if (question !== undefined) return question(call, served);
  return verb(call, served);
}

function warnOfDeprecation(call: Call, served: Served): void {
  const warning = served.custom?.warning ?? served.kind.rules.deprecation;
  if (warning === undefined) return;
  call.warnings.push(warning);
  const { subresource } = call.info;
  const isServed = subresource === "" || findSubresource(served, subresource) !== undefined;
  if (isServed && !call.inProcess) call.parts.measures?.deprecatedRequested(served.resource, subresource);
}

/**
 * Whether the path's namespace goes with the resource. A request for `namespaces/n` is authorized within n, so it must be for n
 * itself: no path may lead from one namespace to another, or to what is in none.
 */
function placed(call: Call, served: Served): Failure | undefined {
  const { info } = call;
  if (served.resource.namespaced) {
    if (info.namespace !== "" || reading.has(info.verb)) return undefined;
    return info.name === "" && info.subresource === "" ? methodNotAllowed() : noSuchResource();
  }
  if (info.namespace === "") return undefined;
  if (info.resource !== "namespaces" || info.name !== info.namespace) return noSuchResource();
  call.info = { ...info, namespace: "" };
  return undefined;
}
