import { apiVersionOf } from "#api/resource.ts";
import { hasSchema } from "#api/schemas.ts";
import { stringifyJson } from "#codec/json.ts";
import { addCustomKind } from "./custom.ts";
import { Definitions } from "./definitions.ts";
import type { Describe, Dialect, Documented, Json } from "./documented.ts";
import { addDiscoveryPath, addPaths, type OperationTypes } from "./operations.ts";

const patchType = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const subresourceTypes: Readonly<Record<string, string>> = {
  Scale: "autoscaling/v1.Scale",
  Eviction: "policy/v1.Eviction",
  Binding: "core/v1.Binding",
  TokenRequest: "authentication/v1.TokenRequest",
};

/** `api/v1`, `apis/apps/v1`: how /openapi/v3 names a group version. */
function openApiPath(documented: Documented): string {
  const { resource } = documented;
  return resource.group === "" ? `api/${resource.version}` : `apis/${apiVersionOf(resource)}`;
}

/** The document of one group version, e.g. `apis/apps/v1`; undefined when nothing of it is served. */
export function renderOpenApiV3(
  all: readonly Documented[],
  groupVersionPath: string,
  options: { readonly version: string; readonly describe: Describe },
): Json | undefined {
  const served = all.filter((documented) => openApiPath(documented) === groupVersionPath);
  if (served.length === 0) return undefined;
  const { definitions, paths } = render(served, "v3", options.describe);
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: options.version },
    paths,
    components: {
      schemas: sorted(definitions.byName),
      securitySchemes: {
        BearerToken: {
          type: "apiKey",
          description: "Bearer Token authentication",
          name: "authorization",
          in: "header",
        },
      },
    },
  };
}

/** The one document of OpenAPI 2, for clients before kubectl 1.27. */
export function renderOpenApiV2(
  all: readonly Documented[],
  options: { readonly version: string; readonly describe: Describe },
): Json {
  const { definitions, paths } = render(all, "v2", options.describe);
  return {
    swagger: "2.0",
    info: { title: "Kubernetes", version: options.version },
    paths,
    definitions: sorted(definitions.byName),
    securityDefinitions: {
      BearerToken: { type: "apiKey", description: "Bearer Token authentication", name: "authorization", in: "header" },
    },
    security: [{ BearerToken: [] }],
  };
}

function render(
  served: readonly Documented[],
  dialect: Dialect,
  describe: Describe,
): { definitions: Definitions; paths: Json } {
  const definitions = new Definitions(dialect, describe);
  const paths: Json = {};
  definitions.add(patchType, {
    description: "A patch in one of the formats that its content type names.",
    type: "object",
  });
  const groupVersions = new Map<string, { group: string; version: string }>();
  for (const documented of served) {
    const { group, version } = documented.resource;
    groupVersions.set(openApiPath(documented), { group, version });
    addPaths(paths, documented, typesOf(definitions, documented, dialect, describe), dialect);
  }
  for (const [path, { group, version }] of groupVersions) {
    const tag = group === "" ? `core_${version}` : `${group.split(".")[0]}_${version}`;
    addDiscoveryPath(paths, `/${path}/`, tag, definitions.refer("meta/v1.APIResourceList"), dialect);
    if (dialect === "v2" && group !== "")
      addDiscoveryPath(paths, `/apis/${group}/`, tag, definitions.refer("meta/v1.APIGroup"), dialect);
    for (const kind of ["DeleteOptions", "WatchEvent"])
      definitions.markKind(`meta/v1.${kind}`, { group, version, kind });
  }
  if (dialect === "v2") addRoots(definitions, paths);
  definitions.markKind("meta/v1.Status", { group: "", version: "v1", kind: "Status" });
  definitions.finish();
  return { definitions, paths };
}

function addRoots(definitions: Definitions, paths: Json): void {
  const text = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  const required = [
    "major",
    "minor",
    "gitVersion",
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
  ];
  const more = ["emulationMajor", "emulationMinor", "minCompatibilityMajor", "minCompatibilityMinor"];
  const name = "io.k8s.apimachinery.pkg.version.Info";
  definitions.add(name, { type: "object", required, properties: text([...required, ...more]) });
  addDiscoveryPath(paths, "/version/", "version", definitions.reference(name), "v2");
  addDiscoveryPath(paths, "/api/", "core", definitions.refer("meta/v1.APIVersions"), "v2");
  addDiscoveryPath(paths, "/apis/", "apis", definitions.refer("meta/v1.APIGroupList"), "v2");
}

function typesOf(
  definitions: Definitions,
  documented: Documented,
  dialect: Dialect,
  describe: Describe,
): OperationTypes {
  const shared = {
    status: definitions.refer("meta/v1.Status"),
    deleteOptions: definitions.refer("meta/v1.DeleteOptions"),
    patch: definitions.reference(patchType),
    ofSubresource: (kind: string): Json | undefined => {
      const type = subresourceTypes[kind];
      if (type === undefined) return undefined;
      const { group, version } = kindGroup(kind, documented);
      definitions.markKind(type, { group, version, kind });
      return definitions.refer(type);
    },
  };
  const { resource } = documented;
  if (documented.custom !== undefined)
    return { ...shared, ...addCustomKind(definitions, documented, dialect, describe) };
  const { group, version, kind, type } = resource;
  definitions.markKind(type, { group, version, kind });
  const listType = `${type}List`;
  if (!hasSchema(listType)) return { ...shared, object: definitions.refer(type), list: undefined };
  definitions.markKind(listType, { group, version, kind: `${kind}List` });
  return { ...shared, object: definitions.refer(type), list: definitions.refer(listType) };
}

function kindGroup(kind: string, { resource }: Documented): { group: string; version: string } {
  if (kind === "Scale") return { group: "autoscaling", version: "v1" };
  if (kind === "Eviction") return { group: "policy", version: "v1" };
  if (kind === "TokenRequest") return { group: "authentication.k8s.io", version: "v1" };
  return resource;
}

function sorted(record: Json): Json {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The index at /openapi/v3: each group version with the address of its document. */
export function openApiIndex(hashes: ReadonlyMap<string, string>): Json {
  return {
    paths: Object.fromEntries(
      [...hashes].map(([path, hash]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]),
    ),
  };
}

/**
 * A hash for each group version that differs when its document does: made from what the document is made of, so that the index
 * costs no rendering. `version` is the program's. Sixteen hexadecimal digits; no protection against forgery.
 */
export function openApiHashes(all: readonly Documented[], version: string): Map<string, string> {
  const inputs = new Map<string, string[]>();
  for (const documented of all) {
    const path = openApiPath(documented);
    const custom = documented.custom === undefined ? "" : stringifyJson(documented.custom.openApi ?? null);
    inputs.set(path, [...(inputs.get(path) ?? [version]), stringifyJson(documented.resource), custom]);
  }
  return new Map(
    [...inputs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, parts]) => [path, fingerprint(parts.join("\n"))]),
  );
}

/** The same for the document of OpenAPI 2. */
export function openApiV2Hash(all: readonly Documented[], version: string): string {
  return fingerprint([...openApiHashes(all, version).values()].join());
}

/** FNV-1a in two lanes of 32 bits. */
export function fingerprint(text: string): string {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ (code + i), 0x85ebca6b);
  }
  return [low, high]
    .map((lane) => (lane >>> 0).toString(16).padStart(8, "0"))
    .join("")
    .toUpperCase();
}
