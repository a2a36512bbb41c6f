/** What the server tells of itself, on a server in this process: every series that docs/metrics.md names, and no other. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { wholeBody } from "../api/harness.ts";
import { startSecured, type Question, type SecuredServer } from "../security/cluster.ts";
import { documentedFamilies, servedFamilies } from "./documented.ts";
import { readExposition } from "./exposition.ts";
import { eventually } from "../eventually.ts";

const token = "t-admin";
const plainToken = "t-plain";
const maps = "/api/v1/namespaces/default/configmaps";
let server: SecuredServer;

before(async () => {
  const users = `${token},root,1,"system:masters"\n${plainToken},plain,2,"people"\n`;
  server = await startSecured({ "tokens.csv": users });
});
after(() => server.close());

async function page(): Promise<string> {
  return String((await server.ask({ token, path: "/metrics" })).body["text"]);
}

/** The value of the one series with these labels among others; 0 while there is none. */
async function value(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  const found = [...readExposition(await page()).series].filter(
    ([key]) =>
      key.startsWith(`${name}{`) && Object.entries(labels).every(([label, text]) => key.includes(`${label}="${text}"`)),
  );
  assert.ok(found.length <= 1, `${name} is not one series: ${found.map(([key]) => key).join(" ")}`);
  return found[0]?.[1] ?? 0;
}

async function ask(question: Question, status: number): Promise<void> {
  const answer = await server.ask({ token, ...question });
  assert.equal(answer.status, status, JSON.stringify(answer.body));
}

const configMap = (name: string): object => ({ metadata: { name } });

test("docs/metrics.md names every series of the server, and every series that it names is served", async () => {
  // Those of the process, of audit, of followed files and of key plugins need what this server has not.
  const needsMore = /^(process_|nodejs_|apiserver_audit_|apiserver_envelope_|.*_automatic_reload)/;
  const documented = [...documentedFamilies("Server: `/metrics`")].filter((name) => !needsMore.test(name));
  assert.deepEqual([...servedFamilies(await page())].toSorted(), documented.toSorted());
});

test("a dry run is told apart from what was done", async () => {
  const posts = { verb: "POST", resource: "configmaps", code: "201" };
  await ask({ method: "POST", path: `${maps}?dryRun=All`, body: configMap("dry") }, 201);
  await ask({ method: "POST", path: maps, body: configMap("done") }, 201);
  assert.equal(await value("apiserver_request_total", { ...posts, dry_run: "All" }), 1);
  assert.equal(await value("apiserver_request_total", { ...posts, dry_run: "" }), 1);
});

