/** What a write may ask for: a generated name, how strictly its fields are read, in which version it owns them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { realRandom } from "../../src/world/node/random.ts";
import { send, startInProcess, type Answer, type TestServer } from "./harness.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const apply = { "content-type": "application/apply-patch+yaml" };
const merge = { "content-type": "application/merge-patch+json" };

async function serving(
  play: (server: TestServer) => Promise<void>,
  options: Parameters<typeof startInProcess>[0] = {},
): Promise<void> {
  const server = await startInProcess(options);
  try {
    assert.equal((await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } })).status, 201);
    await play(server);
  } finally {
    await server.close();
  }
}

/** Draws the same numbers again and again until it is told to go on. */
function stubborn(): { random: typeof realRandom; isStubborn: boolean; draws: number } {
  const made = { isStubborn: true, draws: 0, random: realRandom };
  made.random = {
    ...realRandom,
    float: () => {
      made.draws += 1;
      return made.isStubborn ? 0.5 : realRandom.float();
    },
  };
  return made;
}

test("a generated name that is taken is drawn again, and the object of the first draw stays as it is", async () => {
  const source = stubborn();
  await serving(
    async (server) => {
      const generate = (data: string): Promise<Answer> =>
        send(server, "POST", maps, { metadata: { generateName: "g-" }, data: { data } });
      const first = await generate("first");
      assert.equal(first.status, 201);
      const { name } = first.body.metadata as { name: string };
      const before = source.draws;
      const taken = await generate("second");
      assert.equal(taken.status, 409);
      assert.equal(taken.body.reason, "AlreadyExists");
      assert.match(String(taken.body.message), /could not generate|already exists/);
      assert.ok(source.draws - before >= 2 * 5, "one draw is not all it tries");
      // The third draw finds a free name.
      let left = 10;
      source.random.float = () => ((left -= 1) >= 0 ? 0.5 : 0.25);
      const third = await generate("third");
      assert.equal(third.status, 201, third.text);
      assert.notEqual((third.body.metadata as { name: string }).name, name);
      assert.deepEqual((await send(server, "GET", `${maps}/${name}`)).body.data, { data: "first" });
    },
    { random: source.random },
  );
});

interface Mode {
  readonly mode: string;
  readonly status: number;
  readonly warnings: readonly RegExp[];
}

const unknown = /unknown field "spec\.replicaas"/;
const duplicate = /duplicate field "metadata\.labels\.a"/;
const modes: readonly Mode[] = [
  { mode: "", status: 201, warnings: [unknown, duplicate] },
  { mode: "Warn", status: 201, warnings: [unknown, duplicate] },
  { mode: "Ignore", status: 201, warnings: [] },
  { mode: "Strict", status: 400, warnings: [] },
];

const template = `{"metadata":{"labels":{"app":"w"}},"spec":{"containers":[{"name":"c","image":"i"}]}}`;
const deployment = (name: string): string =>
  `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"${name}","labels":{"a":"1","a":"2"}},` +
  `"spec":{"replicaas":3,"selector":{"matchLabels":{"app":"w"}},"template":${template}}}`;
const deployments = "/apis/apps/v1/namespaces/default/deployments";

for (const { mode, status, warnings } of modes) {
  for (const way of ["create", "update", "patch"] as const) {
    test(`fieldValidation=${mode}: ${way} with an unknown and a duplicate field`, () =>
      serving(async (server) => {
        const query = mode === "" ? "" : `fieldValidation=${mode}`;
        const isNew = way === "create";
        if (!isNew) await send(server, "POST", `${deployments}?fieldValidation=Ignore`, deployment("d"));
        const before = server.store.visible;
        const target = `${deployments}/d?${query}`;
        const answers: Record<typeof way, () => Promise<Answer>> = {
          create: () => send(server, "POST", `${deployments}?${query}`, deployment("d")),
          update: () => send(server, "PUT", target, deployment("d")),
          patch: () =>
            send(server, "PATCH", target, '{"metadata":{"labels":{"a":"3","a":"4"}},"spec":{"replicaas":3}}', merge),
        };
        const answer = await answers[way]();
        assert.equal(answer.status, status === 201 && !isNew ? 200 : status, answer.text);
        const told = String(answer.headers["warning"] ?? "").replaceAll('\\"', '"');
        if (warnings.length === 0) assert.equal(told, "");
        for (const warning of warnings) assert.match(told, warning);
        if (status === 400) {
          assert.match(String(answer.body.message), /strict decoding error/);
          for (const wrong of [unknown, duplicate]) assert.match(String(answer.body.message), wrong);
          assert.equal(server.store.visible, before, "nothing is stored");
        }
      }));
  }
}

