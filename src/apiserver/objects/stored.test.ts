/** A stored value is the object's JSON, and its header tells where the parts stand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiObject, ObjectMetadata } from "#api/kind.ts";
import { stringifyJson } from "#codec/json.ts";
import { encodeStored, fromMetadata, jsonOf, labelsText, metadataOf, revisionOffset } from "./stored.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const entries = (manager: string, field: string): unknown[] => [
  { manager, operation: "Update", apiVersion: "v1", fieldsType: "FieldsV1", fieldsV1: { [`f:${field}`]: {} } },
];
const named = (more: ObjectMetadata = {}): ObjectMetadata => ({ name: "x", ...more });
const revision = `"resourceVersion":"0000000000000"`;

/** `rest`: what is written after the metadata; given metadata is written as it is, with the revision after the name. */
function check(metadata: ObjectMetadata, members: Readonly<Record<string, unknown>>): void {
  const { value, stampAt } = encodeStored({ kind: "Thing", apiVersion: "v1", metadata, ...members } as ApiObject);
  const { name, ...more } = metadata;
  const within = stringifyJson({ name, resourceVersion: "0000000000000", ...more });
  const rest = stringifyJson(members);
  const json = `{"kind":"Thing","apiVersion":"v1","metadata":${within}${rest === "{}" ? "}" : `,${rest.slice(1)}`}`;
  assert.equal(text(jsonOf(value)), json);
  assert.equal(text(fromMetadata(value)), json.slice(json.indexOf(`"metadata"`)));
  assert.equal(text(metadataOf(value)), `"metadata":${within}`);
  assert.equal(labelsText(value), metadata.labels && stringifyJson(metadata.labels));
  assert.equal(stampAt, revisionOffset(value));
  const before = json.slice(0, json.indexOf(revision) + revision.length - 14);
  assert.equal(text(value.subarray(20, stampAt)), before);
}

test("with and without owners, with and without anything behind the metadata", () => {
  check(named(), {});
  check(named(), { data: { a: "b" } });
  check(named({ labels: { a: "b" }, managedFields: entries("bench", "data") }), {});
  check(named({ labels: { a: "b" }, managedFields: entries("bench", "data") }), {
    spec: {},
    status: { a: [1, 2n ** 60n] },
  });
});

test("where characters need more bytes than one", () => {
  check(named({ annotations: { a: "größer" } }), { data: { a: "日本" } });
  check(named({ labels: { a: "b" }, managedFields: entries("größe", "日本") }), { data: { a: "日本" } });
  check(named({ managedFields: entries("größe", "data") }), {});
});
