/**
 * Every verb on every resource and subresource, sent for twelve identities to a running server that knows them by their tokens.
 * What comes back is held against golden.txt's judge: whoever may not is told so, and whoever may is never told so.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { rolebindings, namespaces } from "#api/generated/resources.ts";
import { createClient } from "#client/http-client.ts";
import { realTimers } from "../../src/world/node/clock.ts";
import { startSecured, type SecuredServer } from "../security/cluster.ts";
import { defaultCluster, identities } from "./default-cluster.ts";
import { everything, mayDo, mayVisit, paths } from "./walk.ts";
import { eventually } from "../eventually.ts";

let secured: SecuredServer;
const { authorizer } = defaultCluster();

const tokenOf = (title: string): string => `token-${title.replaceAll(" ", "-")}`;

/** The token file of all identities but the one without a token. */
const table = identities
  .filter(({ title }) => title !== "anonymous")
  .map(({ title, user }) => `${tokenOf(title)},${user.name},,"${user.groups.join(",")}"`)
  .join("\n");

before(async () => {
  secured = await startSecured({ "tokens.csv": table });
  const root = { name: "root", uid: "", groups: ["system:masters"], extra: {} };
  const timers = realTimers({ keepAlive: true });
  const admin = createClient(secured.server.api.transportFor(root), { userAgent: "test", timers });
  for (const name of ["shop", "other"]) await admin.create(namespaces, { name }, { metadata: { name } });
  for (const name of ["admin", "edit", "view"]) {
    await admin.create(
      rolebindings,
      { namespace: "shop", name },
      {
        metadata: { name, namespace: "shop" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
        subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name }],
      },
    );
  }
  // The roles that are made of others are filled by a controller.
  for (const [title, resource] of [
    ["admin of shop", "roles"],
    ["editor of shop", "secrets"],
    ["viewer of shop", "pods"],
  ] as const) {
    const group = resource === "roles" ? "/apis/rbac.authorization.k8s.io/v1" : "/api/v1";
    const path = `${group}/namespaces/shop/${resource}`;
    await eventually(
      `the role of ${title} is filled`,
      async () => (await secured.ask({ path, token: tokenOf(title) })).status === 200,
    );
  }
});

after(() => secured.close());

const methods: Readonly<Record<string, string>> = {
  get: "GET",
  list: "GET",
  watch: "GET",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
  deletecollection: "DELETE",
};

interface Step {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespaced: boolean;
  readonly verb: string;
}

/** What can be sent as a request: special verbs are asked for by reviews and headers, and have tests of their own. */
async function steps(): Promise<Step[]> {
  const { body } = await secured.ask({ path: "/apis", token: tokenOf("cluster admin") });
  const groups = body["groups"] as { name: string; preferredVersion: { version: string } }[];
  const versions = new Map(groups.map(({ name, preferredVersion }) => [name, preferredVersion.version]));
  versions.set("", "v1");
  return everything().flatMap(({ group, resource, namespaced, verbs }) => {
    const version = versions.get(group);
    if (version === undefined) return [];
    return verbs.flatMap((verb) => (verb in methods ? [{ group, version, resource, namespaced, verb }] : []));
  });
}

function pathOf({ group, version, resource, namespaced, verb }: Step, namespace: string): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const [plural = "", subresource] = resource.split("/");
  const where = namespaced && namespace !== "" ? `/namespaces/${namespace}` : "";
  // Nothing of this name exists, so that nothing happens to whoever may.
  const needsName = subresource !== undefined || ["get", "update", "patch", "delete"].includes(verb);
  const name = needsName ? "/x" : "";
  const sub = subresource === undefined ? "" : `/${subresource}`;
  // Nodes may list their own pods only.
  const own = group === "" && resource === "pods" ? "fieldSelector=spec.nodeName%3Dn1" : "";
  const query = verb === "watch" ? `?watch=true&timeoutSeconds=1&${own}` : verb === "list" ? `?${own}` : "?dryRun=All";
  return `${root}${where}/${plural}${name}${sub}${query}`;
}

/** A body that no kind accepts: what may be done fails after the authorizer's yes. */
const broken = "{";

for (const { title, user } of identities) {
  test(`${title}: what is sent is let through or refused as the judge says`, { timeout: 900_000 }, async () => {
    const wrong: string[] = [];
    let refused = 0;
    const all = await steps();
    assert.ok(all.length > 400, `${all.length} steps`);
    for (const step of all) {
      for (const namespace of step.namespaced ? ["shop", "other"] : [""]) {
        const method = methods[step.verb] ?? "";
        const path = pathOf(step, namespace);
        const sent = method === "POST" || method === "PUT" || method === "PATCH";
        const response = await secured.server.api.handler.handle(
          {
            method,
            target: path,
            headers: {
              ...(title !== "anonymous" && { authorization: `Bearer ${tokenOf(title)}` }),
              ...(sent && { "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json" }),
            },
            body: sent ? Buffer.from(broken) : new Uint8Array(0),
          },
          { address: "192.0.2.9", port: 1 },
        );
        if ("open" in response.body) response.body.close();
        const may = mayDo(authorizer, user, { ...asJudged(step), namespace });
        const isRefused = response.status === 403 || response.status === 401;
        if (isRefused) refused += 1;
        if (isRefused === may)
          wrong.push(`${method} ${path}: ${response.status}, the judge says ${may ? "yes" : "no"}`);
      }
    }
    assert.deepEqual(wrong, []);
    assert.equal(refused === 0, title === "cluster admin");
  });

  test(`${title}: plain paths`, async () => {
    for (const path of paths) {
      const { status } = await secured.ask({ path, ...(title !== "anonymous" && { token: tokenOf(title) }) });
      const may = mayVisit(authorizer, user, path, "get");
      assert.equal(status === 403 || status === 401, !may, `${path}: ${status}`);
    }
  });
}

/** Connecting to a pod is creating, by whatever method. */
function asJudged({ group, resource, verb }: Step): { group: string; resource: string; verb: string } {
  const connects = ["pods/exec", "pods/attach", "pods/portforward"].includes(resource) && group === "";
  return { group, resource, verb: connects && verb === "get" ? "create" : verb };
}