test("an apply of unknown fields is refused in every mode: nobody could own them", () =>
  serving(async (server) => {
    for (const { mode } of modes) {
      const target = `${deployments}/d?fieldManager=m&fieldValidation=${mode}`;
      const answer = await send(server, "PATCH", target, deployment("d"), apply);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(
        answer.body.message,
        "failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.replicaas: field not declared in schema",
      );
    }
    const known = deployment("d").replace('"replicaas":3,', "");
    const answers = modes.map(({ mode }) =>
      send(server, "PATCH", `${deployments}/d?fieldManager=m&fieldValidation=${mode}&dryRun=All`, known, apply),
    );
    const told = (await Promise.all(answers)).map(({ status, headers }) => [status, headers["warning"] !== undefined]);
    assert.deepEqual(told, [
      [201, true],
      [201, true],
      [201, false],
      [400, false],
    ]);
  }));

interface Refusal {
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE";
  readonly query: string;
  readonly options: string;
  readonly why: string;
}

const forbiddenForce = "force: Forbidden: may not be specified for non-apply patch";
const refusals: readonly Refusal[] = [
  {
    method: "POST",
    query: "dryRun=Some",
    options: "CreateOptions",
    why: 'dryRun: Unsupported value: "Some": supported values: "All"',
  },
  {
    method: "PUT",
    query: "fieldValidation=Some",
    options: "UpdateOptions",
    why: 'fieldValidation: Unsupported value: "Some": supported values: "Ignore", "Strict", "Warn"',
  },
  { method: "PATCH", query: "force=true", options: "PatchOptions", why: forbiddenForce },
  {
    method: "PATCH",
    query: `force=true&fieldManager=${"m".repeat(129)}`,
    options: "PatchOptions",
    why: `[${forbiddenForce}, fieldManager: Too long: may not be more than 128 bytes]`,
  },
  {
    method: "PATCH",
    query: "fieldManager=a%0Ab",
    options: "PatchOptions",
    why: 'fieldManager: Invalid value: "a\\nb": invalid character "\\n" (at position 1)',
  },
  {
    method: "DELETE",
    query: "propagationPolicy=Orphan&orphanDependents=true",
    options: "DeleteOptions",
    why: 'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
  },
  {
    method: "DELETE",
    query: "dryRun=Some",
    options: "DeleteOptions",
    why: 'dryRun: Unsupported value: "Some": supported values: "All"',
  },
];

test("options that cannot be followed are refused with all that is wrong, and named after their verb", () =>
  serving(async (server) => {
    await send(server, "POST", maps, { metadata: { name: "m" } });
    const before = server.store.visible;
    for (const { method, query, options, why } of refusals) {
      const target = `${method === "POST" ? maps : `${maps}/m`}?${query}`;
      const body = method === "DELETE" ? undefined : { metadata: { name: "m" }, data: { a: "b" } };
      const answer = await send(server, method, target, body, method === "PATCH" ? merge : {});
      assert.equal(answer.status, 422, `${method} ${query}: ${answer.text}`);
      assert.equal(answer.body.message, `${options}.meta.k8s.io "" is invalid: ${why}`);
    }
    const other = await send(server, "DELETE", `${maps}/m`, { kind: "Pod", apiVersion: "v1" });
    assert.equal(other.status, 400, other.text);
    assert.equal(server.store.visible, before, "nothing is stored");
  }));

test("a deletion of many with a limit takes what a list with it gives, and goes on where that one would", () =>
  serving(async (server) => {
    for (const [index, kind] of ["a", "b", "a", "a", "a"].entries())
      await send(server, "POST", maps, { metadata: { name: `m${index}`, labels: { kind } } });
    const names = (answer: Answer): string[] =>
      (answer.body.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name).toSorted();
    const first = await send(server, "DELETE", `${maps}?labelSelector=kind%3Da&limit=2`);
    assert.deepEqual(names(first), ["m0", "m2"], first.text);
    const token = (first.body.metadata as Record<string, string>)["continue"]!;
    const rest = await send(server, "DELETE", `${maps}?labelSelector=kind%3Da&limit=2&continue=${token}`);
    assert.deepEqual(names(rest), ["m3", "m4"], rest.text);
    assert.equal((rest.body.metadata as Record<string, string>)["continue"], undefined);
    assert.deepEqual(names(await send(server, "GET", maps)), ["m1"]);
    assert.equal((await send(server, "DELETE", `${maps}?continue=x`)).status, 400);
    assert.deepEqual(names(await send(server, "DELETE", maps)), ["m1"]);
  }));

