import assert from "node:assert/strict";
import { test } from "node:test";
import { countedMax } from "./limits.ts";
import type { RouteTable } from "./route-table.ts";
import { countedKey, noNumbers, numberTraffic, readNumbers, writeNumbers } from "./traffic-numbers.ts";

const route = { site: "a.com", path: "", backend: "d/web:80", ingress: "d/shop" };

function table(...versions: (string | undefined)[]): RouteTable {
  const servers = versions.map((version, index) => {
    return { address: `10.0.0.${index + 1}`, port: 80, weight: 100, ...(version === undefined ? {} : { version }) };
  });
  return {
    sites: ["a.com"],
    exact: [],
    prefix: versions.length === 0 ? [] : [route],
    backends: new Map([["d/web:80", { id: "d/web:80", servers }]]),
    certificates: [],
    splits: [],
  };
}

test("what is counted keeps its number over restarts and rollouts, and no number is given twice", () => {
  const first = numberTraffic(noNumbers, table("v1"));
  const one = first.counted.get(countedKey(route, "v1"));
  assert.equal(numberTraffic(first, table("v1")), first, "nothing new, nothing to write");
  const second = numberTraffic(readNumbers(writeNumbers(first)) ?? assert.fail(), table("v2"));
  assert.equal(second.counted.get(countedKey(route, "v1")), one, "the old version's requests stay known");
  const gone = numberTraffic(second, table());
  assert.equal(gone.counted.size, 0, "nobody asks for a route that is gone");
  const again = numberTraffic(gone, table("v1"));
  assert.ok((again.counted.get(countedKey(route, "v1")) ?? 0) >= second.next, "what comes back begins anew");
});

test("what pods ask of a Service has numbers of its own beside those of the Ingress' routes", () => {
  const servers = [{ address: "10.0.0.1", port: 80, weight: 100, version: "v1" }];
  const backend = "d/web:80@/pods";
  const services = [{ destination: "10.96.0.5:80", backend, isSticky: false, isLeaving: false }];
  const backends = new Map([...table("v1").backends, [backend, { id: backend, servers, isForPods: true }]]);
  const { routes, counted } = numberTraffic(noNumbers, { ...table("v1"), backends, services });
  assert.equal(routes.size, 2);
  const number = counted.get(countedKey({ backend }, "v1")) ?? assert.fail();
  assert.notEqual(number, counted.get(countedKey(route, "v1")));
});

test("a workload that is released again and again does not grow the numbers without bound", () => {
  let numbers = noNumbers;
  for (let release = 0; release < countedMax + 100; release++) numbers = numberTraffic(numbers, table(`v${release}`));
  assert.equal(numbers.counted.size, countedMax);
  assert.ok(numbers.counted.has(countedKey(route, `v${countedMax + 99}`)));
});

test("a file that is none of ours is no reason to fail", () => {
  for (const text of ["", "{", "null", '{"next":"x"}', '{"next":1}'])
    assert.equal(readNumbers(text)?.next, text === '{"next":1}' ? 1 : undefined);
});
