import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Actual, ActualServer } from "./actual.ts";
import { diff, type Step } from "./diff.ts";
import type { Server } from "./route-table.ts";
import { assignSlots, noSlots, readSlots, writeSlots } from "./slots.ts";
import { emptyMaps, mapFiles, mapsOf, type DataPlane, type MapFile } from "./wanted.ts";

/** A HAProxy that does what steps say, and refuses what the real one would. */
class Model {
  readonly maps = new Map<MapFile, Map<string, string>>(mapFiles.map((file) => [file, new Map()]));
  readonly servers = new Map<string, Map<string, ActualServer>>([
    ["b0001", new Map()],
    ["b0002", new Map()],
  ]);

  get actual(): Actual {
    return {
      maps: mapsOf((file) => this.maps.get(file) ?? new Map<string, string>()),
      servers: this.servers,
      certificates: new Map(),
    };
  }

  do(step: Step): void {
    if ("file" in step) {
      const lines = this.maps.get(step.file) ?? new Map<string, string>();
      if (step.kind === "add-lines") {
        for (const [key, value] of step.lines) {
          assert.ok(!lines.has(key), `${key} is in the map already`);
          lines.set(key, value);
        }
      } else {
        assert.ok(lines.has(step.key), `${step.key} is not in the map`);
        if (step.kind === "set-line") lines.set(step.key, step.value);
        else lines.delete(step.key);
      }
      return;
    }
    const servers = this.servers.get(step.backend) ?? assert.fail("no such backend");
    const known = servers.get(step.server);
    if (step.kind === "add-server") {
      assert.equal(known, undefined, "the server exists already");
      servers.set(step.server, { ...step.to, ready: false });
      return;
    }
    assert.ok(known !== undefined, "no such server");
    if (step.kind === "move-server")
      servers.set(step.server, { ...known, address: step.to.address, port: step.to.port });
    else if (step.kind === "weigh-server") servers.set(step.server, { ...known, weight: step.weight });
    else servers.set(step.server, { ...known, ready: step.kind === "open-server" });
  }

  ready(backend: string): string[] {
    const servers = [...(this.servers.get(backend) ?? new Map<string, ActualServer>()).values()];
    return servers.filter(({ ready }) => ready).map(({ address, port, weight }) => `${address}:${port}*${weight}`);
  }
}

const servers = fc.uniqueArray(
  fc.record({
    address: fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"),
    port: fc.constant(80),
    weight: fc.constantFrom(50, 100),
  }),
  { selector: ({ address }) => address },
);
const lines = fc
  .dictionary(fc.constantFrom("a.com", "b.com", "a.com/x"), fc.constantFrom("b0001", "b0002"))
  .map((record) => new Map(Object.entries(record)));
const plane = fc
  .record({ one: servers, two: servers, routes: lines, splits: lines, users: lines })
  .map(({ one, two, routes, splits, users }): DataPlane => ({
    maps: { ...emptyMaps, "routes.map": routes, "splits.map": splits, "users.map": users },
    servers: new Map<string, Server[]>([
      ["b0001", one],
      ["b0002", two],
    ]),
    certificates: new Map(),
  }));

test("steps lead from any state to any other, and no backend that keeps endpoints is ever without", () => {
  fc.assert(
    fc.property(fc.array(plane, { minLength: 1, maxLength: 6 }), (planes) => {
      const model = new Model();
      for (const wanted of planes) {
        const before = new Map(["b0001", "b0002"].map((backend) => [backend, model.ready(backend).length]));
        for (const step of diff(model.actual, wanted)) {
          model.do(step);
          for (const [backend, list] of wanted.servers) {
            if (0 < (before.get(backend) ?? 0) && 0 < list.length) assert.notEqual(model.ready(backend).length, 0);
          }
        }
        for (const [backend, list] of wanted.servers) {
          const expected = list.map(({ address, port, weight }) => `${address}:${port}*${weight}`);
          assert.deepEqual(model.ready(backend).toSorted(), expected.toSorted());
        }
        for (const file of mapFiles) assert.deepEqual(new Map(model.maps.get(file)), wanted.maps[file]);
        assert.deepEqual(diff(model.actual, wanted), [], "a second look changes nothing");
      }
    }),
    { numRuns: 500 },
  );
});

test("taking users away comes before anything else, and a route leads to a split only when all of it is there", () => {
  const line = (limit: number): string => `${limit}:0123456789abcdef:b0002:c0001:r-1/others:r-1/chosen`;
  const planeOf = (route: string, limit: number | undefined, servers: readonly Server[]): DataPlane => ({
    maps: {
      ...emptyMaps,
      "routes.map": new Map([["a.com/", route]]),
      "splits.map": new Map(limit === undefined ? [] : [["c0001", line(limit)]]),
      "users.map": new Map(limit === undefined ? [] : [["^c0001", "1"]]),
    },
    servers: new Map([
      ["b0001", [{ address: "10.0.0.1", port: 80, weight: 100 }]],
      ["b0002", servers],
    ]),
    certificates: new Map(),
  });
  const model = new Model();
  const stepsTo = (wanted: DataPlane): string[] =>
    diff(model.actual, wanted).map((step) => {
      model.do(step);
      return "file" in step ? `${step.kind} ${step.file}` : step.kind;
    });
  const pod = { address: "10.0.0.2", port: 80, weight: 100 };
  stepsTo(planeOf("b0001", undefined, []));
  const begun = stepsTo(planeOf("c0001", 100, [pod]));
  assert.deepEqual(begun.slice(-1), ["set-line routes.map"]);
  assert.deepEqual(stepsTo(planeOf("c0001", 200, [pod])), ["set-line splits.map"]);
  assert.equal(stepsTo(planeOf("c0001", 0, []))[0], "set-line splits.map");
  assert.equal(stepsTo(planeOf("b0001", undefined, []))[0], "set-line routes.map");
});

test("places stay with those that have them, are used again, and double when they run out", () => {
  const first = assignSlots(noSlots, ["a", "b", "c"], ["x"]);
  assert.deepEqual(
    [...first.backends],
    [
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ],
  );
  const second = assignSlots(first, ["c", "d", "a"], []);
  assert.deepEqual([...second.backends].toSorted(), [
    ["a", 1],
    ["c", 3],
    ["d", 2],
  ]);
  const many = Array.from({ length: 65 }, (_, index) => `m${index}`);
  assert.equal(assignSlots(first, many, []).count, 128);
  assert.deepEqual(readSlots(writeSlots(second)), second);
  assert.equal(readSlots("{"), undefined);
});