test("a JSON patch that does not apply is refused in words that kubectl prints, without causes", () =>
  serving(async (server) => {
    await send(server, "POST", maps, { metadata: { name: "m" }, data: { a: "b" } });
    const test = [{ op: "test", path: "/data/a", value: "c" }];
    const answer = await send(server, "PATCH", `${maps}/m`, test, { "content-type": "application/json-patch+json" });
    assert.equal(answer.status, 422);
    assert.equal(
      answer.body.message,
      "the server rejected our request due to an error in our request: testing value /data/a failed: test failed",
    );
    assert.deepEqual([answer.body.reason, answer.body.details], ["Invalid", {}]);
  }));

test("what the server alone says of an object is not believed of clients", () =>
  serving(async (server) => {
    const told = { uid: "u", creationTimestamp: "2001-01-01T00:00:00Z", selfLink: "/x", generation: 7 };
    const made = await send(server, "POST", maps, { metadata: { name: "m", ...told } });
    const metadata = made.body.metadata as Record<string, unknown>;
    for (const [field, value] of Object.entries(told)) assert.notEqual(metadata[field], value, field);
    const linked = await send(server, "PATCH", `${maps}/m`, { metadata: { selfLink: "/y" } }, merge);
    assert.equal((linked.body.metadata as Record<string, unknown>)["selfLink"], undefined);
    const renamed = await send(server, "PATCH", `${maps}/m`, { metadata: { name: "n" } }, merge);
    assert.equal(renamed.body.message, "the name of the object (n) does not match the name on the URL (m)");
    const moved = await send(server, "PATCH", `${maps}/m`, { metadata: { namespace: "n" } }, merge);
    const why = "the namespace of the object (n) does not match the namespace on the request (default)";
    assert.deepEqual([moved.status, moved.body.message], [400, why]);
    const deletionTimestamp = "2001-01-01T00:00:00Z";
    const ended = await send(server, "PATCH", `${maps}/m`, { metadata: { deletionTimestamp } }, merge);
    assert.equal(ended.status, 422, "a deletion is asked for as one");
    assert.match(String(ended.body.message), /metadata\.deletionTimestamp: Invalid value: .*: field is immutable/);
  }));

test("an owner that is named twice is kept once, with a warning", () =>
  serving(async (server) => {
    const owner = (uid: string, more: object = {}): object => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      name: "o",
      uid,
      ...more,
    });
    const ownerReferences = [owner("u"), owner("u"), owner("v"), owner("u", { controller: true })];
    const kept = [owner("u"), owner("v"), owner("u", { controller: true })];
    const made = await send(server, "POST", maps, { metadata: { name: "m", ownerReferences } });
    const changed = await send(server, "PUT", `${maps}/m`, {
      metadata: { name: "m", ownerReferences },
      data: { a: "b" },
    });
    for (const answer of [made, changed]) {
      assert.deepEqual((answer.body.metadata as Record<string, unknown>)["ownerReferences"], kept);
      assert.match(String(answer.headers["warning"]), /ownerReferences contains duplicate entries;.* observed: u"/);
    }
    const clean = await send(server, "PUT", `${maps}/m`, { metadata: { name: "m", ownerReferences: kept } });
    assert.equal(clean.headers["warning"], undefined);
  }));

const managersOf = async (server: TestServer, target: string): Promise<readonly string[]> => {
  const { managedFields = [] } = (await send(server, "GET", target)).body.metadata as { managedFields?: Writer[] };
  return managedFields.map(({ manager, operation, subresource = "" }) =>
    `${manager} ${operation} ${subresource}`.trim(),
  );
};

interface Writer {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
}

test("one empty entry forgets all owners, none changes nothing, own ones replace the stored ones", () =>
  serving(async (server) => {
    const target = `${maps}/m`;
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "m" }, data: { a: "b" } };
    const applied = await send(server, "PATCH", `${target}?fieldManager=first`, JSON.stringify(object), apply);
    assert.equal(applied.status, 201, applied.text);
    const patch = (managedFields: unknown[]): Promise<Answer> =>
      send(server, "PATCH", target, { metadata: { managedFields } }, merge);
    assert.equal((await patch([])).status, 200);
    assert.deepEqual(await managersOf(server, target), ["first Apply"]);
    const entry = { manager: "moved", operation: "Apply", apiVersion: "v1", fieldsType: "FieldsV1" };
    assert.equal((await patch([{ ...entry, fieldsV1: { "f:data": { "f:a": {} } } }])).status, 200);
    assert.deepEqual(await managersOf(server, target), ["moved Apply"]);
    assert.equal((await patch([{ ...entry, operation: "Dream" }])).status, 422);
    const forgotten = await patch([{}]);
    assert.equal(forgotten.status, 200, forgotten.text);
    assert.deepEqual(await managersOf(server, target), []);
  }));

