import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics, exposeFamilies, seriesMax } from "./metrics.ts";

test("counters and histograms are exposed as Prometheus reads them", async () => {
  const metrics = createMetrics();
  const requests = metrics.counter("requests_total", "Requests.", ["code"]);
  const seconds = metrics.histogram("seconds", "Durations.", [], [0.1, 1]);
  requests.add(["200"]);
  requests.add(["200"], 2);
  for (const value of [0.05, 0.5, 5, Number.NaN]) seconds.observe([], value);
  assert.equal(
    await metrics.expose(),
    [
      "# HELP requests_total Requests.",
      "# TYPE requests_total counter",
      'requests_total{code="200"} 3',
      "# HELP seconds Durations.",
      "# TYPE seconds histogram",
      'seconds_bucket{le="0.1"} 1',
      'seconds_bucket{le="1"} 2',
      'seconds_bucket{le="+Inf"} 3',
      "seconds_sum 5.55",
      "seconds_count 3",
      "",
    ].join("\n"),
  );
});

test("a series that somebody holds on to is the one that is exposed", async () => {
  const metrics = createMetrics();
  const counter = metrics.counter("c_total", "C.", ["name"]);
  const histogram = metrics.histogram("h", "H.", ["name"], [1]);
  const held = counter.series(["a"]);
  held.add();
  counter.add(["a"], 2);
  held.add(4);
  histogram.series(["a"]).observe(0.5);
  histogram.observe(["a"], 2);
  const page = await metrics.expose();
  assert.match(page, /^c_total\{name="a"\} 7$/m);
  assert.match(page, /^h_bucket\{name="a",le="1"\} 1$/m);
  assert.match(page, /^h_count\{name="a"\} 2$/m);
});

test("a family never grows beyond its bound, and loses no count", async () => {
  const metrics = createMetrics();
  const counter = metrics.counter("c_total", "C.", ["name"]);
  for (let index = 0; index < seriesMax + 500; index++) counter.add([`name-${index}`]);
  const lines = (await metrics.expose()).split("\n").filter((line) => line.startsWith("c_total"));
  assert.equal(lines.length, seriesMax + 1);
  assert.equal(lines.at(-1), 'c_total{name="other"} 500');
});

test("label values cannot break out of their line", () => {
  const text = exposeFamilies([
    { name: "g", type: "gauge", help: "G.", samples: [{ labels: { a: 'x"} 1\ny{b="\\' }, value: 1 }] },
  ]);
  assert.equal(text.split("\n").length, 4);
  assert.ok(text.includes('g{a="x\\"} 1\\ny{b=\\"\\\\"} 1'), text);
});

test("numbers that are none are left out", () => {
  const samples = [Number.NaN, Number.POSITIVE_INFINITY, 3].map((value) => ({ labels: { of: String(value) }, value }));
  assert.equal(
    exposeFamilies([{ name: "g", type: "gauge", help: "G.", samples }]),
    '# HELP g G.\n# TYPE g gauge\ng{of="3"} 3\n',
  );
});
