/**
 * Patches of every type, to objects, their status and their scale, as a generator writes them: what is stored afterwards is what the
 * server would take from anybody, so no way in leads around validation.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { schemaOf } from "#api/schemas.ts";
import { parseJsonText, stringifyJson } from "#codec/json.ts";
import type { Schema } from "#codec/schema.ts";
import { answered, anything, oddKey, oddText, valueOf } from "./arbitrary.ts";
import { defineWidgets, send, startInProcess } from "./harness.ts";

const server = await startInProcess();
after(() => server.close());
const seed = 20_261_123;

const labelled = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } };
const widgetSchema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      properties: {
        size: { type: "string", enum: ["S", "M"] },
        replicas: { type: "integer", format: "int64", minimum: 0, maximum: 9_007_199_254_740_000 },
        names: {
          type: "array",
          maxItems: 3,
          "x-kubernetes-list-type": "set",
          items: { type: "string", pattern: "^[a-z]*$" },
        },
        ports: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["port"],
          items: {
            type: "object",
            required: ["port"],
            properties: { port: { type: "integer" }, name: { type: "string" } },
          },
        },
        any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
      "x-kubernetes-validations": [{ rule: "!has(self.replicas) || self.replicas != 13" }],
    },
    status: { type: "object", properties: { replicas: { type: "integer", minimum: 0 } } },
  },
};
await defineWidgets(server, {
  schema: { openAPIV3Schema: widgetSchema },
  subresources: {
    status: {},
    scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
  },
});

interface Way {
  readonly collection: string;
  /** Names fields, for patches that mostly fit. */
  readonly schema: Schema | undefined;
  readonly words: readonly string[];
  readonly object: object;
  readonly subresources: readonly string[];
}

const apps = "/apis/apps/v1/namespaces/default";
const ways: Readonly<Record<string, Way>> = {
  ConfigMap: {
    collection: "/api/v1/namespaces/default/configmaps",
    schema: schemaOf("core/v1.ConfigMap"),
    words: ["data", "binaryData", "immutable", "k"],
    object: { data: { k: "v" } },
    subresources: [],
  },
  Deployment: {
    collection: `${apps}/deployments`,
    schema: schemaOf("apps/v1.Deployment"),
    words: ["spec", "replicas", "template", "containers", "0", "image", "name", "strategy", "status", "conditions"],
    object: { spec: { replicas: 1, selector: { matchLabels: { app: "web" } }, template: labelled } },
    subresources: ["status", "scale"],
  },
  NetworkPolicy: {
    collection: "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
    schema: schemaOf("networking/v1.NetworkPolicy"),
    words: ["spec", "podSelector", "ingress", "egress", "policyTypes", "0", "from", "ports"],
    object: { spec: { podSelector: {} } },
    subresources: [],
  },
  HorizontalPodAutoscaler: {
    collection: "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
    schema: schemaOf("autoscaling/v2.HorizontalPodAutoscaler"),
    words: ["spec", "minReplicas", "maxReplicas", "metrics", "0", "behavior", "status", "currentReplicas"],
    object: { spec: { scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" }, maxReplicas: 3 } },
    subresources: ["status"],
  },
  Widget: {
    collection: "/apis/example.com/v1/namespaces/default/widgets",
    schema: undefined,
    words: ["spec", "size", "replicas", "names", "ports", "0", "port", "any", "status"],
    object: { spec: { size: "S", replicas: 1, names: ["a"], ports: [{ port: 1 }] } },
    subresources: ["status", "scale"],
  },
};

/** Small trees of a kind's own words. */
function treeOf(words: readonly string[]): fc.Arbitrary<unknown> {
  const key = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...words) }, { weight: 1, arbitrary: oddKey });
  const leaf = fc.oneof(
    fc.constantFrom<unknown>("S", "M", "a", null, 0, 1, 13, -1, true, [], {}, ["a", "a"], [{ port: 1 }, { port: 1 }]),
    anything,
  );
  return fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.dictionary(key, tie("tree"), { maxKeys: 3 }),
      fc.array(tie("tree"), { maxLength: 2 }),
    ),
  })).tree;
}

interface Change {
  readonly type: string;
  readonly body: unknown;
  readonly subresource: string;
}

