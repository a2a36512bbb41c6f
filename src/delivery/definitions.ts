import type { CustomResourceDefinition } from "#api/generated/apiextensions-v1.ts";
import type { ClusterRole, ClusterRoleBinding } from "#api/generated/rbac-v1.ts";
import type { Draft } from "#api/resource.ts";

const text = { type: "string" };
const whole = { type: "integer", format: "int64", minimum: 0 };
const free = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const duration = { type: "string", pattern: "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$" };
const percent = { type: "string", pattern: "^[0-9]{1,3}(\\.[0-9]{1,2})?%$" };
const token = { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" };
const name = { type: "string", minLength: 1, maxLength: 63 };

function object(properties: Record<string, unknown>, required: readonly string[] = []): Record<string, unknown> {
  return { type: "object", properties, ...(required.length === 0 ? {} : { required: [...required] }) };
}

function list(items: unknown, most: number): Record<string, unknown> {
  return { type: "array", items, maxItems: most };
}

const users = { header: token, cookie: token, jwtClaim: token, clientAddress: { type: "boolean" } };
const testers = object({ header: token, value: token }, ["header", "value"]);
const statuses = list({ type: "string", pattern: "^([45][0-9]{2}|[45]xx)$" }, 100);
const excludedPaths = list({ type: "string", maxLength: 1024 }, 100);

const methods = list({ type: "string", enum: ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] }, 7);

const step = {
  ...object({
    share: percent,
    mirror: percent,
    methods,
    for: duration,
    minUsers: whole,
    minRequests: whole,
    approval: { type: "boolean" },
    replicas: { type: "integer", minimum: 1 },
  }),
  "x-kubernetes-validations": [
    {
      rule: "has(self.share) != has(self.mirror)",
      message: "a step has either a share of the users, or mirrors requests",
    },
  ],
};

const number = { type: "number" };
const check = object(
  {
    name: token,
    every: duration,
    promQL: object(
      { query: { type: "string", minLength: 1, maxLength: 4096 }, min: number, max: number, serviceAccount: text },
      ["query"],
    ),
    webhook: object({
      url: { type: "string", pattern: "^https://", maxLength: 2048 },
      service: object(
        { name, port: { type: "integer", minimum: 1, maximum: 65_535 }, path: { type: "string", maxLength: 1024 } },
        ["name"],
      ),
      caBundle: { type: "string", maxLength: 65_536 },
    }),
  },
  ["name"],
);

const canarySpec = object(
  {
    deployment: name,
    ingress: name,
    service: name,
    users: object({ ...users, only: { type: "string", enum: ["new"] } }),
    steps: { ...list(step, 100), minItems: 1 },
    rollback: object({ usersInErrors: percent, requestsInErrors: percent, confidence: percent }),
    errors: object({ statuses, slowerThan: duration }),
    notEnoughData: object({ then: { type: "string", enum: ["wait", "extend", "fail"] }, after: duration }, ["then"]),
    checks: list(check, 10),
    testers,
    excludedPaths,
  },
  ["deployment", "users", "steps"],
);

const splitSpec = object(
  {
    service: name,
    ingress: name,
    to: object({ service: name, replicaSet: text }, ["service"]),
    users: object(users),
    hashKey: { type: "string", pattern: "^[A-Za-z0-9]{8,64}$" },
    threshold: { type: "integer", minimum: 0, maximum: 10_000 },
    newSince: whole,
    testers,
    excludedPaths,
    errors: object({ statuses, slowerThanMs: { type: "integer", minimum: 1 } }),
    run: { type: "string", pattern: "^[A-Za-z0-9-]{1,64}$" },
    mirror: object({ threshold: { type: "integer", minimum: 0, maximum: 10_000 }, methods }, ["threshold"]),
  },
  ["service", "to", "users", "hashKey", "threshold"],
);

const side = object({ users: whole, inErrors: whole }, ["users", "inErrors"]);
const requests = object({ requests: whole, inErrors: whole }, ["requests", "inErrors"]);
const mirrored = object({ copies: requests, originals: requests, dropped: whole }, ["copies", "originals", "dropped"]);

