import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Secret, Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { Ingress, IngressClass } from "#api/generated/networking-v1.ts";
import { compile, ingressController, type IngressInput } from "./compile.ts";
import { configuration } from "./configuration.ts";
import type { Compiled } from "./route-table.ts";
import { assignSlots, noSlots } from "./slots.ts";
import { mapText, wantedDataPlane } from "./wanted.ts";

interface Rule {
  readonly host?: string;
  readonly path?: string;
  readonly type?: string;
  readonly to?: string;
}

let age = 0;

/** An Ingress, younger than all before it. */
function ingress(
  name: string,
  rules: readonly Rule[],
  more: Partial<Ingress["spec"]> = {},
  annotations: Record<string, string> = {},
): Ingress {
  age += 1;
  return {
    metadata: {
      namespace: "default",
      name,
      uid: name,
      creationTimestamp: new Date(1_700_000_000_000 + age * 1000).toISOString(),
      annotations,
    },
    spec: {
      ...more,
      rules: rules.map(({ host, path, type, to }) => ({
        ...(host === undefined ? {} : { host }),
        http: {
          paths: [
            {
              path: path ?? "/",
              pathType: type ?? "Prefix",
              backend: { service: { name: to ?? "web", port: { number: 80 } } },
            },
          ],
        },
      })),
    },
    status: { loadBalancer: {} },
  };
}

const services = new Map(
  ["web", "api"].map((name) => [
    `default/${name}`,
    {
      metadata: { namespace: "default", name },
      spec: { clusterIP: "10.96.0.1", ports: [{ name: "http", port: 80 }] },
    } as object as Service,
  ]),
);
const slices = [
  {
    metadata: {},
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: [
      { addresses: ["10.244.1.5"], conditions: { ready: true } },
      { addresses: ["10.244.1.6"], conditions: { ready: false, serving: true, terminating: true } },
    ],
  } as object as EndpointSlice,
];
const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const key = "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n";
const secret = { metadata: {}, data: { "tls.crt": btoa(pem), "tls.key": btoa(key) } } as object as Secret;

function run(
  ingresses: readonly Ingress[],
  classes: readonly IngressClass[] = [],
  more: Partial<IngressInput> = {},
): Compiled {
  return compile({
    ingresses,
    classes,
    service: (name) => services.get(name),
    slices: () => slices,
    secret: (name) => (name.endsWith("tls") ? secret : undefined),
    splits: [],
    ...more,
  });
}

function routes({ table }: Compiled): string[] {
  const name = (kind: string) => (route: { site: string; path: string; backend: string }) =>
    `${kind} ${route.site}${route.path} ${route.backend.replace("default/", "")}`;
  return [...table.exact.map(name("=")), ...table.prefix.map(name("^"))];
}

function reasons({ problems }: Compiled): string[] {
  return problems.map(({ ingress: of, reason }) => `${of.replace("default/", "")} ${reason}`);
}

test("rules become routes, a trailing slash or not", () => {
  const compiled = run([
    ingress("one", [
      { host: "a.com" },
      { host: "a.com", path: "/api/", to: "api" },
      { host: "a.com", path: "/x", type: "Exact" },
    ]),
    ingress("two", [{ host: "*.b.com", path: "/y", type: "ImplementationSpecific" }]),
    ingress("three", [{ path: "/z" }]),
  ]);
  assert.deepEqual(routes(compiled), [
    "= a.com/x web:80",
    "^ *.b.com/y web:80",
    "^ _/z web:80",
    "^ a.com web:80",
    "^ a.com/api api:80",
  ]);
  assert.deepEqual(compiled.problems, []);
  assert.deepEqual(compiled.table.backends.get("default/web:80")?.servers, [
    { address: "10.244.1.5", port: 8080, weight: 100 },
  ]);
});

test("the oldest Ingress has a host and path, the other is told", () => {
  const old = ingress("old", [{ host: "a.com", to: "web" }]);
  const young = ingress("young", [
    { host: "a.com", to: "api" },
    { host: "a.com", path: "/api", to: "api" },
  ]);
  const compiled = run([young, old]);
  assert.deepEqual(routes(compiled), ["^ a.com web:80", "^ a.com/api api:80"]);
  assert.deepEqual(reasons(compiled), ["young Conflict"]);
  assert.match(compiled.problems[0]?.message ?? "", /a\.com and path \/ is held by the older Ingress default\/old/);
});

test("a default backend takes its own hosts' rest and what nobody serves, never another's", () => {
  const backend = { service: { name: "api", port: { number: 80 } } };
  const compiled = run([
    ingress("other", [{ host: "b.com", path: "/only" }]),
    ingress("own", [{ host: "a.com", path: "/x" }], { defaultBackend: backend }),
  ]);
  assert.deepEqual(routes(compiled), ["^ _ api:80", "^ a.com api:80", "^ a.com/x web:80", "^ b.com/only web:80"]);
});

