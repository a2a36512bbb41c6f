/** One request of a story, and what its answer must hold. Texts in braces (`{rv}`) are values kept from earlier answers. */
export interface Step {
  readonly send: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly answer?: unknown;
  readonly text?: RegExp;
  /** Kept from the answer by dotted path. */
  readonly keep?: Readonly<Record<string, string>>;
}

export interface Story {
  readonly name: string;
  readonly steps: readonly Step[];
}

const merge = { "content-type": "application/merge-patch+json" };
const json = { "content-type": "application/json-patch+json" };
const strategic = { "content-type": "application/strategic-merge-patch+json" };
const apply = { "content-type": "application/apply-patch+yaml" };
const yaml = { "content-type": "application/yaml" };

const maps = "/api/v1/namespaces/default/configmaps";
const pods = "/api/v1/namespaces/default/pods";
const deployments = "/apis/apps/v1/namespaces/default/deployments";

const pod = {
  metadata: { name: "p", labels: { app: "web" } },
  spec: {
    containers: [
      { name: "c", image: "i" },
      { name: "d", image: "i" },
    ],
  },
};
const deployment = {
  metadata: { name: "web" },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "0.5" } } }] },
    },
  },
};

export const writeStories: readonly Story[] = [
  {
    name: "create, get, update with the revision, delete",
    steps: [
      {
        send: `POST ${maps}`,
        body: { metadata: { name: "a" }, data: { k: "v" } },
        status: 201,
        answer: {
          kind: "ConfigMap",
          apiVersion: "v1",
          metadata: { name: "a", namespace: "default", resourceVersion: /^\d{13}$/, uid: /-/ },
        },
        keep: { rv: "metadata.resourceVersion", uid: "metadata.uid" },
      },
      { send: `GET ${maps}/a`, status: 200, answer: { data: { k: "v" }, metadata: { resourceVersion: "{rv}" } } },
      {
        send: `PUT ${maps}/a`,
        body: { metadata: { name: "a", resourceVersion: "{rv}" }, data: { k: "w" } },
        status: 200,
        answer: { data: { k: "w" } },
      },
      {
        send: `PUT ${maps}/a`,
        body: { metadata: { name: "a", resourceVersion: "{rv}" }, data: { k: "x" } },
        status: 409,
        answer: {
          kind: "Status",
          reason: "Conflict",
          message:
            /^Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes/,
          details: { name: "a", kind: "configmaps" },
        },
      },
      {
        send: `PUT ${maps}/a`,
        body: { metadata: { name: "a", uid: "other" } },
        status: 409,
        answer: { message: /UID in precondition: other, UID in object meta/ },
      },
      { send: `DELETE ${maps}/a`, body: { preconditions: { uid: "wrong" } }, status: 409 },
      {
        send: `DELETE ${maps}/a`,
        body: { preconditions: { uid: "{uid}" } },
        status: 200,
        answer: { status: "Success", details: { name: "a", kind: "configmaps", uid: "{uid}" } },
      },
      {
        send: `GET ${maps}/a`,
        status: 404,
        answer: {
          reason: "NotFound",
          message: 'configmaps "a" not found',
          details: { name: "a", kind: "configmaps" },
          code: 404,
        },
      },
    ],
  },
  {
    name: "a name is taken once; generateName finds free ones",
    steps: [
      { send: `POST ${maps}`, body: { metadata: { name: "a" } }, status: 201 },
      {
        send: `POST ${maps}`,
        body: { metadata: { name: "a" } },
        status: 409,
        answer: { reason: "AlreadyExists", message: 'configmaps "a" already exists' },
      },
      {
        send: `POST ${maps}`,
        body: { metadata: { generateName: "g-" } },
        status: 201,
        answer: { metadata: { name: /^g-[a-z0-9]{5}$/, generateName: "g-" } },
      },
      {
        send: `POST ${maps}`,
        body: { metadata: { name: "a", namespace: "elsewhere" } },
        status: 400,
        answer: { message: /does not match the namespace sent on the request/ },
      },
    ],
  },
  {
    name: "an update that changes nothing keeps the revision",
    steps: [
      {
        send: `POST ${maps}`,
        body: { metadata: { name: "a" }, data: { k: "v" } },
        status: 201,
        keep: { rv: "metadata.resourceVersion" },
      },
      {
        send: `PATCH ${maps}/a`,
        headers: merge,
        body: { data: { k: "v" } },
        status: 200,
        answer: { metadata: { resourceVersion: "{rv}" } },
      },
      {
        send: `PUT ${maps}/a`,
        body: { metadata: { name: "a" }, data: { k: "v" } },
        status: 200,
        answer: { metadata: { resourceVersion: "{rv}" } },
      },
    ],
  },
  {
    name: "dry runs change nothing",
    steps: [
      {
        send: `POST ${maps}?dryRun=All`,
        body: { metadata: { name: "a" } },
        status: 201,
        answer: { metadata: { name: "a" } },
      },
      { send: `GET ${maps}/a`, status: 404 },
      {
        send: `POST ${maps}`,
        body: { metadata: { name: "a" }, data: { k: "v" } },
        status: 201,
        keep: { rv: "metadata.resourceVersion" },
      },
      {
        send: `PATCH ${maps}/a?dryRun=All`,
        headers: merge,
        body: { data: { k: "w" } },
        status: 200,
        answer: { data: { k: "w" } },
      },
      { send: `DELETE ${maps}/a?dryRun=All`, status: 200 },
      { send: `GET ${maps}/a`, status: 200, answer: { data: { k: "v" }, metadata: { resourceVersion: "{rv}" } } },
    ],
  },
  {
    name: "the four patches",
    steps: [
      {
        send: `POST ${deployments}`,
        body: deployment,
        status: 201,
        answer: {
          metadata: { generation: 1 },
          spec: { template: { spec: { containers: [{ resources: { requests: { cpu: "500m" } } }] } } },
        },
      },
      {
        send: `PATCH ${deployments}/web`,
        headers: json,
        body: [{ op: "replace", path: "/spec/replicas", value: 3 }],
        status: 200,
        answer: { spec: { replicas: 3 }, metadata: { generation: 2 } },
      },
      {
        send: `PATCH ${deployments}/web`,
        headers: merge,
        body: { spec: { replicas: 4 } },
        status: 200,
        answer: { spec: { replicas: 4 } },
      },
      {
        send: `PATCH ${deployments}/web`,
        headers: strategic,
        body: { spec: { template: { spec: { containers: [{ name: "d", image: "j" }] } } } },
        status: 200,
        answer: { spec: { template: { spec: { containers: [{ name: "c" }, { name: "d" }] } } } },
      },
      {
        send: `PATCH ${deployments}/web?fieldManager=other`,
        headers: apply,
        body: { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" }, spec: { replicas: 9 } },
        status: 409,
        answer: {
          reason: "Conflict",
          details: { causes: [{ reason: "FieldManagerConflict", field: ".spec.replicas" }] },
        },
      },
      {
        send: `PATCH ${deployments}/web?fieldManager=other&force=true`,
        headers: apply,
        body: { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" }, spec: { replicas: 9 } },
        status: 200,
        answer: { spec: { replicas: 9 } },
      },
      {
        send: `PATCH ${maps}/new?fieldManager=m`,
        headers: apply,
        body: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\ndata: {a: b}\n",
        status: 201,
        answer: { data: { a: "b" } },
      },
      {
        send: `PATCH ${maps}/new`,
        headers: { "content-type": "text/plain" },
        body: "{}",
        status: 415,
        answer: { reason: "UnsupportedMediaType" },
      },
      { send: `PATCH ${maps}/new`, headers: apply, body: {}, status: 422 },
    ],
  },
  {
    name: "spec and status are apart",
    steps: [
      {
        send: `POST ${deployments}`,
        body: { ...deployment, status: { replicas: 7 } },
        status: 201,
        answer: { status: { replicas: undefined } },
      },
      {
        send: `PATCH ${deployments}/web/status`,
        headers: merge,
        body: { status: { replicas: 2, observedGeneration: 1 }, spec: { replicas: 8 } },
        status: 200,
        answer: { status: { replicas: 2 }, spec: { replicas: 2 }, metadata: { generation: 1 } },
      },
      {
        send: `PATCH ${deployments}/web`,
        headers: merge,
        body: { status: { replicas: 5 }, spec: { replicas: 3 } },
        status: 200,
        answer: { status: { replicas: 2 }, spec: { replicas: 3 }, metadata: { generation: 2 } },
      },
    ],
  },
  {
    name: "scale reads and writes replicas",
    steps: [
      { send: `POST ${deployments}`, body: deployment, status: 201, keep: { uid: "metadata.uid" } },
      {
        send: `GET ${deployments}/web/scale`,
        status: 200,
        answer: {
          kind: "Scale",
          apiVersion: "autoscaling/v1",
          metadata: { name: "web", uid: "{uid}" },
          spec: { replicas: 2 },
          status: { selector: "app=web" },
        },
      },
      {
        send: `PATCH ${deployments}/web/scale`,
        headers: merge,
        body: { spec: { replicas: 5 } },
        status: 200,
        answer: { spec: { replicas: 5 } },
      },
      {
        send: `PUT ${deployments}/web/scale`,
        body: { metadata: { name: "web" }, spec: { replicas: -1 } },
        status: 422,
      },
      { send: `GET ${deployments}/web`, status: 200, answer: { spec: { replicas: 5 }, metadata: { generation: 2 } } },
    ],
  },
  {
    name: "finalizers hold a deleted object, and none can be added",
    steps: [
      { send: `POST ${maps}`, body: { metadata: { name: "a", finalizers: ["example.com/hold"] } }, status: 201 },
      {
        send: `DELETE ${maps}/a`,
        status: 200,
        answer: { kind: "ConfigMap", metadata: { deletionTimestamp: /Z$/, deletionGracePeriodSeconds: 0 } },
      },
      {
        send: `PATCH ${maps}/a`,
        headers: merge,
        body: { metadata: { finalizers: ["example.com/hold", "example.com/more"] } },
        status: 422,
        answer: { message: /no new finalizers can be added/ },
      },
      { send: `PATCH ${maps}/a`, headers: merge, body: { metadata: { finalizers: [] } }, status: 200 },
      { send: `GET ${maps}/a`, status: 404 },
    ],
  },
  {
    name: "propagation policies leave their finalizers",
    steps: [
      { send: `POST ${maps}`, body: { metadata: { name: "a" } }, status: 201 },
      {
        send: `DELETE ${maps}/a`,
        body: { propagationPolicy: "Foreground" },
        status: 200,
        answer: { metadata: { finalizers: ["foregroundDeletion"] } },
      },
      { send: `DELETE ${maps}/a`, body: { propagationPolicy: "Background" }, status: 200 },
      { send: `GET ${maps}/a`, status: 404 },
      { send: `POST ${maps}`, body: { metadata: { name: "b" } }, status: 201 },
      {
        send: `DELETE ${maps}/b?propagationPolicy=Orphan`,
        status: 200,
        answer: { metadata: { finalizers: ["orphan"] } },
      },
      { send: `DELETE ${maps}/b?propagationPolicy=Sideways`, status: 422 },
    ],
  },
  {
    name: "pods get grace, a bound pod keeps it, force takes it away",
    steps: [
      { send: `POST ${pods}`, body: pod, status: 201, answer: { status: { phase: "Pending" } } },
      {
        send: `POST ${pods}/p/binding`,
        body: { metadata: { name: "p" }, target: { kind: "Node", name: "n" } },
        status: 201,
        answer: { status: "Success" },
      },
      {
        send: `POST ${pods}/p/binding`,
        body: { metadata: { name: "p" }, target: { kind: "Node", name: "m" } },
        status: 409,
        answer: { message: /already assigned to node "n"/ },
      },
      { send: `DELETE ${pods}/p`, status: 200, answer: { metadata: { deletionGracePeriodSeconds: 30 } } },
      {
        send: `DELETE ${pods}/p?gracePeriodSeconds=5`,
        status: 200,
        answer: { metadata: { deletionGracePeriodSeconds: 5 } },
      },
      { send: `DELETE ${pods}/p?gracePeriodSeconds=0`, status: 200, answer: { kind: "Pod" } },
      { send: `GET ${pods}/p`, status: 404 },
    ],
  },
  {
    name: "eviction asks the disruption budget",
    steps: [
      { send: `POST ${pods}`, body: pod, status: 201 },
      {
        send: `POST /apis/policy/v1/namespaces/default/poddisruptionbudgets`,
        body: { metadata: { name: "b" }, spec: { minAvailable: 1, selector: { matchLabels: { app: "web" } } } },
        status: 201,
      },
      {
        send: `PATCH ${pods}/p/status`,
        headers: merge,
        body: { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
        status: 200,
      },
      {
        send: `PATCH /apis/policy/v1/namespaces/default/poddisruptionbudgets/b/status`,
        headers: merge,
        body: {
          status: {
            observedGeneration: 1,
            disruptionsAllowed: 0,
            currentHealthy: 1,
            desiredHealthy: 1,
            expectedPods: 1,
          },
        },
        status: 200,
      },
      {
        send: `POST ${pods}/p/eviction`,
        body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p" } },
        status: 429,
        answer: { reason: "TooManyRequests", details: { causes: [{ reason: "DisruptionBudget" }] } },
      },
      {
        send: `PATCH /apis/policy/v1/namespaces/default/poddisruptionbudgets/b/status`,
        headers: merge,
        body: { status: { disruptionsAllowed: 1 } },
        status: 200,
      },
      {
        send: `POST ${pods}/p/eviction`,
        body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p" } },
        status: 201,
      },
      {
        send: `GET /apis/policy/v1/namespaces/default/poddisruptionbudgets/b`,
        status: 200,
        answer: { status: { disruptionsAllowed: 0, disruptedPods: { p: /Z$/ } } },
      },
    ],
  },
  {
    name: "field validation says what is unknown or given twice",
    steps: [
      {
        send: `POST ${maps}?fieldValidation=Strict`,
        body: { metadata: { name: "a" }, dtaa: {} },
        status: 400,
        answer: { reason: "BadRequest", message: /strict decoding error: unknown field "dtaa"/ },
      },
      {
        send: `POST ${maps}?fieldValidation=Strict`,
        body: '{"metadata":{"name":"a"},"data":{"k":"1","k":"2"}}',
        status: 400,
        answer: { message: /duplicate field "data.k"/ },
      },
      { send: `POST ${maps}?fieldValidation=Ignore`, body: { metadata: { name: "a" }, dtaa: {} }, status: 201 },
      { send: `POST ${maps}?fieldValidation=Sometimes`, body: { metadata: { name: "b" } }, status: 422 },
      {
        send: `POST ${pods}`,
        body: { metadata: { name: "A" }, spec: {} },
        status: 422,
        answer: { reason: "Invalid", message: /^Pod "A" is invalid: \[/, details: { kind: "Pod", name: "A" } },
      },
      { send: `POST ${maps}`, body: "{", status: 400 },
      { send: `POST ${maps}`, headers: { "content-type": "text/plain" }, body: "x", status: 415 },
      { send: `POST ${maps}`, body: { kind: "Secret", apiVersion: "v1", metadata: { name: "s" } }, status: 400 },
      {
        send: `POST ${maps}`,
        headers: yaml,
        body: "metadata:\n  name: from-yaml\ndata:\n  a: b\n",
        status: 201,
        answer: { data: { a: "b" } },
      },
    ],
  },
  {
    name: "one object in two versions and two groups",
    steps: [
      {
        send: "POST /apis/events.k8s.io/v1/namespaces/default/events",
        body: {
          metadata: { name: "e" },
          eventTime: "2026-01-01T00:00:00.000000Z",
          reportingController: "example.com/c",
          reportingInstance: "i",
          action: "Do",
          reason: "Because",
          type: "Normal",
          note: "hello",
          regarding: { kind: "Pod", name: "p", namespace: "default" },
        },
        status: 201,
        answer: { apiVersion: "events.k8s.io/v1", note: "hello" },
        keep: { uid: "metadata.uid" },
      },
      {
        send: "GET /api/v1/namespaces/default/events/e",
        status: 200,
        answer: {
          apiVersion: "v1",
          kind: "Event",
          message: "hello",
          involvedObject: { name: "p" },
          metadata: { uid: "{uid}" },
        },
      },
      ...["/api/v1", "/apis/events.k8s.io/v1"].flatMap((root): Step[] => {
        const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
        const answer = {
          kind: "Table",
          rows: [{ cells: [/./, "Normal", "Because", "pod/p", "", /./, "hello", /./, 1, "e"] }],
        };
        const path = `${root}/namespaces/default/events`;
        const merge = { ...headers, "content-type": "application/merge-patch+json" };
        return [
          { send: `GET ${path}`, headers, status: 200, answer },
          { send: `GET ${path}/e`, headers, status: 200, answer },
          {
            send: `PATCH ${path}/e?dryRun=All`,
            headers: merge,
            body: { metadata: { labels: { a: "b" } } },
            status: 200,
            answer,
          },
        ];
      }),
      {
        send: "GET /apis/events.k8s.io/v1/namespaces/default/events",
        status: 200,
        answer: { kind: "EventList", apiVersion: "events.k8s.io/v1", items: [{ note: "hello" }] },
      },
      {
        send: "POST /apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
        body: {
          metadata: { name: "h" },
          spec: {
            scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
            maxReplicas: 3,
            targetCPUUtilizationPercentage: 70,
          },
        },
        status: 201,
        answer: { apiVersion: "autoscaling/v1", spec: { targetCPUUtilizationPercentage: 70 } },
      },
      {
        send: "GET /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/h",
        status: 200,
        answer: { spec: { metrics: [{ resource: { target: { averageUtilization: 70 } } }] } },
      },
    ],
  },
  {
    name: "a namespace goes when both kinds of finalizers are gone",
    steps: [
      { send: "POST /api/v1/namespaces", body: { metadata: { name: "n" } }, status: 201 },
      {
        send: "DELETE /api/v1/namespaces/n",
        status: 200,
        answer: { kind: "Namespace", status: { phase: "Terminating" }, spec: { finalizers: ["kubernetes"] } },
      },
      { send: "PUT /api/v1/namespaces/n", body: { metadata: { name: "n" }, spec: { finalizers: [] } }, status: 200 },
      { send: "GET /api/v1/namespaces/n", status: 200, answer: { spec: { finalizers: ["kubernetes"] } } },
      {
        send: "PUT /api/v1/namespaces/n/finalize",
        body: { metadata: { name: "n" }, spec: { finalizers: [] } },
        status: 200,
      },
      { send: "GET /api/v1/namespaces/n", status: 404 },
    ],
  },
];
