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
  for (const way of ["create", "apply", "update", "patch"] as const) {
    test(`fieldValidation=${mode}: ${way} with an unknown and a duplicate field`, () =>
      serving(async (server) => {
        const query = mode === "" ? "" : `fieldValidation=${mode}`;
        const isNew = way === "create" || way === "apply";
        if (!isNew) await send(server, "POST", `${deployments}?fieldValidation=Ignore`, deployment("d"));
        const before = server.store.visible;
        const target = `${deployments}/d?${query}`;
        const answers: Record<typeof way, () => Promise<Answer>> = {
          create: () => send(server, "POST", `${deployments}?${query}`, deployment("d")),
          apply: () => send(server, "PATCH", `${target}&fieldManager=m`, deployment("d"), apply),
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
