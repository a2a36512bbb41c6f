import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { TrafficSplit } from "#api/delivery/traffic-split.ts";
import type { Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { Ingress } from "#api/generated/networking-v1.ts";
import { compile } from "./compile.ts";
import { configuration } from "./configuration.ts";
import type { Compiled } from "./route-table.ts";
import { assignSlots, noSlots } from "./slots.ts";
import { mapText, wantedDataPlane } from "./wanted.ts";

function split(name: string, more: Partial<TrafficSplit["spec"]> = {}): TrafficSplit {
  return {
    apiVersion: "delivery.steersman.dev/v1",
    kind: "TrafficSplit",
    metadata: { name, namespace: "default", creationTimestamp: `2026-01-01T00:00:0${name.length}Z` },
    spec: {
      service: "web",
      to: { service: "web-canary" },
      users: { cookie: "sid" },
      hashKey: "0123456789abcdef",
      threshold: 200,
      ...more,
    },
  };
}

function ingress(name: string): Ingress {
  const backend = { service: { name: "web", port: { number: 80 } } };
  return {
    metadata: { namespace: "default", name, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { rules: [{ host: `${name}.com`, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }] },
    status: { loadBalancer: {} },
  };
}

const slice = (address: string): EndpointSlice =>
  ({
    metadata: {},
    addressType: "IPv4",
    ports: [{ port: 8080, protocol: "TCP" }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  }) as object as EndpointSlice;

/** Two Ingresses lead to one Service; the canary's pods are there or not. */
function compiled(splits: readonly TrafficSplit[], canaryPods = ["10.244.1.9"]): Compiled {
  const service = (name: string) =>
    ({ metadata: { namespace: "default", name }, spec: { ports: [{ port: 80 }] }, status: {} }) as object as Service;
  return compile({
    ingresses: [ingress("one"), ingress("two")],
    classes: [],
    service: (key) => service(key.slice("default/".length)),
    slices: (key) => (key.endsWith("-canary") ? canaryPods.map(slice) : [slice("10.244.1.5")]),
    secret: () => undefined,
    splits,
  });
}

function routes({ table }: Compiled): string[] {
  return table.prefix.map(({ site, backend }) => `${site} ${backend.replace("default/", "")}`);
}

test("a split of a Service is one for every Ingress that leads there", () => {
  const { table } = compiled([split("web")]);
  assert.deepEqual(table.splits[0]?.backends, [{ from: "default/web:80", to: "default/web-canary:80@web" }]);
  assert.deepEqual(table.backends.get("default/web-canary:80@web")?.servers, [
    { address: "10.244.1.9", port: 8080, weight: 100 },
  ]);
});

test("a split of one Ingress leaves the others' routes to the same Service alone", () => {
  const result = compiled([split("web", { ingress: "two" })]);
  assert.deepEqual(routes(result), ["one.com web:80", "two.com web:80@web"]);
  assert.deepEqual(result.table.splits[0]?.backends, [{ from: "default/web:80@web", to: "default/web-canary:80@web" }]);
});

test("while the chosen have no pod nobody is chosen", () => {
  assert.deepEqual(compiled([split("web")], []).table.splits[0]?.backends, [{ from: "default/web:80" }]);
});

test("of two splits the older holds; one that cannot be served is told and changes nothing", () => {
  const both = compiled([split("younger"), split("old")]);
  assert.deepEqual(
    both.table.splits.map(({ id }) => id),
    ["default/old"],
  );
  const wrong = compiled([split("web", { users: { cookie: "a b" } })]);
  assert.deepEqual(routes(wrong), ["one.com web:80", "two.com web:80"]);
  assert.deepEqual(wrong.table.splits, []);
  assert.equal(wrong.problems[0]?.reason, "InvalidTrafficSplit");
});

test("changes of the chosen's Service are looked at too", () => {
  assert.deepEqual(compiled([split("web")]).services, ["default/web", "default/web-canary"]);
});

test("whatever a TrafficSplit says, nothing of it reaches the configuration, and of map lines only what is harmless there", () => {
  const parts = [
    "a",
    "Z9",
    "-",
    "_",
    "/",
    '"',
    "'",
    "\n",
    "\r",
    "{",
    "}",
    ";",
    "#",
    "\\",
    "\0",
    " ",
    "$(x)",
    "%[env]",
    "|",
    ":",
    "é",
  ];
  const nasty = fc.array(fc.constantFrom(...parts), { maxLength: 12 }).map((found) => found.join(""));
  const fields = { one: nasty, two: nasty, three: nasty, path: nasty, status: nasty, value: nasty };
  const kind = fc.constantFrom("cookie", "header", "jwtClaim");
  const listen = { addresses: ["127.0.0.1"], httpPort: 80, httpsPort: 443 };
  const planeOf = ({ table }: Compiled) => {
    const slots = assignSlots(noSlots, table.backends.keys(), []);
    const wanted = wantedDataPlane(table, slots);
    const file = configuration(listen, slots, wanted, { user: undefined, socket: "haproxy-1.sock" }).replaceAll(
      / {2}server .*\n/g,
      "",
    );
    return { file, lines: Object.values(wanted.maps).map(mapText).join("").split("\n").filter(Boolean) };
  };
  const alone = planeOf(compiled([]));
  fc.assert(
    fc.property(kind, fc.record(fields), (which, { one, two, three, path, status, value }) => {
      const spec = {
        users: { [which]: one },
        run: two,
        hashKey: `01234567${three}`,
        excludedPaths: [`/${path}`],
        errors: { statuses: [`5${status}`, "500"] },
        testers: { header: three, value },
        mirror: { threshold: 5_000, methods: ["GET", status, one] },
      };
      // Each field alone, so that another's fault does not hide it, and all at once.
      const each = Object.entries(spec).map(([key, field]) => ({ [key]: field }));
      for (const more of [...each, spec]) {
        const { file, lines } = planeOf(compiled([split("web", { run: "r-1", ...more })]));
        assert.equal(file, alone.file);
        for (const line of lines)
          assert.match(line, /^[^\s;\\"'#\0]+ [A-Za-z0-9_:/.-]+$|^[^\s;\\"'\0]+ [A-Za-z0-9]+\|\\1$/);
      }
    }),
    { numRuns: 2_000 },
  );
});