function changeOf(
  { schema, words, subresources }: Way,
  name: string,
  kind: string,
  apiVersion: string,
): fc.Arbitrary<Change> {
  const word = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...words) }, { weight: 1, arbitrary: oddKey });
  const pointer = fc
    .array(word, { maxLength: 6 })
    .map((parts) => parts.map((part) => `/${part.replaceAll("/", "~1")}`).join(""));
  const tree = treeOf(words);
  const value = schema === undefined ? tree : fc.oneof(valueOf(schema, 5), tree);
  const operation = fc.record(
    {
      op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test"),
      path: pointer,
      from: pointer,
      value: tree,
    },
    { requiredKeys: ["op", "path"] },
  );
  const applied = value.map((each) => ({ ...(each as object), apiVersion, kind, metadata: { name } }));
  const change = fc.oneof(
    fc.record({ type: fc.constant("json-patch+json"), body: fc.array(operation, { maxLength: 4 }) }),
    fc.record({ type: fc.constantFrom("merge-patch+json", "strategic-merge-patch+json"), body: value }),
    fc.record({ type: fc.constant("apply-patch+yaml"), body: applied }),
  );
  return fc
    .tuple(change, fc.constantFrom("", "", ...subresources))
    .map(([each, subresource]) => ({ ...each, subresource }));
}

let copies = 0;

/** What is stored must be what a creation takes, and what an update writes back unchanged. */
async function isSound(way: Way, name: string): Promise<void> {
  const target = `${way.collection}/${name}`;
  const read = await send(server, "GET", target);
  assert.equal(read.status, 200, read.text);
  const again = await answered(server, "PUT", target, read.text);
  assert.deepEqual([again.status, again.text], [200, read.text]);
  if (way.subresources.includes("status")) {
    const status = await answered(server, "PUT", `${target}/status`, read.text);
    assert.deepEqual([status.status, status.text], [200, read.text]);
  }
  copies += 1;
  const { labels, annotations } = read.body.metadata as { labels?: object; annotations?: object };
  const parsed = parseJsonText(read.text);
  assert.ok(parsed.ok);
  const metadata = { name: `copy-${copies}`, labels, annotations };
  const copy = stringifyJson({ ...(parsed.value as object), metadata });
  const made = await answered(server, "POST", `${way.collection}?fieldValidation=Strict&dryRun=All`, copy);
  assert.equal(made.status, 201, `${copy}\n${made.text}`);
}

for (const [kind, way] of Object.entries(ways)) {
  test(`${kind}: no patch leaves behind what could not be created`, async () => {
    const name = "target";
    const made = await send(server, "POST", way.collection, { metadata: { name }, ...way.object });
    assert.equal(made.status, 201, made.text);
    let accepted = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(changeOf(way, name, kind, String(made.body.apiVersion)), async ({ type, body, subresource }) => {
        const path = `${way.collection}/${name}${subresource === "" ? "" : `/${subresource}`}`;
        const query = type.startsWith("apply") ? "?fieldManager=fuzz&force=true" : "";
        const headers = { "content-type": `application/${type}` };
        const before = server.store.visible;
        const answer = await answered(server, "PATCH", path + query, JSON.stringify(body) ?? "null", headers);
        if (answer.status >= 300) {
          refused += 1;
          assert.equal(server.store.visible, before, "a refused patch changed something");
          return;
        }
        accepted += 1;
        if (server.store.visible !== before) await isSound(way, name);
        // Immutable states and deletions would end the story: begin anew.
        if (
          (await send(server, "PUT", `${way.collection}/${name}`, { ...made.body, metadata: { name } })).status !== 200
        ) {
          await send(
            server,
            "PATCH",
            `${way.collection}/${name}`,
            { metadata: { finalizers: null } },
            {
              "content-type": "application/merge-patch+json",
            },
          );
          await send(server, "DELETE", `${way.collection}/${name}`);
          assert.equal((await send(server, "POST", way.collection, { metadata: { name }, ...way.object })).status, 201);
        }
      }),
      { seed, numRuns: 400 },
    );
    assert.ok(accepted > 20 && refused > 20, `${accepted} accepted, ${refused} refused: the generator misses`);
  });
}

test("labels and selectors with the names of what every object inherits select nothing else", async () => {
  const maps = "/api/v1/namespaces/default/configmaps";
  for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]) {
    const found = await answered(server, "GET", `${maps}?labelSelector=${encodeURIComponent(key)}`);
    if (found.status === 200) assert.deepEqual(found.body.items, [], key);
    const without = await answered(server, "GET", `${maps}?labelSelector=${encodeURIComponent(`!${key}`)}`);
    if (without.status === 200) assert.ok((without.body.items as unknown[]).length > 0, key);
    const label = { metadata: { labels: JSON.parse(`{"${key}":"x"}`) as object } };
    await answered(server, "PATCH", `${maps}/target`, JSON.stringify(label), {
      "content-type": "application/merge-patch+json",
    });
  }
  const word = fc.oneof(oddText, oddKey);
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 4 }), async (words) => {
      await answered(
        server,
        "GET",
        `${maps}?labelSelector=${encodeURIComponent(`${words.join(" in (,").toWellFormed()})`)}`,
      );
    }),
    { seed, numRuns: 200 },
  );
});
