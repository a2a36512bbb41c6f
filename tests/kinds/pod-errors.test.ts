// What is wrong with pods, in the words that users search for; and what updates may not do.
import { test } from "node:test";
import { check, checkUpdate } from "./created.ts";

function pod(spec: string, metadata = "name: web"): string {
  return `apiVersion: v1\nkind: Pod\nmetadata: {${metadata}}\nspec: {${spec}}`;
}

const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric " +
  "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an " +
  "alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const wrong: readonly (readonly [title: string, manifest: string, errors: readonly string[]])[] = [
  [
    "a bad name",
    pod("containers: [{name: a, image: a}]", "name: Foo_Bar"),
    [`metadata.name: Invalid value: "Foo_Bar": ${subdomain}`],
  ],
  ["no containers", pod("containers: []"), ["spec.containers: Required value"]],
  [
    "several things at once",
    pod("restartPolicy: Sometimes, containers: [{name: A, image: ' a'}, {name: b}, {name: b, image: b}]"),
    [
      `spec.containers[0].name: Invalid value: "A": ${label}`,
      `spec.containers[0].image: Invalid value: " a": must not have leading or trailing whitespace`,
      "spec.containers[1].image: Required value",
      `spec.containers[2].name: Duplicate value: "b"`,
      `spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"`,
    ],
  ],
  [
    "a mount without a volume",
    pod("containers: [{name: a, image: a, volumeMounts: [{name: x, mountPath: /x}, {name: x, mountPath: /x}]}]"),
    [
      `spec.containers[0].volumeMounts[0].name: Not found: "x"`,
      `spec.containers[0].volumeMounts[1].name: Not found: "x"`,
      `spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/x": must be unique`,
    ],
  ],
  [
    "requests beyond limits",
    pod(
      "containers: [{name: a, image: a, resources: {requests: {cpu: 2, example.com/gpu: 1500m}, limits: {cpu: 1, memory: -1}}}]",
    ),
    [
      `spec.containers[0].resources.limits[memory]: Invalid value: "-1": must be greater than or equal to 0`,
      `spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`,
      `spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "1500m": must be an integer`,
      "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
      `spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0`,
    ],
  ],
  [
    "an unknown resource",
    pod("containers: [{name: a, image: a, resources: {limits: {gpu: 1}}}]"),
    [
      `spec.containers[0].resources.limits: Invalid value: "gpu": must be a standard resource type or fully qualified`,
      `spec.containers[0].resources.requests: Invalid value: "gpu": must be a standard resource type or fully qualified`,
    ],
  ],
  [
    "bad ports",
    pod(
      "hostNetwork: true, containers: [{name: a, image: a, ports: [{containerPort: 70000}, {name: " +
        "HTTP, containerPort: 80, hostPort: 81}]}]",
    ),
    [
      "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
      "spec.containers[0].ports[0].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
      `spec.containers[0].ports[1].name: Invalid value: "HTTP": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
      `spec.containers[0].ports[1].name: Invalid value: "HTTP": must contain at least one letter (a-z)`,
      "spec.containers[0].ports[1].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
    ],
  ],
  [
    "bad environment",
    pod(
      "containers: [{name: a, image: a, env: [{name: 'a=b'}, {name: a, value: x, valueFrom: {fieldRef: {fieldPath: spec.foo}}}]}]",
    ),
    [
      `spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name must ` +
        `consist only of printable ASCII characters other than '='`,
      `spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error ` +
        `converting fieldPath: field label not supported: spec.foo`,
      `spec.containers[0].env[1].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`,
    ],
  ],
  [
    "bad probes",
    pod(
      "containers: [{name: a, image: a, livenessProbe: {successThreshold: 2, exec: {command: [a]}}, " +
        "readinessProbe: {httpGet: {port: 0}, tcpSocket: {port: 1}}}]",
    ),
    [
      "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
      "spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
      "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
    ],
  ],
  [
    "bad volumes",
    pod(
      "containers: [{name: a, image: a}], volumes: [{name: v, secret: {}, configMap: {name: c}}, " +
        "{name: v, hostPath: {path: /a/../b}}, {name: g, gitRepo: {repository: x}}]",
    ),
    [
      "spec.volumes[0].secret.secretName: Required value",
      "spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type",
      `spec.volumes[1].hostPath.path: Invalid value: "/a/../b": must not contain '..'`,
      `spec.volumes[1].name: Duplicate value: "v"`,
      "spec.volumes[2].gitRepo: Forbidden: gitRepo volumes are not supported",
    ],
  ],
  [
    "bad scheduling",
    pod(
      "containers: [{name: a, image: a}], tolerations: [{operator: Exists, value: x}, {effect: " +
        "NoSchedule}], affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: " +
        "{nodeSelectorTerms: []}}}, topologySpreadConstraints: [{maxSkew: 0, topologyKey: zone, " +
        "whenUnsatisfiable: Never}]",
    ),
    [
      "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: " +
        "Required value: must have at least one node selector term",
      "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
      `spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Never": supported ` +
        `values: "DoNotSchedule", "ScheduleAnyway"`,
      `spec.tolerations[0].operator: Invalid value: {"operator":"Exists","value":"x"}: value must be empty when \`operator\` is 'Exists'`,
      'spec.tolerations[1].operator: Invalid value: "": operator must be Exists when `key` is empty, ' +
        'which means "match all values and all keys"',
    ],
  ],
  [
    "bad security",
    pod(
      "securityContext: {runAsUser: -1, seccompProfile: {type: Localhost}}, containers: [{name: a, " +
        "image: a, securityContext: {privileged: true, allowPrivilegeEscalation: false}}]",
    ),
    [
      `spec.containers[0].securityContext: Invalid value: ` +
        `{"privileged":true,"allowPrivilegeEscalation":false}: cannot set \`allowPrivilegeEscalation\` ` +
        `to false and \`privileged\` to true`,
      "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
      "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when type is Localhost",
    ],
  ],
  [
    "a probe of an init container",
    pod(
      "containers: [{name: a, image: a}], initContainers: [{name: i, image: i, livenessProbe: {exec: {command: [x]}}}]",
    ),
    [
      "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
    ],
  ],
  [
    "ephemeral containers at creation",
    pod("containers: [{name: a, image: a}], ephemeralContainers: [{name: d, image: d}]"),
    ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
  ],
  [
    "bad labels",
    pod("containers: [{name: a, image: a}]", "name: a, labels: {'a b': 'c d'}"),
    [
      `metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', ` +
        `'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or ` +
        `'my.name',  or '123-abc', regex used for validation is ` +
        `'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
      `metadata.labels: Invalid value: "c d": a valid label must be an empty string or consist of ` +
        `alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character ` +
        `(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is ` +
        `'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    ],
  ],
  [
    "no DNS configuration",
    pod("dnsPolicy: None, containers: [{name: a, image: a}]"),
    ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
  ],
];

for (const [title, manifest, errors] of wrong) test(`a pod with ${title}`, () => check(manifest, errors));

const good = pod(
  "containers: [{name: a, image: 'a:1', resources: {requests: {cpu: 1}}}], tolerations: [{key: k, operator: Exists}]",
);
const forbidden =
  "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
  "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

const updates: readonly (readonly [
  title: string,
  change: (pod: Record<string, any>) => void,
  errors: readonly string[],
  subresource?: string,
])[] = [
  ["a new image", (pod) => (pod["spec"].containers[0].image = "a:2"), []],
  ["a label", (pod) => (pod["metadata"].labels = { a: "b" }), []],
  ["a new toleration", (pod) => pod["spec"].tolerations.push({ key: "x", operator: "Exists" }), []],
  ["a deadline", (pod) => (pod["spec"].activeDeadlineSeconds = 5), []],
  ["a new command", (pod) => (pod["spec"].containers[0].command = ["x"]), [forbidden]],
  [
    "its resources on the main resource",
    (pod) => (pod["spec"].containers[0].resources.requests.cpu = "2"),
    [forbidden],
  ],
  ["its resources on resize", (pod) => (pod["spec"].containers[0].resources.requests.cpu = "2"), [], "resize"],
  [
    "one container more",
    (pod) => pod["spec"].containers.push({ name: "b", image: "b" }),
    ["spec.containers: Forbidden: pod updates may not add or remove containers"],
  ],
  [
    "no toleration",
    (pod) => (pod["spec"].tolerations = []),
    ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds", forbidden],
  ],
  [
    "a debugging container",
    (pod) => (pod["spec"].ephemeralContainers = [{ name: "d", image: "d", targetContainerName: "a" }]),
    [],
    "ephemeralcontainers",
  ],
  [
    "ports in a debugging container",
    (pod) => (pod["spec"].ephemeralContainers = [{ name: "d", image: "d", ports: [{ containerPort: 1 }] }]),
    ["spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container"],
    "ephemeralcontainers",
  ],
  ["a phase through status", (pod) => (pod["status"].phase = "Running"), [], "status"],
  ["another uid", (pod) => (pod["metadata"].uid = "x"), ['metadata.uid: Invalid value: "x": field is immutable']],
];

for (const [title, change, errors, subresource] of updates) {
  test(`a pod gets ${title}`, () => checkUpdate(good, change, errors, subresource));
}
