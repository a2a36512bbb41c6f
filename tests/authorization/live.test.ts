/** The server's parts together, in one process over the memory store: what a new cluster lets whom do. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClient } from "#client/http-client.ts";
import {
  certificatesigningrequests,
  clusterroles,
  namespaces,
  nodes,
  pods,
  resourcequotas,
  rolebindings,
  secrets,
  serviceaccounts,
  services,
} from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import { createServer, type Server } from "#cluster/server.ts";
import { openMemoryStore } from "#store/memory/memory-store.ts";
import { silentLog } from "#telemetry/log.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { createCertificates } from "#world/node/certificates.ts";
import { createCrypto } from "#world/node/crypto.ts";
import { realRandom } from "#world/node/random.ts";
import { eventually } from "../eventually.ts";

const crypto = createCrypto();
const certificates = createCertificates();
const timers = realTimers({ keepAlive: false });
let server: Server;
let admin: Client;

function as(name: string, ...groups: string[]): Client {
  const user = { name, uid: "", groups: [...groups, "system:authenticated"], extra: {} };
  return createClient(server.api.transportFor(user), { userAgent: "test", timers });
}

/** Waits for a state, at most ten seconds. */
before(async () => {
  const caKey = crypto.generateKey();
  const now = realClock.now();
  const ca = await certificates.issue(
    {
      subject: { commonName: "ca" },
      publicKey: caKey.publicKey,
      usages: ["ca"],
      notBefore: now - 1000,
      notAfter: now + 1e11,
    },
    { selfSignedWith: caKey.privateKey },
  );
  server = createServer({
    world: { clock: realClock, timers, random: realRandom, crypto, certificates },
    store: openMemoryStore({ clock: realClock, timers }),
    serviceRange: "10.96.0.0/16",
    podRange: "10.244.0.0/16",
    nodePorts: { first: 30000, last: 32767 },
    apiAddress: "192.0.2.1",
    apiPort: 6443,
    clientCa: { certificate: ca, key: caKey.privateKey },
    serviceAccountKey: crypto.generateKey(),
    log: { ...silentLog, error: (message, error) => console.error(message, error) },
  });
  await server.start();
  admin = as("root", "system:masters");
});

after(() => server.stop());

test("a new cluster has its namespaces, Services and roles; admin, edit and view are filled", async () => {
  const names = (await admin.list(namespaces)).items.map((one) => one.metadata.name);
  assert.deepEqual(names.sort(), ["default", "kube-node-lease", "kube-public", "kube-system"]);
  assert.equal((await admin.get(services, { namespace: "default", name: "kubernetes" })).spec.clusterIP, "10.96.0.1");
  assert.equal(
    (await admin.get(services, { namespace: "kube-system", name: "kube-dns" })).spec.clusterIP,
    "10.96.0.10",
  );
  for (const name of ["view", "edit", "admin"]) {
    await eventually(`${name} is filled`, async () => (await admin.get(clusterroles, { name })).rules.length > 0);
  }
});

test("a machine joins: its request is approved and signed, and no other name's", async () => {
  const { privateKey } = crypto.generateKey();
  const joining = as("system:bootstrap:abcdef", "system:bootstrappers");
  const ask = async (name: string, client: Client, commonName: string): Promise<void> => {
    const pem = await certificates.createSigningRequest({ commonName, organizations: ["system:nodes"] }, privateKey);
    await client.create(
      certificatesigningrequests,
      { name },
      {
        metadata: { name },
        spec: {
          request: btoa(pem),
          signerName: "kubernetes.io/kube-apiserver-client-kubelet",
          usages: ["digital signature", "client auth"],
        },
      },
    );
  };
  await ask("join", joining, "system:node:n1");
  const issued = await eventually(
    "it is signed",
    async () => (await admin.get(certificatesigningrequests, { name: "join" })).status.certificate,
  );
  assert.deepEqual(certificates.read(atob(issued))?.subject, {
    commonName: "system:node:n1",
    organizations: ["system:nodes"],
  });
  const stranger = as("somebody");
  await assert.rejects(ask("stranger", stranger, "system:node:n2"), /forbidden/);
  await assert.rejects(ask("other", as("system:node:n1", "system:nodes"), "system:node:n2"), /CN=system:node:n1/);
});

