import { concatBytes } from "#base/bytes.ts";
import { bytesOf } from "../objects/bytes.ts";
import { endOf } from "../keys.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { Failure } from "../failure.ts";
import { encodeJson } from "#codec/json.ts";
import { headersFor } from "../objects/respond.ts";
import { encodeContinue } from "../reads/continue.ts";
import { selectionOf, selects } from "../reads/selection.ts";
import type { Served } from "../registry.ts";
import { deletionOptions, removeObject } from "./delete.ts";
import { pageOf } from "./list.ts";
import { deleteBatchMax } from "../limits.ts";
import { servedVersion } from "../objects/convert.ts";

/**
 * DELETE of a collection: every selected object by itself, under the rules of a single deletion; of what a list with the same limit
 * and token would give.
 */
export async function deleteCollection(call: Call, served: Served): Promise<HttpResponse | Failure> {
  const options = deletionOptions(call);
  if (options instanceof Failure) return options;
  const selection = selectionOf(call, served);
  if (selection instanceof Failure) return selection;
  const page = await pageOf(call);
  if (page instanceof Failure) return page;
  const { store, objects, timers } = call.parts;
  const prefix = selection.namespace === "" ? served.prefix : `${served.prefix}${selection.namespace}/`;
  const { snapshot, limit } = page;
  let chosen = 0;
  let next = "";
  const removed: Uint8Array[] = [];
  let batch: Promise<Failure | undefined>[] = [];
  const finishBatch = async (): Promise<Failure | undefined> => {
    const results = await Promise.all(batch);
    batch = [];
    await timers.yield();
    return results.find((result) => result !== undefined);
  };
  for (const entry of snapshot.range(prefix + page.start, endOf(prefix))) {
    if (0 < limit && limit <= chosen) {
      next = encodeContinue({ revision: snapshot.revision, start: entry.key.slice(prefix.length) });
      break;
    }
    if (!selects(selection, entry, objects)) continue;
    chosen += 1;
    const { namespace = "", name = "" } = objects.decoded(entry).metadata;
    batch.push(
      removeObject(call, served, { namespace, name }, options).then(async (result) => {
        // Somebody else removed it first: that is what was asked for.
        if (result instanceof Failure) return result.code === 404 ? undefined : result;
        const shown = await servedVersion(call, served, result.object);
        if (shown instanceof Failure) return shown;
        removed.push(encodeJson(shown));
        return undefined;
      }),
    );
    if (deleteBatchMax <= batch.length) {
      const failure = await finishBatch();
      if (failure !== undefined) return failure;
    }
  }
  const failure = await finishBatch();
  if (failure !== undefined) return failure;
  const type = `"kind":"${served.resource.kind}List","apiVersion":"${served.apiVersion}"`;
  const goesOn = next === "" ? "" : `,"continue":"${next}"`;
  const head = `{${type},"metadata":{"resourceVersion":"${store.visible}"${goesOn}},"items":[`;
  const parts = [bytesOf(head)];
  removed.forEach((bytes, index) => parts.push(...(index === 0 ? [bytes] : [bytesOf(","), bytes])));
  parts.push(bytesOf("]}"));
  return { status: 200, headers: headersFor(call, "application/json"), body: concatBytes(parts) };
}
