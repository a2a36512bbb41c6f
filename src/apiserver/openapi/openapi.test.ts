import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { builtInResources } from "#api/generated/resources.ts";
import { schemaOf } from "#api/schemas.ts";
import { packageDescriptions } from "#world/node/descriptions.ts";
import { openApiHashes, openApiIndex, renderOpenApiV2, renderOpenApiV3 } from "./document.ts";
import type { Describe, Documented, Json } from "./documented.ts";

const published = join(import.meta.dirname, "../../../../shared/k8s-1.36/swagger.json");
const skip = existsSync(published) ? false : "the published OpenAPI is not beside the project";
const builtIn: readonly Documented[] = builtInResources.map((resource) => ({
  resource,
  schema: schemaOf(resource.type),
}));
function documentOf(all: readonly Documented[], path: string, describe: Describe = () => undefined) {
  const document = renderOpenApiV3(all, path, { version: "v1.36.0", describe });
  assert.ok(document);
  const { schemas } = document["components"] as {
    schemas: Record<string, { properties: Record<string, Json> } & Json>;
  };
  return { paths: document["paths"] as Record<string, Record<string, Json>>, schemas, text: JSON.stringify(document) };
}

const options = { version: "v1.36.0", describe: () => undefined };

/** Types that only alpha and beta kinds refer to. */
const onlyUnstable: ReadonlySet<string> = new Set(["io.k8s.apimachinery.pkg.apis.meta.v1.GroupResource"]);