test("an Ingress that is no Ingress at all hurts nobody", () => {
  const malformed = {
    metadata: { namespace: "default", name: "bad" },
    spec: { rules: [{ http: { paths: 7 } }] },
  } as object as Ingress;
  const compiled = run([malformed, ingress("good", [{ host: "a.com" }])]);
  assert.deepEqual(routes(compiled), ["^ a.com web:80"]);
  assert.deepEqual(reasons(compiled), ["bad Malformed"]);
});

test("classes decide who serves an Ingress", () => {
  const classOf = (name: string, controller: string, isDefault = false): IngressClass => ({
    metadata: {
      name,
      ...(isDefault ? { annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } } : {}),
    },
    spec: { controller },
  });
  const ours = classOf("ours", ingressController);
  const accepted = (one: Ingress, classes: IngressClass[]): number => run([one], classes).accepted.length;
  assert.equal(accepted(ingress("a", [], { ingressClassName: "ours" }), [ours]), 1);
  assert.equal(accepted(ingress("a", [], { ingressClassName: "theirs" }), [ours, classOf("theirs", "x/y")]), 0);
  assert.equal(accepted(ingress("a", [], { ingressClassName: "missing" }), [ours]), 0);
  assert.equal(accepted(ingress("a", [], {}, { "kubernetes.io/ingress.class": "ours" }), [ours]), 1);
  assert.equal(accepted(ingress("a", []), [ours]), 1);
  assert.equal(accepted(ingress("a", []), [ours, classOf("theirs", "x/y", true)]), 0);
});

test("a certificate serves the hosts of its own namespace's rules, and only the Secrets named are asked for", () => {
  const tls = [{ hosts: ["a.com", "b.com"], secretName: "a-tls" }];
  const other = ingress("b", [{ host: "b.com" }]);
  other.metadata.namespace = "tenant";
  const compiled = run([other, ingress("a", [{ host: "a.com" }], { tls })]);
  assert.deepEqual(compiled.secrets, ["default/a-tls"]);
  assert.deepEqual(compiled.table.certificates, [{ id: "default/a-tls", hosts: ["a.com"], pem: pem + key }]);
  assert.ok(reasons(compiled).includes("a Conflict"));
  const broken = run([ingress("c", [{ host: "c.com" }], { tls: [{ secretName: "none" }] })]);
  assert.deepEqual(reasons(broken), ["c InvalidCertificate"]);
});

test("whatever one Ingress says, the others' table stays byte for byte, and nothing of it reaches the configuration", () => {
  const bystander = ingress("bystander", [{ host: "safe.com" }, { host: "safe.com", path: "/api", to: "api" }]);
  const listen = { addresses: ["127.0.0.1"], httpPort: 80, httpsPort: 443 };
  const plane = (compiled: Compiled) => {
    const slots = assignSlots(noSlots, compiled.table.backends.keys(), []);
    const wanted = wantedDataPlane(compiled.table, slots);
    return {
      text: mapText(wanted.maps["routes.map"]),
      file: configuration(listen, slots, wanted, { user: undefined, socket: "haproxy-1.sock" }),
    };
  };
  const alone = plane(run([bystander]));
  const nasty = fc.array(
    fc.constantFrom(
      "a",
      "b.com",
      "/",
      "safe.com",
      "\n",
      "\r",
      "{",
      "}",
      ";",
      "#",
      '"',
      "'",
      "\\",
      "\0",
      " ",
      "$(x)",
      "..",
      "%2f",
      "*",
      "_",
      "é",
      "\u2028",
    ),
    {
      maxLength: 8,
    },
  );
  const text = nasty.map((parts) => parts.join(""));
  fc.assert(
    fc.property(
      text,
      text,
      text,
      text,
      fc.constantFrom("Exact", "Prefix", "ImplementationSpecific"),
      (host, path, note, serviceName, type) => {
        const attacker = ingress(
          "attacker",
          [
            { host, path: `/${path}`, type, to: serviceName },
            { host, path, type },
          ],
          {},
          { "haproxy.org/x": note, [note]: note },
        );
        const both = plane(run([bystander, attacker]));
        const lines = both.text.split("\n").filter((line) => line.startsWith("safe.com"));
        const own = alone.text.split("\n").filter((line) => line.startsWith("safe.com"));
        // The attacker may add paths of its own below a host, but never touch a line that was there.
        for (const line of own) assert.ok(lines.includes(line), `lost: ${line}`);
        for (const line of both.text.split("\n"))
          assert.match(line, /^(|[a-z0-9.*_/A-Z~!$&()+,:=@%-]+[?]? (b\d{4}(\.\d+)?|none))$/);
        assert.equal(both.file.replaceAll(/ {2}server .*\n/g, ""), alone.file.replaceAll(/ {2}server .*\n/g, ""));
      },
    ),
    { numRuns: 3_000 },
  );
});
