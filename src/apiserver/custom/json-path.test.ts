import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJsonPath } from "./json-path.ts";

const object = {
  metadata: { labels: { "app.kubernetes.io/name": "web" } },
  spec: { ports: [{ port: 80 }, { port: 443 }] },
  status: {
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Other", status: "False" },
    ],
  },
};

function check(path: string, expected: unknown[] | undefined): void {
  test(`${path} reads ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(parseJsonPath(path)?.(object), expected);
  });
}

check(".spec.ports[0].port", [80]);
check(".spec.ports[*].port", [80, 443]);
check(".spec.ports[-1].port", [443]);
check('.status.conditions[?(@.type=="Ready")].status', ["True"]);
check(".metadata.labels.app\\.kubernetes\\.io/name", ["web"]);
check(".metadata.labels['app.kubernetes.io/name']", ["web"]);
check(".spec.none", []);
check(".spec.ports[-1:].port", [443]);
check(".spec.ports[0:1].port", [80]);
check(".spec.ports[::2].port", [80]);
check(".spec.ports[5].port", []);
check(".spec.ports[1,0].port", [443, 80]);
check(".spec.ports[?(@.port>100)].port", [443]);
check(".spec.ports[?(@.port <= 80)].port", [80]);
check(".spec.ports[?(@.name)].port", []);
check(".spec.ports[?(@.port)].port", [80, 443]);
check(".status.conditions[?(@.type != 'Ready')].type", ["Other"]);
check(".status.conditions[?(@['type']==\"Ready\")]['type','status']", ["Ready", "True"]);
check("..port", [80, 443]);
check(".spec..port", [80, 443]);
check(".status.conditions.*.type", ["Ready", "Other"]);
check("{.spec.ports[0].port}", [80]);
check("$.spec.ports[0].port", [80]);
check("spec.ports[0].port", [80]);
check(".spec[", undefined);
check(".spec[]", undefined);
check(".spec[a]", undefined);
check(".spec.ports[?(@.port>)]", undefined);
check(".spec...port", undefined);
