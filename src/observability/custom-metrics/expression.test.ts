import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLabelSelector } from "#api/selectors.ts";
import { equals, isMetricName, metricExpression, oneOf, selectorMatchers } from "./expression.ts";

function matchers(selector: string): readonly string[] {
  const parsed = parseLabelSelector(selector);
  assert.ok(parsed.ok);
  return selectorMatchers(parsed.selector);
}

test("a metric of pods is added up by pod", () => {
  assert.equal(
    metricExpression("queue", [equals("namespace", "shop"), oneOf("pod", ["a", "b"])], ["pod"]),
    'sum by (pod) (queue{namespace="shop",pod=~"a|b"})',
  );
});

test("a name that ends with _per_second is also the rate of its counter", () => {
  assert.equal(
    metricExpression("requests_per_second", [], ["pod"]),
    "sum by (pod) (requests_per_second{}) or sum by (pod) (rate(requests_total{}[1m])) or sum by (pod) (rate(requests{}[1m]))",
  );
});

test("selectors become matchers", () => {
  assert.deepEqual(matchers("app=web,tier in (a,b),!canary,zone,env!=test"), [
    'app=~"web"',
    'canary=""',
    'env!~"test"',
    'tier=~"a|b"',
    'zone!=""',
  ]);
  assert.deepEqual(matchers("app.kubernetes.io/name=web"), ['app_kubernetes_io_name=~"web"']);
});

test("no value can leave its place in the query", () => {
  assert.equal(equals("namespace", 'a"} or up{b="'), 'namespace="a\\"} or up{b=\\""');
  assert.equal(oneOf("pod", [".*"]), 'pod=~"\\\\.\\\\*"');
});

test("only what Prometheus takes as a name is asked for", () => {
  const names = ["up", "a:b_c", "1a", "up{}", "up or vector(1)", "", "a".repeat(300)];
  assert.deepEqual(names.map(isMetricName), [true, true, false, false, false, false, false]);
});
