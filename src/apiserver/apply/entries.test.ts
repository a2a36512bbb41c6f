/** An entry whose fields are kept as text is an entry like any other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stringifyJson } from "#codec/json.ts";
import { KeptText } from "#codec/kept-text.ts";
import { cloneValue, isEqualValue } from "#codec/record.ts";
import { changeEntry, entriesText, entryWith, sameFields, type Writer } from "./entries.ts";

const writer: Writer = { manager: "größe", operation: "Update", apiVersion: "v1", subresource: "status" };
const fields = { "f:data": { ".": {}, 'f:with "quotes"': {} } };
const text = JSON.stringify(fields);
const noon = Date.UTC(2024, 0, 1, 12);

test("whoever reads, copies or writes it finds what stands in any other", () => {
  const plain = entryWith(writer, fields, noon);
  const kept = entryWith(writer, KeptText.of(text), noon);
  assert.deepEqual(Object.keys(kept), Object.keys(plain));
  assert.equal(stringifyJson(kept), stringifyJson(plain));
  assert.ok(isEqualValue(kept, plain));
  for (const copy of [cloneValue(kept), { ...kept }]) assert.equal(stringifyJson(copy), stringifyJson(plain));
});

test("its text is written as it is, also behind a copy of the entry", () => {
  const kept = entryWith(writer, KeptText.of(text), noon);
  const later = changeEntry(kept, sameFields(kept), noon + 60_000);
  assert.equal((sameFields({ ...kept }) as KeptText).text, text);
  assert.equal((sameFields(later) as KeptText).text, text);
  for (const entries of [[kept], [later, kept], [{ ...kept }], [entryWith(writer, fields, noon), kept], [], [{}]])
    assert.equal(entriesText(entries), stringifyJson(entries));
});