/** Without descriptions and kinds, in one order: what two documents must agree on. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(
    ([key, inner]) =>
      !(key === "description" && typeof inner === "string") && key !== "x-kubernetes-group-version-kind",
  );
  return Object.fromEntries(
    entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, key === "required" && Array.isArray(inner) ? inner.toSorted() : comparable(inner)]),
  );
}

test("every stable definition is the published one, field by field, both ways", { skip }, (context) => {
  const theirs = (JSON.parse(readFileSync(published, "utf8")) as { definitions: Record<string, Json> }).definitions;
  const ours = renderOpenApiV2(builtIn, options)["definitions"] as Record<string, Json>;
  const problems: string[] = [];
  let compared = 0;
  let fields = 0;
  for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const [mine, other] = [ours[name], theirs[name]];
    if (other === undefined) problems.push(`extra ${name}`);
    else if (mine === undefined) {
      if (!/alpha|beta/.test(name) && !onlyUnstable.has(name)) problems.push(`missing ${name}`);
    } else {
      compared += 1;
      fields += Object.keys((mine["properties"] ?? {}) as Json).length;
      if (JSON.stringify(comparable(mine)) !== JSON.stringify(comparable(other))) problems.push(`different ${name}`);
    }
  }
  context.diagnostic(`${compared} definitions with ${fields} fields compared, ${problems.length} problems`);
  assert.deepEqual(problems, []);
});

test("every stable path is published, and every published one is there", { skip }, () => {
  const theirs = (JSON.parse(readFileSync(published, "utf8")) as { paths: Json }).paths;
  const ours = renderOpenApiV2(builtIn, options)["paths"] as Json;
  const stable = Object.keys(theirs).filter((path) => {
    const root = path.replace(/^\/apis\/([^/]+)\/.*$/, "$1");
    const isServed =
      !/alpha|beta/.test(path) &&
      !["/logs/", "/logs/{logpath}", "/.well-known/openid-configuration/", "/openid/v1/jwks/"].includes(path);
    return (
      isServed &&
      !path.includes("/watch/") &&
      !path.includes("{path}") &&
      !["internal.apiserver.k8s.io", "storagemigration.k8s.io"].includes(root)
    );
  });
  assert.deepEqual(
    Object.keys(ours).filter((path) => theirs[path] === undefined),
    [],
  );
  assert.deepEqual(
    stable.filter((path) => ours[path] === undefined),
    [],
  );
});

test("a document of version 3 has what kubectl looks for", () => {
  const { paths, schemas, text } = documentOf(builtIn, "apis/apps/v1", packageDescriptions());
  const patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]?.["patch"];
  assert.equal(patch?.["x-kubernetes-action"], "patch");
  assert.deepEqual(patch["x-kubernetes-group-version-kind"], { group: "apps", kind: "Deployment", version: "v1" });
  const names = (patch["parameters"] as Json[]).map((parameter) => parameter["name"]);
  assert.deepEqual(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
  const spec = schemas["io.k8s.api.apps.v1.DeploymentSpec"];
  assert.match(String(spec?.["description"]), /specification of the desired behavior/);
  assert.match(String(spec?.properties["replicas"]?.["description"]), /Number of desired pods/);
  assert.match(String(spec?.properties["template"]?.["description"]), /PodTemplateSpec describes/);
  assert.deepEqual(schemas["io.k8s.api.apps.v1.Deployment"]?.["x-kubernetes-group-version-kind"], [
    { group: "apps", kind: "Deployment", version: "v1" },
  ]);
  for (const [, name = ""] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
    assert.ok(schemas[name], `${name} is defined`);
});

test("what stands beside a reference survives in version 3", () => {
  const { schemas } = documentOf(builtIn, "apis/apps/v1", (type, field) => `${type}#${field ?? ""}`);
  assert.deepEqual(schemas["io.k8s.api.apps.v1.DeploymentSpec"]?.properties["strategy"], {
    description: "apps/v1.DeploymentSpec#strategy",
    allOf: [{ $ref: "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy" }],
    "x-kubernetes-patch-strategy": "retainKeys",
  });
});

test("operations of one document have names of their own", () => {
  const paths = renderOpenApiV2(builtIn, options)["paths"] as Record<string, Record<string, Json>>;
  const seen = new Map<unknown, string>();
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (method === "parameters") continue;
      const id = operation["operationId"];
      assert.equal(seen.get(id), undefined, `${String(id)} of ${path}`);
      seen.set(id, path);
    }
  }
});

const cronTab: Documented = {
  resource: {
    group: "stable.example.com",
    version: "v1",
    resource: "crontabs",
    kind: "CronTab",
    namespaced: true,
    shortNames: [],
    categories: [],
    verbs: ["create", "delete", "get", "list", "patch", "update"],
    subresources: [{ name: "status", kind: "CronTab", verbs: ["get", "patch", "update"] }],
    type: "",
  },
  schema: schemaOf("meta/v1.PartialObjectMetadata"),
  custom: {
    openApi: {
      type: "object",
      properties: {
        spec: {
          type: "object",
          properties: {
            port: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
          },
        },
      },
    },
  },
};

test("custom kinds stand beside built-in ones", () => {
  const { paths, schemas } = documentOf([...builtIn, cronTab], "apis/stable.example.com/v1");
  const properties = Object.keys(schemas["com.example.stable.v1.CronTab"]?.properties ?? {});
  assert.deepEqual(properties, ["spec", "apiVersion", "kind", "metadata"]);
  assert.ok(schemas["com.example.stable.v1.CronTabList"]);
  assert.ok(paths["/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}/status"]);
  const v2 = JSON.stringify(
    (renderOpenApiV2([cronTab], options)["definitions"] as Json)["com.example.stable.v1.CronTab"],
  );
  assert.ok(!v2.includes("anyOf"));
});

test("the index names each group version by a hash that follows its content", () => {
  const index = openApiIndex(openApiHashes(builtIn, "v1.36.0")) as {
    paths: Record<string, { serverRelativeURL: string }>;
  };
  assert.match(
    index.paths["apis/apps/v1"]?.serverRelativeURL ?? "",
    /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{16}$/,
  );
  const before = openApiHashes([...builtIn, cronTab], "v1.36.0");
  const after = openApiHashes([...builtIn, { ...cronTab, custom: { openApi: { type: "object" } } }], "v1.36.0");
  assert.equal(before.get("apis/apps/v1"), after.get("apis/apps/v1"));
  assert.notEqual(before.get("apis/stable.example.com/v1"), after.get("apis/stable.example.com/v1"));
  assert.notEqual(before.get("api/v1"), openApiHashes(builtIn, "v1.36.1").get("api/v1"));
});
