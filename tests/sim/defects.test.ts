import assert from "node:assert/strict";
import { test } from "node:test";
import { calmNetwork } from "#sim/faulty-transport.ts";
import { runSeed, type SeedOptions } from "#sim/run-seed.ts";
import type { Swarm } from "#sim/swarm.ts";
import { machine } from "./machine.ts";

type Defects = NonNullable<SeedOptions["defects"]>;

const calm: Swarm = {
  safetyMs: 40_000,
  commitMsMax: 5,
  crashAfterWrite: 0,
  loopNetwork: calmNetwork,
  agentNetwork: calmNetwork,
  strikes: {},
};
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function changeBody(change: (target: string, method: string, body: Record<string, unknown>) => unknown): Defects {
  return {
    alterRequest: (client, request) => {
      if (client !== "controllers" || request.body.length === 0) return request;
      const body = JSON.parse(decoder.decode(request.body)) as Record<string, unknown>;
      const changed = change(request.target, request.method, body);
      return changed === undefined ? request : { ...request, body: encoder.encode(JSON.stringify(changed)) };
    },
  };
}

let dropped = false;
let stamps = 0;

/** Each is a cluster with one thing wrong; the invariant that must notice. */
const defects: readonly { what: string; notices: RegExp; swarm?: Partial<Swarm>; seed?: string; defects: Defects }[] = [
  {
    what: "a disk loses an acknowledged transaction in a crash",
    notices: /^4 durability/,
    swarm: { strikes: { "server-crash": 5_000 } },
    defects: { transactionsLostByCrash: 2 },
  },
  {
    what: "a watch loses an event",
    notices: /^18 watch reliability/,
    defects: {
      alterChunk: (client, target, chunk) => {
        const isPick =
          !dropped &&
          client === "controllers" &&
          target.startsWith("/api/v1/pods?") &&
          decoder.decode(chunk).includes('"MODIFIED"');
        if (!isPick) return chunk;
        dropped = true;
        return undefined;
      },
    },
  },
  {
    what: "a watch delivers an object under another name",
    notices: /^25 caches/,
    defects: {
      alterChunk: (client, target, chunk) => {
        const text = decoder.decode(chunk);
        const isPick = client === "controllers" && target.startsWith("/api/v1/endpoints?") && text.includes('"ADDED"');
        return isPick ? encoder.encode(text.replaceAll('"name":"web"', '"name":"wab"')) : chunk;
      },
    },
  },
  {
    what: "a Deployment controller asks for more pods than the surge allows",
    notices: /^34 surge/,
    defects: changeBody((target, method, body) => {
      const spec = body["spec"] as { replicas?: number } | undefined;
      if (method !== "POST" || !target.endsWith("/replicasets") || spec?.replicas === undefined) return undefined;
      return { ...body, spec: { ...spec, replicas: spec.replicas + 9 } };
    }),
  },
  {
    what: "a controller deletes without naming the uid",
    seed: "many deletions",
    swarm: { safetyMs: 200_000 },
    notices: /^30 preconditions/,
    defects: changeBody((_target, method, body) =>
      method === "DELETE" ? { ...body, preconditions: undefined } : undefined,
    ),
  },
  {
    what: "a controller never writes the status of its Deployment",
    notices: /^26 convergence/,
    defects: {
      alterRequest: (client, request) => {
        const isStatus =
          client === "controllers" && request.method === "PATCH" && /\/deployments\/web\/status/.test(request.target);
        return isStatus ? { ...request, target: "/api/v1/namespaces/default/nothing" } : request;
      },
    },
  },
  {
    what: "the agents cannot register their nodes",
    notices: /^26 start/,
    defects: {
      alterRequest: (_client, request) => {
        const isRegistration = request.method === "POST" && request.target === "/api/v1/nodes";
        return isRegistration ? { ...request, target: "/api/v1/nothing" } : request;
      },
    },
  },
  {
    what: "an agent stamps its node each time that it looks at it",
    notices: /^26 stillness/,
    defects: {
      alterRequest: (_client, request) => {
        if (request.method !== "GET" || request.target !== "/api/v1/nodes/node-1") return request;
        const annotations = { "test.example.com/looks": String((stamps += 1)) };
        const headers = { ...request.headers, "content-type": "application/merge-patch+json" };
        const body = encoder.encode(JSON.stringify({ metadata: { annotations } }));
        return { ...request, method: "PATCH", headers, body };
      },
    },
  },
  {
    what: "a scheduler puts all pods that are to be spread on one node",
    seed: "pods to be spread",
    notices: /^55 spread/,
    defects: {
      alterRequest: (client, request) => {
        if (client !== "scheduler" || !/\/pods\/spread-[^/]+\/binding$/.test(request.target)) return request;
        const binding = JSON.parse(decoder.decode(request.body)) as { target: object };
        const target = { ...binding.target, name: "node-1" };
        return { ...request, body: encoder.encode(JSON.stringify({ ...binding, target })) };
      },
    },
  },
  {
    what: "an endpoint controller says that every pod is ready",
    notices: /^(67 endpoints|26 convergence)/,
    defects: changeBody((target, method, body) => {
      if (method === "DELETE" || !target.includes("/endpointslices") || !Array.isArray(body["endpoints"]))
        return undefined;
      const endpoints = (body["endpoints"] as object[]).map((endpoint) => ({
        ...endpoint,
        conditions: { ready: true },
      }));
      return { ...body, endpoints: [...endpoints, { addresses: ["10.244.9.9"], conditions: { ready: true } }] };
    }),
  },
];

for (const { what, notices, swarm, seed, defects: wrong } of defects) {
  test(`it is noticed when ${what}`, async () => {
    const { violation, story } = await runSeed({
      seed: seed ?? what,
      machine,
      swarm: { ...calm, ...swarm },
      defects: wrong,
    });
    assert.match(violation?.invariant ?? "nothing was noticed", notices, `${violation?.what}\n${story.join("\n")}`);
  });
}

test("a cluster without a defect passes the same checks", async () => {
  const { violation } = await runSeed({ seed: "no defect", machine, swarm: calm });
  assert.equal(violation, undefined);
});
