import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterRole, PolicyRule } from "#api/generated/rbac-v1.ts";
import { aggregate } from "./plan.ts";

const rule = (resource: string): PolicyRule => ({ verbs: ["get"], apiGroups: [""], resources: [resource] });
const part = (name: string, labels: Record<string, string>, rules: PolicyRule[]): ClusterRole => ({
  metadata: { name, labels },
  rules,
});
const whole = (rules: PolicyRule[]): ClusterRole => ({
  metadata: { name: "view", labels: { view: "true" } },
  rules,
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { view: "true" } }, { matchLabels: { more: "true" } }] },
});
const parts = [
  part("b", { view: "true" }, [rule("pods")]),
  part("a", { more: "true" }, [rule("secrets"), rule("pods")]),
  part("c", {}, [rule("nodes")]),
];

test("the rules of all selected roles come together, each once, in the order of names", () => {
  assert.deepEqual(aggregate(whole([]), [...parts, whole([])]), [rule("secrets"), rule("pods")]);
});

test("a role that has its rules is left alone", () => {
  const role = whole([rule("secrets"), rule("pods")]);
  assert.equal(aggregate(role, [...parts, role]), undefined);
});

test("rules that no selected role has go", () => {
  assert.deepEqual(aggregate(whole([rule("nodes")]), [parts[0] ?? whole([])]), [rule("pods")]);
});

test("an ordinary role is not touched", () => {
  assert.equal(aggregate(part("x", {}, []), parts), undefined);
});
