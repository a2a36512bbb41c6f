import type {
  FlowSchema,
  FlowSchemaSpec,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  Subject,
} from "#api/generated/flowcontrol-v1.ts";
import type { Draft } from "#api/resource.ts";

type Level = Draft<PriorityLevelConfiguration>;
type Schema = Draft<FlowSchema>;

function level(name: string, shares: number, lendablePercent: number, queues: number, handSize: number): Level {
  const limitResponse =
    queues === 0 ? { type: "Reject" } : { type: "Queue", queuing: { queues, handSize, queueLengthLimit: 50 } };
  return {
    metadata: { name },
    spec: { type: "Limited", limited: { nominalConcurrencyShares: shares, lendablePercent, limitResponse } },
  };
}

/** The priority levels that every cluster has. */
export const defaultPriorityLevels: readonly Level[] = [
  {
    metadata: { name: "exempt" },
    spec: { type: "Exempt", exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  },
  level("catch-all", 5, 0, 0, 0),
  level("node-high", 40, 25, 64, 6),
  level("system", 30, 33, 64, 6),
  level("leader-election", 10, 0, 16, 4),
  level("workload-high", 40, 50, 128, 6),
  level("workload-low", 100, 90, 128, 6),
  level("global-default", 20, 50, 128, 6),
];

const user = (name: string): Subject => ({ kind: "User", user: { name } });
const group = (name: string): Subject => ({ kind: "Group", group: { name } });
const account = (namespace: string, name: string): Subject => ({
  kind: "ServiceAccount",
  serviceAccount: { namespace, name },
});

const everyResource = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] };
const everyPath = { verbs: ["*"], nonResourceURLs: ["*"] };
const everyone = [group("system:unauthenticated"), group("system:authenticated")];
const leases = {
  verbs: ["get", "create", "update"],
  apiGroups: ["coordination.k8s.io"],
  resources: ["leases"],
  namespaces: ["*"],
};

function schema(
  name: string,
  matchingPrecedence: number,
  to: string,
  rules: readonly PolicyRulesWithSubjects[],
  distinguisher?: "ByUser" | "ByNamespace",
): Schema {
  const spec: FlowSchemaSpec = {
    matchingPrecedence,
    priorityLevelConfiguration: { name: to },
    rules: [...rules],
    ...(distinguisher !== undefined && { distinguisherMethod: { type: distinguisher } }),
  };
  return { metadata: { name }, spec };
}

const everything = (subjects: Subject[]): PolicyRulesWithSubjects => ({
  subjects,
  resourceRules: [everyResource],
  nonResourceRules: [everyPath],
});

/** The flow schemas that every cluster has: what a request is, so that its priority is known. */
export const defaultFlowSchemas: readonly Schema[] = [
  schema("exempt", 1, "exempt", [everything([group("system:masters")])]),
  schema("probes", 2, "exempt", [
    { subjects: everyone, nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/readyz", "/livez"] }] },
  ]),
  schema(
    "system-leader-election",
    100,
    "leader-election",
    [
      {
        subjects: [user("system:kube-controller-manager"), user("system:kube-scheduler"), account("kube-system", "*")],
        resourceRules: [leases],
      },
    ],
    "ByUser",
  ),
  schema(
    "workload-leader-election",
    200,
    "leader-election",
    [{ subjects: [account("kube-system", "*")], resourceRules: [leases] }],
    "ByUser",
  ),
  schema(
    "system-node-high",
    400,
    "node-high",
    [
      {
        subjects: [group("system:nodes")],
        resourceRules: [
          {
            verbs: ["*"],
            apiGroups: [""],
            resources: ["nodes", "nodes/status"],
            clusterScope: true,
            namespaces: ["*"],
          },
          { verbs: ["*"], apiGroups: ["coordination.k8s.io"], resources: ["leases"], namespaces: ["*"] },
        ],
      },
    ],
    "ByUser",
  ),
  schema("system-nodes", 500, "system", [everything([group("system:nodes")])], "ByUser"),
  schema(
    "kube-controller-manager",
    800,
    "workload-high",
    [everything([user("system:kube-controller-manager")])],
    "ByNamespace",
  ),
  schema("kube-scheduler", 800, "workload-high", [everything([user("system:kube-scheduler")])], "ByNamespace"),
  schema(
    "kube-system-service-accounts",
    900,
    "workload-high",
    [everything([account("kube-system", "*")])],
    "ByNamespace",
  ),
  schema("service-accounts", 9000, "workload-low", [everything([group("system:serviceaccounts")])], "ByUser"),
  schema("global-default", 9900, "global-default", [everything([...everyone])], "ByUser"),
  schema("catch-all", 10_000, "catch-all", [everything([...everyone])], "ByUser"),
];