test("answers to reads are counted by their size, lists too, and writes are not", async () => {
  await ask({ path: maps }, 200);
  const list = { verb: "LIST", resource: "configmaps" };
  assert.equal(await value("apiserver_response_sizes_count", list), 1);
  assert.ok((await value("apiserver_response_sizes_sum", list)) > 100);
  assert.doesNotMatch(await page(), /apiserver_response_sizes_count\{verb="POST"/);
});

test("a watch is a long-running request until its client goes, and what it sends is counted", async () => {
  const request = {
    method: "GET",
    target: `${maps}?watch=1`,
    headers: { authorization: `Bearer ${token}` },
    body: new Uint8Array(0),
  };
  const labels = { verb: "WATCH", resource: "configmaps", scope: "namespace" };
  const sent = { group: "", version: "v1", resource: "configmaps" };
  const response = await server.server.api.handler.handle(request, { address: "192.0.2.9", port: 1 });
  assert.ok("open" in response.body);
  const stream = response.body;
  stream.open({ write: () => true, end: () => undefined, abort: () => undefined });
  assert.equal(await value("apiserver_longrunning_requests", labels), 1);
  const before = await value("apiserver_watch_events_total", sent);
  await ask({ method: "POST", path: maps, body: configMap("watched") }, 201);
  await eventually("the change was sent", async () => (await value("apiserver_watch_events_total", sent)) > before);
  stream.close();
  assert.equal(await value("apiserver_longrunning_requests", labels), 0);
});

test("admission is measured by plugin and by step, and a refusal is told", async () => {
  const of = { operation: "CREATE", type: "validate" };
  const refused = { ...of, rejected: "true" };
  const steps = "apiserver_admission_step_admission_duration_seconds_count";
  const before = await value(steps, refused);
  const gone = "/api/v1/namespaces/nowhere/configmaps";
  await ask({ method: "POST", path: gone, body: configMap("x") }, 404);
  const after = (await value(steps, refused)) + (await value(steps, { ...refused, type: "admit" }));
  assert.ok(after > before);
  const plugin = "apiserver_admission_controller_admission_duration_seconds_count";
  assert.ok((await value(plugin, { ...of, name: "ResourceQuota", rejected: "false" })) > 0);
});

test("who was turned away at the door, and who may not, are told", async () => {
  const failed = await value("authentication_attempts", { result: "error" });
  assert.equal((await server.ask({ token: "invented" })).status, 401);
  assert.equal(await value("authentication_attempts", { result: "error" }), failed + 1);
  const denied = await value("authorization_attempts_total", { result: "denied" });
  assert.equal((await server.ask({ token: plainToken, path: maps })).status, 403);
  assert.equal(await value("authorization_attempts_total", { result: "denied" }), denied + 1);
});

test("requests are told by their flow, and nobody has seats when all is answered", async () => {
  const flow = { flow_schema: "global-default", priority_level: "global-default" };
  const before = await value("apiserver_flowcontrol_dispatched_requests_total", flow);
  await server.ask({ token: plainToken, path: maps });
  assert.equal(await value("apiserver_flowcontrol_dispatched_requests_total", flow), before + 1);
  assert.equal(await value("apiserver_flowcontrol_current_executing_requests", flow), 0);
  assert.equal(await value("apiserver_flowcontrol_current_executing_seats", flow), 0);
  assert.ok((await value("apiserver_flowcontrol_nominal_limit_seats", { priority_level: "global-default" })) > 0);
});

test("a pod that fits nowhere is pending, and its attempt is told", async () => {
  const spec = { containers: [{ name: "main", image: "x" }], automountServiceAccountToken: false };
  const pods = "/api/v1/namespaces/default/pods";
  await eventually("there is a service account", async () => {
    return (
      (await server.ask({ token, method: "POST", path: pods, body: { metadata: { name: "p" }, spec } })).status === 201
    );
  });
  const attempts = { profile: "default-scheduler", result: "unschedulable" };
  await eventually("it was tried", async () => (await value("scheduler_schedule_attempts_total", attempts)) > 0);
  assert.ok((await value("scheduler_scheduling_attempt_duration_seconds_count", attempts)) > 0);
  await eventually("it waits", async () => (await value("scheduler_pending_pods", { queue: "unschedulable" })) === 1);
  assert.ok((await value("scheduler_preemption_attempts_total")) > 0);
  assert.equal(await value("apiserver_storage_objects", { resource: "pods" }), 1);
});

test("loops tell how long names waited", async () => {
  const name = { name: "serviceaccount" };
  await eventually("it worked", async () => (await value("workqueue_queue_duration_seconds_count", name)) > 0);
  await eventually("nothing is left", async () => (await value("workqueue_unfinished_work_seconds", name)) === 0);
});

test("a list that goes out in pieces is measured to its last byte", async () => {
  const before = await value("apiserver_response_sizes_sum", { verb: "LIST", resource: "configmaps" });
  const target = `${maps}?limit=500`;
  const headers = { authorization: `Bearer ${token}` };
  const body = new Uint8Array(0);
  const response = await server.server.api.handler.handle(
    { method: "GET", target, headers, body },
    { address: "", port: 1 },
  );
  const { length } = await wholeBody(response);
  assert.equal(
    (await value("apiserver_response_sizes_sum", { verb: "LIST", resource: "configmaps" })) - before,
    length,
  );
});
