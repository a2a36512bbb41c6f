import assert from "node:assert/strict";
import { createAdmission } from "#apiserver/admission/all.ts";
import type { LocalAuthorizer } from "#apiserver/authorizer.ts";
import type { Clock } from "#world/clock.ts";
import { createCertificates } from "../../src/world/node/certificates.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { realRandom } from "../../src/world/node/random.ts";
import { send, startInProcess, type TestServer } from "../api/harness.ts";

/** Who may do what in these tests: everything, but nobody may `use` secrets of kube-system. */
const authorizer: LocalAuthorizer = {
  authorize: ({ verb, namespace }) =>
    verb === "use" && namespace === "kube-system"
      ? { allowed: false, denied: false, reason: "not there" }
      : { allowed: true, reason: "" },
  rulesFor: () => ({ resourceRules: [], nonResourceRules: [], incomplete: false }),
};

/** A server with all admission steps, which look at this clock, and the namespace default. */
export async function startServer(clock: Pick<Clock, "monotonic"> = realClock): Promise<TestServer> {
  const timers = realTimers({ keepAlive: true });
  const server = await startInProcess({
    authorizer,
    admission: (objects) =>
      createAdmission({
        objects,
        authorizer,
        clock,
        rbac: { policyRules: () => [], rulesOfRole: () => [] } as never,
        random: realRandom,
        timers,
        certificates: createCertificates(),
        serviceRange: "10.96.0.0/16",
        nodePorts: { first: 30_000, last: 32_767 },
      }),
  });
  await create(server, "/api/v1/namespaces", { metadata: { name: "default", labels: { team: "a" } } });
  return server;
}

/** Creates an object that must be accepted; answers it. */
export async function create(server: TestServer, path: string, object: object): Promise<Record<string, unknown>> {
  const answer = await send(server, "POST", path, object);
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

/** Puts a definition into force: its kind is served when this resolves. */
export async function define(server: TestServer, definition: object): Promise<void> {
  const made = await create(server, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
  const { spec } = made as {
    spec: { group: string; names: { plural: string }; versions: { name: string; storage: boolean }[] };
  };
  const version = spec.versions.find(({ storage }) => storage)?.name ?? "";
  const path = `/apis/${spec.group}/${version}/${spec.names.plural}`;
  while ((await send(server, "GET", path)).status === 404) await new Promise((resolve) => setImmediate(resolve));
}
