import type { Step, Story } from "./cases.ts";

const merge = { "content-type": "application/merge-patch+json" };
const maps = "/api/v1/namespaces/default/configmaps";

export const readStories: readonly Story[] = [
  {
    name: "lists page through one snapshot",
    steps: [
      { send: `POST ${maps}`, body: { metadata: { name: "a", labels: { n: "1" } } }, status: 201 },
      { send: `POST ${maps}`, body: { metadata: { name: "b", labels: { n: "2" } } }, status: 201 },
      { send: `POST ${maps}`, body: { metadata: { name: "c", labels: { n: "1" } } }, status: 201 },
      {
        send: `GET ${maps}?limit=2`,
        status: 200,
        answer: {
          kind: "ConfigMapList",
          items: [{ metadata: { name: "a" } }, { metadata: { name: "b" } }],
          metadata: { remainingItemCount: 1 },
        },
        keep: { next: "metadata.continue", rv: "metadata.resourceVersion" },
      },
      { send: `DELETE ${maps}/c`, status: 200 },
      {
        send: `GET ${maps}?limit=2&continue={next}`,
        status: 200,
        answer: { items: [{ metadata: { name: "c" } }], metadata: { resourceVersion: "{rv}", continue: undefined } },
      },
      { send: `GET ${maps}?labelSelector=n%3D1`, status: 200, answer: { items: [{ metadata: { name: "a" } }] } },
      {
        send: `GET ${maps}?fieldSelector=metadata.name%3Db`,
        status: 200,
        answer: { items: [{ metadata: { name: "b" } }] },
      },
      { send: `GET ${maps}?fieldSelector=spec.x%3Db`, status: 400 },
      { send: `GET ${maps}?labelSelector=%21%21`, status: 400 },
      { send: `GET ${maps}?continue=nonsense`, status: 400 },
      { send: `GET ${maps}?limit=-1`, status: 200, answer: { items: [{}, {}], metadata: { continue: undefined } } },
      { send: `GET ${maps}?limit=some`, status: 400, answer: { message: /parsing "some": invalid syntax/ } },
      { send: `GET ${maps}?timeoutSeconds=1s`, status: 400, answer: { message: /parsing "1s": invalid syntax/ } },
      { send: `GET ${maps}?watch=1&timeoutSeconds=1.5`, status: 400, answer: { reason: "BadRequest" } },
      {
        send: `GET ${maps}?resourceVersion={rv}&resourceVersionMatch=Exact`,
        status: 200,
        answer: { metadata: { resourceVersion: "{rv}" }, items: [{}, {}, {}] },
      },
      { send: `GET ${maps}?resourceVersionMatch=Exact`, status: 400 },
      { send: `GET ${maps}?resourceVersionMatch=NotOlderThan`, status: 400 },
      { send: `GET ${maps}?resourceVersion=0&resourceVersionMatch=Exact`, status: 400 },
      { send: `GET ${maps}?resourceVersion={rv}&resourceVersionMatch=Exact&continue={next}`, status: 400 },
      {
        send: `GET ${maps}?resourceVersion={rv}&resourceVersionMatch=Newest`,
        status: 422,
        answer: { details: { causes: [{ field: "resourceVersionMatch", reason: "FieldValueNotSupported" }] } },
      },
      {
        send: `GET ${maps}?sendInitialEvents=true`,
        status: 422,
        answer: { reason: "Invalid", message: /ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: / },
      },
      {
        send: `GET ${maps}?watch=1&sendInitialEvents=true`,
        status: 422,
        answer: { details: { causes: [{ field: "resourceVersionMatch", reason: "FieldValueForbidden" }] } },
      },
      {
        send: `GET ${maps}?watch=1&resourceVersionMatch=NotOlderThan`,
        status: 422,
        answer: { details: { causes: [{ field: "resourceVersionMatch", reason: "FieldValueForbidden" }] } },
      },
      {
        send: `GET ${maps}?watch=1&sendInitialEvents=true&resourceVersionMatch=Exact`,
        status: 422,
        answer: {
          details: { causes: [{ reason: "FieldValueForbidden" }, { reason: "FieldValueNotSupported" }] },
        },
      },
      { send: `GET ${maps}?resourceVersion=1&resourceVersionMatch=Exact`, status: 410, answer: { reason: "Expired" } },
      { send: `DELETE ${maps}?labelSelector=n%3D1`, status: 200 },
      { send: `GET ${maps}`, status: 200, answer: { items: [{ metadata: { name: "b" } }] } },
    ],
  },
  {
    name: "tables and metadata alone",
    steps: [
      { send: `POST ${maps}`, body: { metadata: { name: "a", labels: { l: "m" } }, data: { k: "v" } }, status: 201 },
      {
        send: `GET ${maps}`,
        headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" },
        status: 200,
        answer: {
          kind: "Table",
          apiVersion: "meta.k8s.io/v1",
          columnDefinitions: [{ name: "Name" }, { name: "Data" }, { name: "Age" }],
          rows: [{ cells: ["a", 1, /s$/], object: { kind: "PartialObjectMetadata", metadata: { name: "a" } } }],
        },
      },
      {
        send: `GET ${maps}/a`,
        headers: { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" },
        status: 200,
        answer: { kind: "PartialObjectMetadata", metadata: { labels: { l: "m" } }, data: undefined },
      },
      {
        send: `GET ${maps}`,
        headers: { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" },
        status: 200,
        answer: { kind: "PartialObjectMetadataList", items: [{ kind: "PartialObjectMetadata" }] },
      },
      {
        send: `GET ${maps}?includeObject=All`,
        headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
        status: 400,
        answer: { message: /^Unable to convert to Table as requested: includeObject: Unsupported value: "All"/ },
      },
      { send: `GET ${maps}`, headers: { accept: "image/png" }, status: 406, answer: { reason: "NotAcceptable" } },
      { send: `GET ${maps}/a`, headers: { accept: "application/yaml" }, status: 200, text: /^kind: ConfigMap\n/ },
      { send: `GET ${maps}/a?pretty=true`, status: 200, text: /\n {2}"kind": "ConfigMap",\n/ },
      { send: `GET ${maps}/a?pretty=false`, headers: { "user-agent": "curl/8.9.1" }, status: 200, text: /^\{"kind"/ },
      { send: `GET ${maps}/a`, headers: { "user-agent": "kubectl/v1.36.0" }, status: 200, text: /^\{"kind"/ },
      ...["curl/8.9.1", "Wget/1.25.0", "Mozilla/5.0 (X11; Linux x86_64)"].flatMap((agent): Step[] => {
        const headers = { "user-agent": agent };
        return [
          { send: `GET ${maps}/a`, headers, status: 200, text: /^\{\n {2}"kind": "ConfigMap",\n/ },
          { send: `GET ${maps}`, headers, status: 200, text: /\n {2}"items": \[\n {4}\{\n {6}"metadata": \{\n/ },
          { send: `GET ${maps}?labelSelector=l%3Dnone`, headers, status: 200, text: /\n {2}"items": \[\]\n\}$/ },
          { send: `GET ${maps}/none`, headers, status: 404, text: /\n {2}"reason": "NotFound",\n/ },
          { send: "GET /version", headers, status: 200, text: /\n {2}"major": "1",\n/ },
        ];
      }),
    ],
  },
  {
    name: "paths that lead nowhere, and none that lead out (CVE-2015-5305, CVE-2022-3162)",
    steps: [
      ...["..", "%2e%2e", "a%2fb", "%00", "%c0%af", ".", "a%25b"].map((name): Step => ({
        send: `GET ${maps}/${name}`,
        status: 404,
      })),
      { send: "GET /api/v1/namespaces/default//configmaps", status: 404 },
      {
        send: "GET /api/v1/namespaces/default/nothings",
        status: 404,
        answer: { message: "the server could not find the requested resource" },
      },
      { send: "GET /apis/none/v1", status: 404 },
      ...[`OPTIONS ${maps}`, `PUT ${maps}`, `POST ${maps}/a`, "DELETE /api/v1", "POST /apis/apps", "PUT /healthz"].map(
        (wrong): Step => ({ send: wrong, status: 405, answer: { reason: "MethodNotAllowed" } }),
      ),
      { send: "OPTIONS /api/v1/namespaces/default/nothings", status: 404 },
      { send: "POST /nowhere", status: 404 },
      { send: "GET /nowhere", status: 404, text: /404 page not found/ },
      { send: `POST ${maps}/a`, body: {}, status: 405 },
      { send: "DELETE /api/v1/namespaces", status: 405 },
    ],
  },
  {
    name: "discovery, version and health",
    steps: [
      { send: "GET /version", status: 200, answer: { major: "1", minor: "36", gitVersion: "v1.36.0+steersman.1" } },
      { send: "GET /healthz", status: 200, text: /^ok$/ },
      { send: "GET /livez?verbose", status: 200, text: /^\[\+\]ping ok\nlivez check passed\n$/ },
      { send: "GET /readyz/ping", status: 200, text: /^ok$/ },
      { send: "GET /readyz/none", status: 404 },
      { send: "GET /api", status: 200, answer: { kind: "APIVersions", versions: ["v1"] } },
      {
        send: "GET /apis/apps",
        status: 200,
        answer: { kind: "APIGroup", preferredVersion: { groupVersion: "apps/v1" } },
      },
      {
        send: "GET /apis/apps/v1",
        status: 200,
        answer: { kind: "APIResourceList", groupVersion: "apps/v1" },
        text: /"deployments\/scale"/,
      },
      {
        send: "GET /apis",
        headers: { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" },
        status: 200,
        text: /"APIGroupDiscoveryList"/,
      },
      { send: "GET /openapi/v3", status: 200, text: /"apis\/apps\/v1"/ },
      { send: "GET /openapi/v3/apis/apps/v1", status: 200, text: /io.k8s.api.apps.v1.Deployment/ },
    ],
  },
  {
    name: "why an object is as it is",
    steps: [
      {
        send: `POST ${maps}`,
        headers: { "user-agent": "me/1" },
        body: { metadata: { name: "a" } },
        status: 201,
        keep: { rv: "metadata.resourceVersion" },
      },
      {
        send: `PATCH ${maps}/a`,
        headers: {
          ...merge,
          "steersman-actor": "controllers/x",
          "steersman-rule": "two%20of%20three",
          "steersman-because": "core%2Fpods",
        },
        body: { data: { k: "v" } },
        status: 200,
      },
      {
        send: "GET /apis/steersman.dev/v1/records?subject=/configmaps/default/a",
        status: 200,
        answer: {
          items: [
            {
              verb: "patch",
              actor: "controllers/x",
              rule: "two of three",
              because: "core/pods",
              resourceVersionBefore: "{rv}",
            },
            { verb: "create", user: "admin", userAgent: "me/1" },
          ],
        },
      },
    ],
  },
  {
    name: "reviews answer at once",
    steps: [
      {
        send: "POST /apis/authentication.k8s.io/v1/selfsubjectreviews",
        body: {},
        status: 201,
        answer: { status: { userInfo: { username: "admin" } } },
      },
      {
        send: "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body: { spec: { resourceAttributes: { verb: "get", resource: "pods" } } },
        status: 201,
        answer: { status: { allowed: true } },
      },
      { send: "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body: { spec: {} }, status: 400 },
      {
        send: "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        body: { spec: { namespace: "default" } },
        status: 201,
        answer: { status: { resourceRules: [], nonResourceRules: [], incomplete: false } },
      },
      { send: "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body: { spec: {} }, status: 400 },
    ],
  },
];
