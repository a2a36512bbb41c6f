import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceActivity } from "#api/observability/activity.ts";
import { createVirtualTime } from "#client/testing/virtual-time.ts";
import { activityPart } from "./activity.ts";

/** What is told of `shop/web` when nodes answer so; a node that never answers is `undefined`. */
async function told(
  answers: Readonly<Record<string, string | undefined>>,
  silentSeconds: Readonly<Record<string, number>> = {},
): Promise<unknown> {
  const time = createVirtualTime();
  const part = activityPart({
    timers: time.timers,
    clock: time.clock,
    nodes: () =>
      Object.keys(answers).map((name) => {
        const silent = silentSeconds[name];
        return { name, silentSinceMs: silent === undefined ? undefined : time.clock.now() - silent * 1000 };
      }),
    ask: (node) => (answers[node] === undefined ? new Promise(() => undefined) : Promise.resolve(answers[node])),
  });
  const request = {
    verb: "get",
    namespace: "shop",
    resource: "serviceactivities",
    subresource: "",
    name: "web",
  } as const;
  const more = { labels: undefined, query: new URLSearchParams(), rest: "", body: new Uint8Array(0), contentType: "" };
  let answer: unknown;
  void part.answer({ ...request, ...more }).then((made) => (answer = made));
  await time.advance(4_000);
  const { object } = answer as {
    object: Pick<ServiceActivity, "quietSeconds" | "nodes" | "missingNodes" | "lostNodes">;
  };
  const { quietSeconds, nodes, missingNodes, lostNodes } = object;
  return { quiet: quietSeconds, nodes, missing: missingNodes, ...(lostNodes.length === 0 ? {} : { lost: lostNodes }) };
}

const quiet = (seconds: unknown, service = "shop/web"): string =>
  JSON.stringify({ quietSeconds: { [service]: seconds } });

const cases: readonly [what: string, answers: Readonly<Record<string, string | undefined>>, expected: unknown][] = [
  ["the last request of all nodes counts", { n1: quiet(40), n2: quiet(7) }, { quiet: 7, nodes: 2, missing: [] }],
  ["a node that does not answer is named", { n1: quiet(40), n2: undefined }, { quiet: 40, nodes: 1, missing: ["n2"] }],
  ["so is one that talks nonsense", { n1: quiet(40), n2: "<html>" }, { quiet: 40, nodes: 1, missing: ["n2"] }],
  ["or of times that are none", { n1: quiet(40), n2: quiet(-1) }, { quiet: 40, nodes: 1, missing: ["n2"] }],
  ["or texts", { n1: quiet("many") }, { quiet: undefined, nodes: 0, missing: ["n1"] }],
  [
    "where no Ingress leads there is no time",
    { n1: quiet(40, "shop/other"), n2: quiet(1, "web/shop") },
    { quiet: undefined, nodes: 2, missing: [] },
  ],
];

for (const [what, answers, expected] of cases) {
  test(what, async () => {
    assert.deepEqual(await told(answers), expected);
  });
}

test("a node that gave no sign of life for ten minutes counts as gone, unless it answers after all", async () => {
  const silent = { n2: 601, n3: 590, n4: 3_600, n5: -3_600 };
  assert.deepEqual(await told({ n1: quiet(40), n2: undefined, n3: undefined, n4: quiet(5), n5: undefined }, silent), {
    quiet: 5,
    nodes: 2,
    missing: ["n3", "n5"],
    lost: ["n2"],
  });
});