test("a node registers itself and nobody else, and cannot free itself of a taint", async () => {
  const node = as("system:node:n1", "system:nodes");
  await node.create(nodes, { name: "n1" }, { metadata: { name: "n1" } });
  await assert.rejects(node.create(nodes, { name: "n2" }, { metadata: { name: "n2" } }), /forbidden/);
  const patch = { spec: { taints: null } };
  await assert.rejects(node.patch(nodes, { name: "n1" }, patch, { type: "merge" }), /not allowed to modify taints/);
});

test("an admin of a namespace gives what an admin has, and not more", async () => {
  await admin.create(namespaces, { name: "shop" }, { metadata: { name: "shop" } });
  const bind = (client: Client, name: string, role: string): Promise<unknown> =>
    client.create(
      rolebindings,
      { namespace: "shop", name },
      {
        metadata: { name, namespace: "shop" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
        subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "jane" }],
      },
    );
  await bind(admin, "jane", "admin");
  const jane = as("jane");
  await eventually("jane may list", () =>
    jane.list(pods, { namespace: "shop" }).then(
      () => true,
      // Not yet: she is refused until the roles are in force.
      () => false,
    ),
  );
  await bind(jane, "viewers", "view");
  await assert.rejects(
    bind(jane, "masters", "cluster-admin"),
    /attempting to grant RBAC permissions not currently held/,
  );
  await assert.rejects(jane.list(pods, { namespace: "default" }), /cannot list resource "pods"/);
});

test("a pod in a namespace that was just made gets its account and a bound token", async () => {
  await admin.create(namespaces, { name: "fresh" }, { metadata: { name: "fresh" } });
  const spec = { containers: [{ name: "c", image: "i" }] };
  const pod = await admin.create(pods, { namespace: "fresh", name: "p" }, { metadata: { name: "p" }, spec });
  assert.equal(pod.spec.serviceAccountName, "default");
  assert.equal(pod.spec.volumes?.[0]?.projected?.sources?.length, 3);
  assert.ok(await admin.get(serviceaccounts, { namespace: "fresh", name: "default" }));
});

test("of many creations at once, no more pass than a quota has room for, and no address is given twice", async () => {
  await admin.create(namespaces, { name: "tight" }, { metadata: { name: "tight" } });
  const hard = { "count/secrets": "5" };
  await admin.create(resourcequotas, { namespace: "tight", name: "q" }, { metadata: { name: "q" }, spec: { hard } });
  const secretsMade = await Promise.allSettled(
    Array.from({ length: 40 }, (_, index) =>
      admin.create(secrets, { namespace: "tight", name: `s${index}` }, { metadata: { name: `s${index}` } }),
    ),
  );
  assert.equal(secretsMade.filter(({ status }) => status === "fulfilled").length, 5);
  const made = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      admin.create(
        services,
        { namespace: "tight", name: `v${index}` },
        { metadata: { name: `v${index}` }, spec: { type: "NodePort", ports: [{ port: 80 }] } },
      ),
    ),
  );
  assert.equal(new Set(made.map((service) => service.spec.clusterIP)).size, 60);
  assert.equal(new Set(made.map((service) => service.spec.ports?.[0]?.nodePort)).size, 60);
});

test("a token bound to a pod ends with the pod", async () => {
  const pod = await admin.get(pods, { namespace: "fresh", name: "p" });
  const path = "/api/v1/namespaces/fresh/serviceaccounts/default/token";
  const boundObjectRef = { apiVersion: "v1", kind: "Pod", name: "p", uid: pod.metadata.uid };
  const order = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { boundObjectRef } };
  const answer = (await admin.request("POST", path, order)) as { status: { token: string } };
  const visit = async (target: string): Promise<number> => {
    const headers = { authorization: `Bearer ${answer.status.token}` };
    const request = { method: "GET", target, headers, body: new Uint8Array() };
    return (await server.api.handler.handle(request, { address: "127.0.0.1", port: 1 })).status;
  };
  assert.equal(await visit("/api"), 200);
  assert.equal(await visit("/api/v1/namespaces/fresh/secrets"), 403);
  await admin.delete(pods, { namespace: "fresh", name: "p" }, { gracePeriodSeconds: 0 });
  await eventually(
    "the pod is gone",
    async () => (await admin.find(pods, { namespace: "fresh", name: "p" })) === undefined,
  );
  assert.equal(await visit("/api"), 401);
});
