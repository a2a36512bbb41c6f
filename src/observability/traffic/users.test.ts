import assert from "node:assert/strict";
import { test } from "node:test";
import { fromPodsMark, type RouteUsers, type ServiceUsers } from "#api/observability/traffic.ts";
import { createVirtualTime } from "#client/testing/virtual-time.ts";
import { usersPart } from "./users.ts";

/** A sketch of so many registers of which these are set: a user falls to one. */
const sketch = (...registers: readonly number[]): number[] =>
  Array.from({ length: 64 }, (_, at) => (registers.includes(at) ? 1 : 0));

const route = (version: string, registers: readonly number[], more: Partial<RouteUsers> = {}): RouteUsers => {
  return { ingress: "shop/front", backend: "shop/web:80", version, registers, ...more };
};

async function told(
  answers: Readonly<Record<string, string | undefined>>,
  asked: { readonly verb: "list" | "get"; readonly namespace: string; readonly name: string } = {
    verb: "list",
    namespace: "",
    name: "",
  },
): Promise<readonly ServiceUsers[]> {
  const { timers, clock, advance } = createVirtualTime();
  const part = usersPart({
    timers,
    clock,
    nodes: () => Object.keys(answers).map((name) => ({ name, silentSinceMs: undefined })),
    ask: (node, target) => {
      assert.equal(target, "/stats/users");
      return answers[node] === undefined ? new Promise(() => undefined) : Promise.resolve(answers[node]);
    },
  });
  const about = { ...asked, resource: "serviceusers", subresource: "" };
  const more = { labels: undefined, query: new URLSearchParams(), rest: "", body: new Uint8Array(0), contentType: "" };
  let answer: unknown;
  void part.answer({ ...about, ...more }).then((made) => (answer = made));
  await advance(4_000);
  const { items, object } = answer as { items?: readonly ServiceUsers[]; object?: ServiceUsers };
  return items ?? (object === undefined ? [] : [object]);
}

const node = (...users: readonly RouteUsers[]): string => JSON.stringify({ users });

test("whoever comes to two nodes is one user, by version and of the Service; other ways and Services are their own", async () => {
  const fromPods = { ingress: "", backend: `shop/web:80${fromPodsMark}` };
  const items = await told({
    n1: node(route("1", sketch(1, 2, 3)), route("2", sketch(9)), route("", sketch(4), fromPods)),
    n2: node(route("1", sketch(2, 3, 4)), route("1", sketch(5), { backend: "shop/cart:80" })),
  });
  const [web, cart] = items;
  assert.deepEqual(web, {
    apiVersion: "observability.steersman.dev/v1",
    kind: "ServiceUsers",
    metadata: { namespace: "shop", name: "web" },
    users: 5,
    routes: [
      { from: "ingress", ingress: "front", port: "80", version: "1", users: 4 },
      { from: "ingress", ingress: "front", port: "80", version: "2", users: 1 },
      { from: "pods", port: "80", users: 1 },
    ],
    nodes: 2,
    missingNodes: [],
  });
  assert.deepEqual([cart?.metadata.name, cart?.users], ["cart", 1]);
});

test("a node that does not tell, or nonsense, is named", async () => {
  const hostile = [
    undefined,
    "<html>",
    "[]",
    JSON.stringify({ users: [route("1", [1e9])] }),
    JSON.stringify({ users: [{ backend: 7 }] }),
  ];
  for (const answer of hostile) {
    const [web] = await told({ n1: node(route("1", sketch(1))), n2: answer });
    assert.deepEqual([web?.users, web?.nodes, web?.missingNodes], [1, 1, ["n2"]], answer ?? "no answer");
  }
});

test("a Service that nobody asked has no users, which is no error", async () => {
  const answers = { n1: node(route("1", sketch(1))) };
  const [cart] = await told(answers, { verb: "get", namespace: "shop", name: "cart" });
  assert.deepEqual([cart?.metadata.name, cart?.users, cart?.routes], ["cart", 0, []]);
  const [web] = await told(answers, { verb: "get", namespace: "shop", name: "web" });
  assert.equal(web?.users, 1);
});
