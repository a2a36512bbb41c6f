import assert from "node:assert/strict";
import { test } from "node:test";
import { readEndpointVersions, versionOfLabels, writeEndpointVersions } from "./endpoint-versions.ts";

function check(versions: readonly string[], text: string | undefined): void {
  assert.equal(writeEndpointVersions(versions), text);
  assert.deepEqual(readEndpointVersions(text, versions.length), versions);
}

test("versions of endpoints are told in few bytes, and read back", () => {
  check([], undefined);
  check(["", ""], undefined);
  check(["v1", "v1", "v1"], "v1");
  check(["v1", "v1", "6d4cf5", "v1"], "v1*2,6d4cf5*1,v1*1");
  check(["", "v2"], "*1,v2*1");
});

test("what is no version becomes none, however long or short the text is", () => {
  assert.deepEqual(readEndpointVersions('v"1', 2), ["", ""]);
  assert.deepEqual(readEndpointVersions("v1*1,evil{}*1", 3), ["v1", "", ""]);
  assert.deepEqual(readEndpointVersions("v1*1000000000", 2), ["v1", "v1"]);
  assert.deepEqual(readEndpointVersions("v1*-4,v2*x,v3*1", 1), ["v3"]);
});

test("the version is what people call it, and else the revision of the template", () => {
  assert.equal(
    versionOfLabels({ "pod-template-hash": "6d4cf5", "app.kubernetes.io/version": "1.4", version: "x" }),
    "1.4",
  );
  assert.equal(versionOfLabels({ "pod-template-hash": "6d4cf5", app: "web" }), "6d4cf5");
  assert.equal(versionOfLabels({ app: "web" }), "");
});
