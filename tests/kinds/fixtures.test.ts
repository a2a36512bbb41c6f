// Every published fixture, an object with all of its fields set, goes through every rule of its kind without an exception.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ApiObject } from "#api/kind.ts";
import { kinds } from "#api/kinds.ts";
import { builtInResources } from "#api/generated/resources.ts";
import { apiVersionOf } from "#api/resource.ts";
import { schemaOf } from "#api/schemas.ts";
import { validateObject } from "#api/validate.ts";
import { decode } from "#codec/decode.ts";
import { stringifyJson } from "#codec/json.ts";
import { cloneValue } from "#codec/record.ts";
import { contextOf, now } from "./created.ts";

const folder = join(import.meta.dirname, "../../../shared/k8s-1.36/fixtures");
const skip = existsSync(folder) ? false : "the published facts are not beside the project";

test("every stable resource is a version of exactly one kind", () => {
  const served = kinds.flatMap((kind) =>
    kind.versions.map((version) => `${apiVersionOf(version)}/${version.resource}`),
  );
  const published = builtInResources.map((resource) => `${apiVersionOf(resource)}/${resource.resource}`);
  assert.deepEqual(served.toSorted(), published.toSorted());
});

test("every kind has as many cells as columns, and its storage version among its versions", () => {
  for (const kind of kinds) {
    assert.ok(kind.versions.includes(kind.storage));
    assert.equal(kind.rules.columns === undefined, kind.rules.cells === undefined, kind.storage.kind);
  }
});

for (const kind of kinds) {
  for (const version of kind.versions) {
    const name = `${version.group === "" ? "core" : version.group}.${version.version}.${version.kind}.json`;
    if (skip === false && !readdirSync(folder).includes(name)) continue;
    test(`${apiVersionOf(version)} ${version.kind}`, { skip }, () => {
      const value: unknown = JSON.parse(readFileSync(join(folder, name), "utf8"));
      const result = decode(schemaOf(version.type), value, { defaults: true });
      assert.deepEqual([result.errors, result.unknownFields], [[], []]);
      const given = result.object as ApiObject;
      const object = version === kind.storage ? given : (kind.convert?.(given, version, kind.storage) ?? given);

      kind.rules.defaults?.(object);
      const once = stringifyJson(object);
      kind.rules.defaults?.(object);
      assert.equal(stringifyJson(object), once, "defaults are idempotent");

      const cells = kind.rules.cells?.(object, now);
      assert.equal(cells?.length, kind.rules.columns?.length);
      for (const read of Object.values(kind.rules.fieldSelectors ?? {})) assert.equal(typeof read(object), "string");

      const fresh = cloneValue(object);
      kind.rules.prepareCreate?.(fresh, contextOf());
      assert.ok(Array.isArray(validateObject(kind, fresh, undefined, contextOf())));
      for (const subresource of [undefined, ...kind.storage.subresources.map((part) => part.name)]) {
        const changed = cloneValue(object);
        kind.rules.prepareUpdate?.(changed, object, contextOf(subresource));
        assert.equal(stringifyJson(object), once, "the stored object is not changed");
        assert.ok(Array.isArray(validateObject(kind, changed, object, contextOf(subresource))));
      }
      kind.rules.warnings?.(object, undefined);
    });
  }
}
