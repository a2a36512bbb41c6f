import assert from "node:assert/strict";
import type { ApiObject, Kind, RuleContext } from "#api/kind.ts";
import { kinds } from "#api/kinds.ts";
import { apiVersionOf } from "#api/resource.ts";
import { schemaOf } from "#api/schemas.ts";
import { validateObject } from "#api/validate.ts";
import { decode } from "#codec/decode.ts";
import { cloneValue } from "#codec/record.ts";
import { parseYaml } from "#codec/yaml.ts";

/** 2026-07-01T12:00:00Z */
export const now = Date.UTC(2026, 6, 1, 12);

export function contextOf(subresource?: string): RuleContext {
  return { now, subresource, user: "jane", requester: { uid: "u1", groups: ["dev"], extra: {} } };
}

export function kindOf(object: { apiVersion?: unknown; kind?: unknown }): Kind {
  const found = kinds.find((kind) =>
    kind.versions.some((version) => apiVersionOf(version) === object.apiVersion && version.kind === object.kind),
  );
  assert.ok(found, `no kind ${String(object.apiVersion)} ${String(object.kind)}`);
  return found;
}

/** A manifest as the API server has it before admission: decoded, in its storage version, defaulted. */
export function decoded(manifest: string): ApiObject {
  const parsed = parseYaml(manifest);
  assert.ok(parsed.ok, "the manifest is YAML");
  const value = parsed.documents[0] as { apiVersion?: unknown; kind?: unknown };
  const kind = kindOf(value);
  const version = kind.versions.find((candidate) => apiVersionOf(candidate) === value.apiVersion) ?? kind.storage;
  const result = decode(schemaOf(version.type), value, { defaults: true });
  assert.deepEqual([result.errors, result.unknownFields], [[], []]);
  const object = result.object as ApiObject;
  const stored = version === kind.storage ? object : (kind.convert?.(object, version, kind.storage) ?? object);
  kind.rules.defaults?.(stored);
  return stored;
}

/** The same after a create: what is stored, if it is valid. */
export function created(manifest: string): ApiObject {
  const object = decoded(manifest);
  const kind = kindOf(object);
  if (kind.storage.namespaced) object.metadata.namespace ??= "default";
  object.metadata.uid = "11111111-2222-3333-4444-555555555555";
  object.metadata.creationTimestamp = "2026-07-01T11:00:00Z";
  kind.rules.prepareCreate?.(object, contextOf());
  kind.rules.defaults?.(object);
  kind.rules.completeCreate?.(object);
  return object;
}

export function errorsOf(object: ApiObject, old?: ApiObject, subresource?: string): string[] {
  return validateObject(kindOf(object), object, old, contextOf(subresource)).map((error) =>
    error.field === "" ? error.message : `${error.field}: ${error.message}`,
  );
}

/** Creates the manifest and compares what is wrong with it. */
export function check(manifest: string, expected: readonly string[]): void {
  assert.deepEqual(errorsOf(created(manifest)), expected);
}

/** Creates the manifest, changes it, and compares what is wrong with the update. */
export function checkUpdate(
  manifest: string,
  change: (object: Record<string, any>) => void,
  expected: readonly string[],
  subresource?: string,
): void {
  const old = created(manifest);
  const object = cloneValue(old);
  change(object);
  const kind = kindOf(object);
  kind.rules.defaults?.(object);
  kind.rules.prepareUpdate?.(object, old, contextOf(subresource));
  assert.deepEqual(errorsOf(object, old, subresource), expected);
}
