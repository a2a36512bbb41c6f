/** Objects, patches, selectors and addresses that a generator writes from the schemas: always an answer, never a failure of ours. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { builtInResources } from "#api/generated/resources.ts";
import { pathOf } from "#api/resource.ts";
import { schemaOf } from "#api/schemas.ts";
import { answered, anything, oddKey, oddText, valueOf } from "./arbitrary.ts";
import { send, startInProcess } from "./harness.ts";

const server = await startInProcess();
after(() => server.close());
const stored = builtInResources.filter(({ verbs }) => verbs.includes("create") && verbs.includes("update"));
/** The same every time; another seed is another test. */
const seed = 20_261_122;
const runs = { seed, numRuns: 300 };

async function isAnswered(
  method: string,
  target: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<number> {
  return (await answered(server, method, target, body, headers)).status;
}

let count = 0;

test("objects of every kind: refused or stored, and what is stored is read back and written back unchanged", async () => {
  const object = fc
    .constantFrom(...stored)
    .chain((resource) => fc.record({ resource: fc.constant(resource), object: valueOf(schemaOf(resource.type), 5) }));
  await fc.assert(
    fc.asyncProperty(object, async ({ resource, object: value }) => {
      count += 1;
      const { namespaced, kind } = resource;
      const collection = pathOf(resource, namespaced ? { namespace: "default" } : {});
      const name = `fuzz-${count}`;
      const body =
        typeof value === "object" && value !== null ? { ...value, kind: undefined, apiVersion: undefined } : value;
      const made = typeof body === "object" ? { ...body, metadata: { name } } : body;
      if ((await isAnswered("POST", collection, made)) !== 201) return;
      const read = await send(server, "GET", `${collection}/${name}`);
      assert.equal(read.status, 200, kind);
      const again = await send(server, "PUT", `${collection}/${name}`, read.text);
      assert.equal(again.status, 200, `${kind}: ${again.text.slice(0, 300)}`);
      assert.equal(again.text, read.text, kind);
    }),
    { seed, numRuns: 600 },
  );
});

const maps = "/api/v1/namespaces/default/configmaps";
const pods = "/api/v1/namespaces/default/pods";

test("patches of every type", async () => {
  const spec = { containers: [{ name: "c", image: "i", env: [{ name: "A", value: "1" }] }] };
  await send(server, "POST", pods, { metadata: { name: "patched", labels: { a: "b" } }, spec });
  const pointer = fc
    .array(
      fc.oneof(oddKey, fc.constantFrom("spec", "metadata", "labels", "containers", "0", "-", "01", "env", "~", "~1")),
      {
        maxLength: 5,
      },
    )
    .map((parts) => parts.map((part) => `/${part}`).join(""));
  const operation = fc.record(
    {
      op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "x"),
      path: pointer,
      from: pointer,
      value: anything,
    },
    { requiredKeys: ["op", "path"] },
  );
  const podSchema = schemaOf("core/v1.Pod");
  const directive = fc.constantFrom({ $patch: "replace" }, { $patch: "delete" }, { $retainKeys: ["x"] }, { $patch: 5 });
  const merge = fc
    .tuple(valueOf(podSchema, 4), fc.option(directive))
    .map(([value, more]) => ({ ...(value as object), ...more }));
  const patch = fc.oneof(
    fc.tuple(fc.constant("json-patch+json"), fc.oneof(fc.array(operation, { maxLength: 5 }), anything)),
    fc.tuple(
      fc.constantFrom("merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"),
      fc.oneof(merge, anything),
    ),
  );
  await fc.assert(
    fc.asyncProperty(patch, async ([type, body]) => {
      const target = `${pods}/patched?fieldManager=fuzz&force=${type.startsWith("apply") ? "true" : ""}`;
      const query = type.startsWith("apply") ? target : `${pods}/patched?dryRun=All`;
      await isAnswered("PATCH", query, JSON.stringify(body) ?? "", { "content-type": `application/${type}` });
    }),
    { seed, numRuns: 1_000 },
  );
});

test("selectors, options and addresses", async () => {
  const word = fc.oneof(
    oddText,
    fc.constantFrom("a=b", "a in (b,c)", "!a", "a!=b", "a notin ()", "metadata.name=x", "(", ",", "a>1"),
  );
  const names = [
    "labelSelector",
    "fieldSelector",
    "limit",
    "continue",
    "resourceVersion",
    "resourceVersionMatch",
    "timeoutSeconds",
  ];
  const query = fc.array(fc.tuple(fc.constantFrom(...names, "sendInitialEvents", "pretty", "dryRun"), word), {
    maxLength: 4,
  });
  const segment = fc.oneof(
    oddText,
    fc.constantFrom("api", "apis", "v1", "namespaces", "default", "pods", "..", "%2e%2e", "%00", "%ff", "status"),
  );
  await fc.assert(
    fc.asyncProperty(query, async (all) => {
      // A revision that is to come is waited for.
      const pairs = all.filter(([name, value]) => name !== "resourceVersion" || value.length < 10);
      await isAnswered("GET", `${maps}?${new URLSearchParams(pairs.map(([k, v]) => [k, v])).toString()}`);
    }),
    runs,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(segment, { maxLength: 7 }),
      fc.constantFrom("GET", "PUT", "DELETE", "PATCH"),
      async (parts, method) => {
        await isAnswered(method, `/${parts.join("/")}`);
      },
    ),
    runs,
  );
});