const countSpec = object(
  {
    split: name,
    node: text,
    threshold: whole,
    run: text,
    chosen: side,
    others: side,
    mirrored,
    at: { type: "string", format: "date-time" },
    samples: list({ type: "string", maxLength: 300 }, 5),
  },
  ["split", "node", "threshold", "run", "chosen", "others", "at"],
);

const holdSpec = object(
  {
    services: list(name, 100),
    phase: { type: "string", enum: ["Awake", "FallingAsleep", "Asleep"] },
    sleep: whole,
    since: { type: "string", format: "date-time" },
  },
  ["services", "phase", "sleep", "since"],
);

const demandSpec = object(
  {
    hold: { type: "string", minLength: 1, maxLength: 253 },
    holdUid: text,
    sleep: whole,
    node: text,
    service: name,
    at: { type: "string", format: "date-time" },
  },
  ["hold", "holdUid", "sleep", "node", "service", "at"],
);

interface Column {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
}

function column(title: string, jsonPath: string, type = "string"): Column {
  return { name: title, type, jsonPath };
}

function definition(
  kind: string,
  plural: string,
  properties: Record<string, unknown>,
  columns: readonly Column[],
): Draft<CustomResourceDefinition> {
  const hasStatus = Object.hasOwn(properties, "status");
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.delivery.steersman.dev` },
    spec: {
      group: "delivery.steersman.dev",
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: object(properties, ["spec"]) },
          ...(hasStatus ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: [...columns, column("Age", ".metadata.creationTimestamp", "date")],
        },
      ],
    },
  } as Draft<CustomResourceDefinition>;
}

/** The kinds of this room, as any operator would bring them. */
export const deliveryDefinitions: readonly Draft<CustomResourceDefinition>[] = [
  definition("Canary", "canaries", { spec: canarySpec, status: free }, [
    column("Deployment", ".spec.deployment"),
    column("Phase", ".status.phase"),
    column("Share", ".status.share"),
    column("Users", ".status.users.users", "integer"),
    column("In Errors", ".status.users.inErrors", "integer"),
    column("Verdict", ".status.verdict"),
  ]),
  definition("TrafficSplit", "trafficsplits", { spec: splitSpec }, [
    column("Service", ".spec.service"),
    column("To", ".spec.to.replicaSet"),
    column("Threshold", ".spec.threshold", "integer"),
  ]),
  definition("TrafficCount", "trafficcounts", { spec: countSpec }, [
    column("Node", ".spec.node"),
    column("Users", ".spec.chosen.users", "integer"),
    column("In Errors", ".spec.chosen.inErrors", "integer"),
    column("Others", ".spec.others.users", "integer"),
  ]),
  definition("TrafficHold", "trafficholds", { spec: holdSpec }, [
    column("Phase", ".spec.phase"),
    column("Since", ".spec.since", "date"),
    column("Sleeps", ".spec.sleep", "integer"),
    column("Services", ".spec.services"),
  ]),
  definition("TrafficDemand", "trafficdemands", { spec: demandSpec }, [
    column("Hold", ".spec.hold"),
    column("Sleep", ".spec.sleep", "integer"),
    column("Service", ".spec.service"),
    column("Node", ".spec.node"),
  ]),
];

const roleName = "system:steersman:node-traffic";

/** What every node's ingress may do with them: read who is split and what is held, tell what it counted and for what requests wait. */
export const nodeTrafficRole: Draft<ClusterRole> = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name: roleName },
  rules: [
    {
      apiGroups: ["delivery.steersman.dev"],
      resources: ["trafficsplits", "trafficholds"],
      verbs: ["get", "list", "watch"],
    },
    {
      apiGroups: ["delivery.steersman.dev"],
      resources: ["trafficcounts", "trafficdemands"],
      verbs: ["create", "get", "patch"],
    },
  ],
};

export const nodeTrafficBinding: Draft<ClusterRoleBinding> = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: roleName },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: roleName },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "system:nodes" }],
};
