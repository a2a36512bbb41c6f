import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodSpec } from "#api/generated/core-v1.ts";
import { deploymentDeclaration } from "../views/workload.ts";
import { optInAnnotation, planConfigurationRollout } from "./plan.ts";

const spec: PodSpec = {
  containers: [
    {
      name: "main",
      image: "web",
      resources: {},
      env: [{ name: "A", valueFrom: { secretKeyRef: { name: "maybe", key: "a", optional: true } } }],
      envFrom: [{ configMapRef: { name: "settings" } }, { configMapRef: { name: "both", optional: true } }],
    },
  ],
  volumes: [{ name: "v", configMap: { name: "both" } }],
};

/** What is done when this is there, after `before` was remembered: in the words of the patch. */
function outcome(digests: Record<string, string>, before?: string): { annotation?: string; rolls?: boolean } {
  const annotations = { [optInAnnotation]: "true", ...(before && { "steersman.dev/configuration": before }) };
  const deployment = deploymentDeclaration.project({
    metadata: { name: "web", namespace: "default", annotations },
    spec: { selector: {}, template: { spec } },
  } as never);
  const [action] = planConfigurationRollout(deployment, (reference) => digests[reference] ?? "")?.actions ?? [];
  if (action?.verb !== "patch") return {};
  const patch = action.patch as { metadata: { annotations: Record<string, string> }; spec?: object };
  return {
    annotation: patch.metadata.annotations["steersman.dev/configuration"]!,
    rolls: patch.spec !== undefined,
  };
}

test("what must be there is waited for; what pods start without counts as it is, also while it is missing", () => {
  const needed = { "configmaps/settings": "1", "configmaps/both": "1" };
  const first = outcome(needed);
  assert.equal(first.rolls, false, "the first look remembers");
  assert.deepEqual(outcome(needed, first.annotation), {});
  assert.deepEqual(outcome({ "configmaps/settings": "2" }, first.annotation), {}, "a volume needs it");
  assert.equal(outcome({ ...needed, "configmaps/settings": "2" }, first.annotation).rolls, true);
  assert.equal(outcome({ ...needed, "secrets/maybe": "1" }, first.annotation).rolls, true);
});