test("a Scale is applied with the ownership of the object's own replicas", () =>
  serving(async (server) => {
    const object = JSON.parse(deployment("d").replace('"replicaas"', '"replicas"')) as object;
    const target = `${deployments}/d`;
    const made = await send(server, "PATCH", `${target}?fieldManager=owner`, JSON.stringify(object), apply);
    assert.equal(made.status, 201, made.text);
    const scale = (replicas: number, query: string, apiVersion = "autoscaling/v1"): Promise<Answer> => {
      const body = JSON.stringify({ apiVersion, kind: "Scale", metadata: { name: "d" }, spec: { replicas } });
      return send(server, "PATCH", `${target}/scale?fieldManager=scaler${query}`, body, apply);
    };
    const conflict = await scale(5, "");
    assert.equal(conflict.status, 409, conflict.text);
    assert.equal(conflict.body.message, 'Apply failed with 1 conflict: conflict with "owner": .spec.replicas');
    assert.equal((await scale(5, "&force=true", "apps/v1")).status, 400);
    const forced = await scale(5, "&force=true");
    assert.deepEqual([forced.status, forced.body.kind, forced.body.spec], [200, "Scale", { replicas: 5 }]);
    assert.deepEqual(await managersOf(server, target), ["owner Apply", "scaler Apply scale"]);
    const back = await send(server, "PATCH", `${target}?fieldManager=owner`, JSON.stringify(object), apply);
    assert.match(String(back.body.message), /conflict with "scaler".*: \.spec\.replicas/);
  }));

interface Managed {
  readonly manager: string;
  readonly apiVersion: string;
  readonly fieldsV1: { readonly "f:spec"?: Record<string, unknown> };
}

test("who owns a field in one version owns it in the other: conflicts, force, and giving it up", () =>
  serving(async (server) => {
    const inV1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/h";
    const inV2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/h";
    const scaleTargetRef = { kind: "Deployment", name: "d", apiVersion: "apps/v1" };
    const kind = "HorizontalPodAutoscaler";
    const old = { apiVersion: "autoscaling/v1", kind, metadata: { name: "h" } };
    const young = { apiVersion: "autoscaling/v2", kind, metadata: { name: "h" } };
    const spec = { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 70 };
    const made = await send(server, "PATCH", `${inV1}?fieldManager=old`, JSON.stringify({ ...old, spec }), apply);
    assert.equal(made.status, 201, made.text);

    // What v1 calls a percentage is a metric in v2: setting the metric takes it from its owner.
    const metric = (averageUtilization: number): object => ({
      type: "Resource",
      resource: { name: "cpu", target: { type: "Utilization", averageUtilization } },
    });
    const change = { ...young, spec: { metrics: [metric(50)] } };
    const conflict = await send(server, "PATCH", `${inV2}?fieldManager=young`, JSON.stringify(change), apply);
    assert.equal(conflict.status, 409, conflict.text);
    const { causes } = conflict.body.details as { causes: { field: string; message: string }[] };
    assert.deepEqual(
      causes.map(({ message, field }) => `${message}: ${field}`),
      ['conflict with "old": .spec.targetCPUUtilizationPercentage'],
    );
    const forced = await send(server, "PATCH", `${inV2}?fieldManager=young&force=true`, JSON.stringify(change), apply);
    assert.equal(forced.status, 200, forced.text);

    const managers = async (): Promise<readonly Managed[]> =>
      ((await send(server, "GET", inV2)).body.metadata as { managedFields: Managed[] }).managedFields;
    const [first, second] = (await managers()).toSorted((a, b) => (a.manager < b.manager ? -1 : 1));
    assert.deepEqual([first?.manager, first?.apiVersion], ["old", "autoscaling/v1"]);
    assert.deepEqual(Object.keys(first?.fieldsV1["f:spec"] ?? {}).toSorted(), ["f:maxReplicas", "f:scaleTargetRef"]);
    assert.deepEqual([second?.manager, second?.apiVersion], ["young", "autoscaling/v2"]);
    assert.deepEqual(Object.keys(second?.fieldsV1["f:spec"] ?? {}), ["f:metrics"]);

    // The same manager goes on in the other version: what it no longer names goes, one entry stays.
    const moved = { ...young, spec: { scaleTargetRef, minReplicas: 2, maxReplicas: 6 } };
    const again = await send(server, "PATCH", `${inV2}?fieldManager=old`, JSON.stringify(moved), apply);
    assert.equal(again.status, 200, again.text);
    const own = (await managers()).filter(({ manager }) => manager === "old");
    assert.deepEqual(
      own.map(({ apiVersion }) => apiVersion),
      ["autoscaling/v2"],
    );
    const last = (await send(server, "GET", inV1)).body.spec as Record<string, unknown>;
    assert.deepEqual(last, { scaleTargetRef, minReplicas: 2, maxReplicas: 6, targetCPUUtilizationPercentage: 50 });
  }));
