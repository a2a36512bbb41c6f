// For each kind, the mistakes that its users make most, and the words they get for them.
import { test } from "node:test";
import { check } from "./created.ts";

const template = "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}";

function manifest(apiVersion: string, kind: string, body: string, name = "x"): string {
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: '${name}'}\n${body}`;
}

const wrong: Readonly<Record<string, readonly (readonly [manifest: string, errors: readonly string[]])[]>> = {
  Deployment: [
    [manifest("apps/v1", "Deployment", `spec: {${template}}`), ["spec.selector: Required value"]],
    [
      manifest("apps/v1", "Deployment", `spec: {replicas: -1, selector: {matchLabels: {a: c}}, ${template}}`),
      [
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
      ],
    ],
    [
      manifest(
        "apps/v1",
        "Deployment",
        `spec: {selector: {matchLabels: {a: b}}, strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}, ${template}}`,
      ),
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      manifest(
        "apps/v1",
        "Deployment",
        `spec: {progressDeadlineSeconds: 5, minReadySeconds: 5, selector: {}, strategy: {rollingUpdate: ` +
          `{maxSurge: 0, maxUnavailable: 0}}, ${template}}`,
      ),
      [
        "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
      ],
    ],
  ],
  StatefulSet: [
    [
      manifest(
        "apps/v1",
        "StatefulSet",
        `spec: {podManagementPolicy: Fast, updateStrategy: {type: Never}, selector: {matchLabels: {a: b}}, ${template}}`,
      ),
      [
        `spec.podManagementPolicy: Invalid value: "Fast": must be 'OrderedReady' or 'Parallel'`,
        `spec.updateStrategy: Invalid value: {"type":"Never"}: must be 'RollingUpdate' or 'OnDelete'`,
      ],
    ],
    [
      manifest(
        "apps/v1",
        "StatefulSet",
        `spec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: Keep}, selector: {matchLabels: {a: b}}, ${template}}`,
      ),
      [
        'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": supported values: "Delete", "Retain"',
      ],
    ],
    [manifest("apps/v1", "StatefulSet", `spec: {${template}}`), ["spec.selector: Required value"]],
  ],
  DaemonSet: [
    [
      manifest(
        "apps/v1",
        "DaemonSet",
        `spec: {updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}, selector: {matchLabels: {a: b}}, ${template}}`,
      ),
      ["spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"],
    ],
    [
      manifest(
        "apps/v1",
        "DaemonSet",
        `spec: {updateStrategy: {type: Slow}, selector: {matchLabels: {a: b}}, ${template}}`,
      ),
      ['spec.updateStrategy.type: Unsupported value: "Slow": supported values: "OnDelete", "RollingUpdate"'],
    ],
    [
      manifest(
        "apps/v1",
        "DaemonSet",
        "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: " +
          "{restartPolicy: Never, containers: [{name: a, image: a}]}}}",
      ),
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
  ],
  Job: [
    [
      manifest("batch/v1", "Job", "spec: {template: {spec: {containers: [{name: a, image: a}]}}}"),
      ['spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "Never", "OnFailure"'],
    ],
    [
      manifest(
        "batch/v1",
        "Job",
        "spec: {completionMode: Indexed, backoffLimit: -1, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}",
      ).replace("backoffLimit", "parallelism: 1, backoffLimit"),
      [
        "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0",
        "spec.completions: Required value: when completion mode is Indexed",
      ],
    ],
    [
      manifest(
        "batch/v1",
        "Job",
        "spec: {podFailurePolicy: {rules: [{action: Fail, onExitCodes: {operator: In, values: [0]}}]}, " +
          "template: {spec: {restartPolicy: OnFailure, containers: [{name: a, image: a}]}}}",
      ),
      [
        'spec.podFailurePolicy.rules[0].action: Unsupported value: "Fail": supported values: "Count", "FailIndex", "FailJob", "Ignore"',
        "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator",
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
      ],
    ],
  ],
  CronJob: [
    ...(
      [
        ["99 * * * *", "end of range (99) above maximum (59): 99"],
        ["* * *", "expected exactly 5 fields, found 3: [* * *]"],
        ["TZ=UTC 0 0 * * *", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"],
        ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
        ["@sometimes", "unrecognized descriptor: @sometimes"],
      ] as const
    ).map(([schedule, message]): readonly [string, readonly string[]] => [
      manifest(
        "batch/v1",
        "CronJob",
        `spec: {schedule: '${schedule}', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, ` +
          `containers: [{name: a, image: a}]}}}}}`,
      ),
      [`spec.schedule: Invalid value: "${schedule}": ${message}`],
    ]),
    [
      manifest(
        "batch/v1",
        "CronJob",
        "spec: {schedule: '@daily', timeZone: Mars/Base, concurrencyPolicy: Maybe, jobTemplate: {spec: " +
          "{template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}}}",
      ),
      [
        'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base',
        'spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"',
      ],
    ],
  ],
  Service: [
    [manifest("v1", "Service", "spec: {}"), ["spec.ports: Required value"]],
    [
      manifest("v1", "Service", "spec: {ports: [{port: 80}, {port: 80}]}"),
      [
        "spec.ports[0].name: Required value",
        "spec.ports[1].name: Required value",
        'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}',
      ],
    ],
    [
      manifest("v1", "Service", "spec: {type: Wide, clusterIP: 1.2.3, ports: [{port: 0, nodePort: 30000}]}", "9x"),
      [
        `metadata.name: Invalid value: "9x": a DNS-1035 label must consist of lower case alphanumeric ` +
          `characters or '-', start with an alphabetic character, and end with an alphanumeric character ` +
          `(e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        'spec.clusterIPs[0]: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'spec.type: Unsupported value: "Wide": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    [manifest("v1", "Service", "spec: {type: ExternalName}"), ["spec.externalName: Required value"]],
    [
      manifest("v1", "Service", "spec: {externalTrafficPolicy: Local, ports: [{port: 80, nodePort: 30080}]}"),
      [
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
      ],
    ],
  ],
  Ingress: [
    [
      manifest("networking.k8s.io/v1", "Ingress", "spec: {}"),
      ["spec: Invalid value: []: either `defaultBackend` or `rules` must be specified"],
    ],
    [
      manifest(
        "networking.k8s.io/v1",
        "Ingress",
        "spec: {rules: [{host: 1.2.3.4, http: {paths: [{path: a, pathType: Prefix, backend: {service: {name: w}}}]}}]}",
      ),
      [
        'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
        'spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path',
        "spec.rules[0].http.paths[0].backend: Required value: port name or number is required",
      ],
    ],
    [
      manifest("networking.k8s.io/v1", "Ingress", "spec: {rules: [{http: {paths: [{path: /a//b, backend: {}}]}}]}"),
      [
        "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
        "spec.rules[0].http.paths[0].backend: Required value: must specify either `service` or `resource`",
      ],
    ],
  ],
  NetworkPolicy: [
    [
      manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "spec: {podSelector: {}, ingress: [{from: [{}], ports: [{endPort: 5}]}]}",
      ),
      [
        "spec.ingress[0].ports[0].endPort: Required value: must be defined with `port`",
        "spec.ingress[0].from[0]: Required value: must specify a peer",
      ],
    ],
    [
      manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}, podSelector: {}}]}]}",
      ),
      [
        'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
        "spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer",
      ],
    ],
    [
      manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "spec: {podSelector: {matchExpressions: [{key: a, operator: Is}]}, policyTypes: [Both]}",
      ),
      [
        'spec.podSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
        'spec.policyTypes[0]: Unsupported value: "Both": supported values: "Egress", "Ingress"',
      ],
    ],
  ],
  ConfigMap: [
    [
      manifest("v1", "ConfigMap", "data: {'a/b': x, c: x}\nbinaryData: {c: eA==}"),
      [
        `data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, ` +
          `'-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is ` +
          `'[-._a-zA-Z0-9]+')`,
        'data[c]: Invalid value: "c": duplicate of key present in binaryData',
      ],
    ],
    [manifest("v1", "ConfigMap", "data: {'..': x}"), [`data[..]: Invalid value: "..": must not be '..'`]],
  ],
  Secret: [
    [manifest("v1", "Secret", "type: kubernetes.io/tls\ndata: {tls.crt: eA==}"), ["data[tls.key]: Required value"]],
    [manifest("v1", "Secret", "type: kubernetes.io/dockerconfigjson"), ["data[.dockerconfigjson]: Required value"]],
    [
      manifest("v1", "Secret", "type: kubernetes.io/service-account-token"),
      ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
    ],
  ],
  EndpointSlice: [
    [
      manifest(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "addressType: IPv4\nendpoints: [{addresses: [127.0.0.1]}, {addresses: ['::1']}, {addresses: " +
          "[169.254.169.254]}, {addresses: []}]\nports: []",
      ),
      [
        'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'endpoints[1].addresses[0]: Invalid value: "::1": must be an IPv4 address',
        'endpoints[2].addresses[0]: Invalid value: "169.254.169.254": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
        "endpoints[3].addresses: Required value: must contain at least 1 address",
      ],
    ],
    [
      manifest("discovery.k8s.io/v1", "EndpointSlice", "addressType: Both\nendpoints: []\nports: []"),
      ['addressType: Unsupported value: "Both": supported values: "FQDN", "IPv4", "IPv6"'],
    ],
    [
      manifest(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "addressType: IPv4\nendpoints: []\nports: [{name: a}, {name: a}]",
      ),
      ['ports[1].name: Duplicate value: "a"'],
    ],
  ],
  Endpoints: [
    [
      manifest("v1", "Endpoints", "subsets: [{}]"),
      ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
    ],
    [
      manifest("v1", "Endpoints", "subsets: [{addresses: [{ip: 0.0.0.0}]}]"),
      ['subsets[0].addresses[0].ip: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)'],
    ],
    [
      manifest("v1", "Endpoints", "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 1}, {port: 2}]}]"),
      ["subsets[0].ports[0].name: Required value", "subsets[0].ports[1].name: Required value"],
    ],
  ],
  RBAC: [
    [
      manifest("rbac.authorization.k8s.io/v1", "Role", "rules: [{verbs: []}, {verbs: [get], nonResourceURLs: [/x]}]"),
      [
        "rules[0].verbs: Required value: verbs must contain at least one value",
        "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
        "rules[0].resources: Required value: resource rules must supply at least one resource",
        'rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
      ],
    ],
    [
      manifest(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "roleRef: {kind: Role, name: ''}\nsubjects: [{kind: ServiceAccount, name: a}, {kind: Robot, name: b}]",
      ),
      [
        'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
        "roleRef.name: Required value",
        "subjects[0].namespace: Required value",
        'subjects[1].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
      ],
    ],
    [
      manifest("rbac.authorization.k8s.io/v1", "ClusterRole", "rules: []", "a/b"),
      [`metadata.name: Invalid value: "a/b": may not contain '/'`],
    ],
  ],
  HorizontalPodAutoscaler: [
    [
      manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "spec: {scaleTargetRef: {kind: Deployment}, minReplicas: 5, maxReplicas: 2}",
      ),
      [
        "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`",
        "spec.scaleTargetRef.name: Required value",
      ],
    ],
    [
      manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "spec: {scaleTargetRef: {kind: Deployment, name: d}, minReplicas: 0, maxReplicas: 2}",
      ),
      [
        "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas," +
          ' or the annotation steersman.dev/scale-to-zero: "true" to be woken by requests through an Ingress',
      ],
    ],
    [
      manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "spec: {scaleTargetRef: {kind: Deployment, name: d}, maxReplicas: 2, metrics: [{type: Resource}]}",
      ),
      ["spec.metrics[0].resource: Required value: must populate information for the given metric source"],
    ],
    [
      manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "spec: {scaleTargetRef: {kind: Deployment, name: d}, maxReplicas: 0, metrics: [" +
          "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 0}}}, " +
          "{type: Pods, pods: {metric: {name: m}, target: {type: AverageValue, averageValue: 0}}}, " +
          "{type: Object, object: {metric: {name: m}, describedObject: {kind: Service, name: s}, target: {type: Value, value: '-1'}}}, " +
          "{type: External, external: {metric: {name: m}, target: {type: Value, value: 1, averageValue: 1}}}, " +
          "{type: ContainerResource, containerResource: {name: cpu, container: '', target: {type: Sideways}}}]}",
      ),
      [
        "spec.maxReplicas: Invalid value: 0: must be greater than 0",
        "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
        "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0",
        'spec.metrics[1].pods.target.averageValue: Invalid value: "0": must be greater than zero',
        'spec.metrics[2].object.target.value: Invalid value: "-1": must be greater than zero',
        "spec.metrics[3].external.target.value: Forbidden: may not set both a target value for metric and a per-pod target",
        "spec.metrics[4].containerResource.container: Required value: must specify a container",
        'spec.metrics[4].containerResource.target.type: Invalid value: "Sideways": must be either Utilization, Value, or AverageValue',
        "spec.metrics[4].containerResource.target.averageUtilization: Required value: " +
          "must set either a target raw value or a target utilization",
      ],
    ],
    [
      manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "spec: {scaleTargetRef: {kind: Deployment, name: d}, maxReplicas: 2, behavior: {" +
          "scaleUp: {tolerance: '-0.1', stabilizationWindowSeconds: 3601, selectPolicy: Some, policies: []}, " +
          "scaleDown: {stabilizationWindowSeconds: -1, policies: [{type: Half, value: 0, periodSeconds: 1801}]}}}",
      ),
      [
        "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600",
        'spec.behavior.scaleUp.selectPolicy: Unsupported value: "Some": supported values: "Disabled", "Max", "Min"',
        'spec.behavior.scaleUp.tolerance: Invalid value: "-100m": must be greater than or equal to 0',
        "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy",
        "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero",
        'spec.behavior.scaleDown.policies[0].type: Unsupported value: "Half": supported values: "Percent", "Pods"',
        "spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero",
        "spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800",
      ],
    ],
  ],
  PodDisruptionBudget: [
    [
      manifest("policy/v1", "PodDisruptionBudget", "spec: {minAvailable: 1, maxUnavailable: 101%}"),
      [
        'spec: Invalid value: {"minAvailable":1,"maxUnavailable":"101%"}: minAvailable and maxUnavailable cannot be both set',
        'spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
      ],
    ],
    [
      manifest("policy/v1", "PodDisruptionBudget", "spec: {minAvailable: -1}"),
      ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"],
    ],
    [
      manifest("policy/v1", "PodDisruptionBudget", "spec: {unhealthyPodEvictionPolicy: Never}"),
      [
        'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"',
      ],
    ],
  ],
  PersistentVolumeClaim: [
    [
      manifest("v1", "PersistentVolumeClaim", "spec: {}"),
      [
        "spec.accessModes: Required value: at least 1 access mode is required",
        "spec.resources[storage]: Required value",
      ],
    ],
    [
      manifest("v1", "PersistentVolumeClaim", "spec: {accessModes: [All], resources: {requests: {storage: 0}}}"),
      [
        'spec.accessModes: Unsupported value: "All": supported values: "ReadOnlyMany", "ReadWriteMany", ' +
          '"ReadWriteOnce", "ReadWriteOncePod"',
        'spec.resources[storage]: Invalid value: "0": must be greater than zero',
      ],
    ],
    [
      manifest(
        "v1",
        "PersistentVolumeClaim",
        "spec: {accessModes: [ReadWriteOncePod, ReadWriteOnce], resources: {requests: {storage: 1}}, volumeMode: Tape}",
      ),
      [
        "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
        'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"',
      ],
    ],
  ],
  PersistentVolume: [
    [
      manifest("v1", "PersistentVolume", "spec: {}"),
      [
        "spec.accessModes: Required value: supported modes: ReadOnlyMany, ReadWriteMany, ReadWriteOnce, ReadWriteOncePod",
        "spec.capacity: Required value",
        'spec.capacity: Unsupported value: []: supported values: "storage"',
        "spec: Required value: must specify a volume type",
      ],
    ],
    [
      manifest(
        "v1",
        "PersistentVolume",
        "spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, local: {path: /a}}",
      ),
      ["spec.nodeAffinity: Required value: Local volume requires node affinity"],
    ],
    [
      manifest(
        "v1",
        "PersistentVolume",
        "spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, hostPath: {path: /a}, nfs: " +
          "{server: s, path: /}, persistentVolumeReclaimPolicy: Burn}",
      ),
      [
        'spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values: "Delete", "Recycle", "Retain"',
        "spec.nfs: Forbidden: may not specify more than 1 volume type",
      ],
    ],
  ],
  LimitRange: [
    [
      manifest("v1", "LimitRange", "spec: {limits: [{type: Container, max: {cpu: 1}, min: {cpu: 2}}]}"),
      [
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": min value 2 is greater than defaultRequest value 1',
        'spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1',
      ],
    ],
    [
      manifest("v1", "LimitRange", "spec: {limits: [{type: Pod, default: {cpu: 1}}]}"),
      ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
    ],
    [
      manifest("v1", "LimitRange", "spec: {limits: [{type: Fleet}]}"),
      ['spec.limits[0].type: Invalid value: "Fleet": must be a standard limit type or fully qualified'],
    ],
  ],
  ResourceQuota: [
    [
      manifest("v1", "ResourceQuota", "spec: {hard: {apples: 1}}"),
      ['spec.hard[apples]: Invalid value: "apples": must be a standard resource for quota'],
    ],
    [
      manifest("v1", "ResourceQuota", "spec: {hard: {pods: 1500m}}"),
      ['spec.hard[pods]: Invalid value: "1500m": must be an integer'],
    ],
    [
      manifest("v1", "ResourceQuota", "spec: {hard: {pods: 1}, scopes: [BestEffort, NotBestEffort]}"),
      ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
    ],
  ],
  CustomResourceDefinition: [
    [
      manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "spec: {group: example.com, scope: Namespaced, names: {plural: cats, kind: Cat}, versions: " +
          "[{name: v1, served: true, storage: false, schema: {openAPIV3Schema: {type: object, properties: " +
          "{spec: {properties: {n: {type: integer}}}}}}}]}",
        "dogs.example.com",
      ),
      [
        'metadata.name: Invalid value: "dogs.example.com": must be spec.names.plural+"."+spec.group',
        "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields",
        'spec.versions: Invalid value: ["v1"]: must have exactly one version marked as storage version',
      ],
    ],
    [
      manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "spec: {group: example.com, scope: Wide, names: {plural: cats, kind: Cat}, versions: [{name: v1, served: true, storage: true}]}",
        "cats.example.com",
      ),
      [
        'spec.scope: Unsupported value: "Wide": supported values: "Cluster", "Namespaced"',
        "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
      ],
    ],
    [
      manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "spec: {group: x.k8s.io, scope: Cluster, names: {plural: cats, kind: Cat}, versions: [{name: v1, " +
          "served: true, storage: true, schema: {openAPIV3Schema: {type: object, anyOf: [{type: object}], " +
          "$ref: x}}}]}",
        "cats.x.k8s.io",
      ),
      [
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have " +
          'approval annotation "api-approved.kubernetes.io", see ' +
          "https://github.com/kubernetes/enhancements/pull/1111",
        "spec.versions[0].schema.openAPIV3Schema.$ref: Forbidden: $ref is not supported",
        "spec.versions[0].schema.openAPIV3Schema.anyOf[0].type: Forbidden: must be empty to be structural",
      ],
    ],
  ],
  Webhook: [
    [
      manifest(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "webhooks: [{name: short, clientConfig: {url: 'http://a/b'}, admissionReviewVersions: [v9], " +
          "rules: [{operations: [LOOK], apiGroups: [''], apiVersions: [v1], resources: [pods]}]}]",
      ),
      [
        'webhooks[0].name: Invalid value: "short": should be a domain with at least three segments separated by dots',
        'webhooks[0].rules[0].operations[0]: Unsupported value: "LOOK": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
        "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
        `webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
        'webhooks[0].admissionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
      ],
    ],
  ],
  ValidatingAdmissionPolicy: [
    [
      manifest("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "spec: {}"),
      [
        "spec.matchConstraints: Required value",
        "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
        "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
      ],
    ],
  ],
  CertificateSigningRequest: [
    [
      manifest(
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        "spec: {request: eA==, signerName: nobody, usages: [flying], expirationSeconds: 10}",
      ),
      [
        'spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST',
        'spec.usages[0]: Unsupported value: "flying": supported values: "any", "cert sign", "client ' +
          'auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", ' +
          '"digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", ' +
          '"ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp ' +
          'signing", "s/mime", "server auth", "signing", "timestamping"',
        `spec.signerName: Invalid value: "nobody": must be a fully qualified domain and path of the form 'example.com/signer-name'`,
        "spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 600 seconds (10 minutes)",
      ],
    ],
  ],
  PriorityClass: [
    [
      manifest("scheduling.k8s.io/v1", "PriorityClass", "value: 2000000000"),
      ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    ],
    [
      manifest("scheduling.k8s.io/v1", "PriorityClass", "value: 1", "system-mine"),
      ["metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only"],
    ],
    [
      manifest("scheduling.k8s.io/v1", "PriorityClass", "value: 1\npreemptionPolicy: Always"),
      ['preemptionPolicy: Unsupported value: "Always": supported values: "Never", "PreemptLowerPriority"'],
    ],
  ],
  StorageClass: [
    [manifest("storage.k8s.io/v1", "StorageClass", "provisioner: ''"), ["provisioner: Required value"]],
    [
      manifest("storage.k8s.io/v1", "StorageClass", "provisioner: p\nvolumeBindingMode: Later"),
      ['volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"'],
    ],
    [
      manifest("storage.k8s.io/v1", "StorageClass", "provisioner: p\nreclaimPolicy: Recycle"),
      ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
    ],
  ],
  Node: [
    [
      manifest("v1", "Node", "spec: {taints: [{key: a, effect: Never}]}"),
      [
        'spec.taints[0].effect: Unsupported value: "Never": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"',
      ],
    ],
    [
      manifest("v1", "Node", "spec: {podCIDR: 10.0.0.0/24, podCIDRs: [10.1.0.0/24]}"),
      ['spec.podCIDRs[0]: Invalid value: "10.1.0.0/24": must match `podCIDR` value'],
    ],
    [
      manifest("v1", "Node", "spec: {podCIDRs: [all]}"),
      ['spec.podCIDRs[0]: Invalid value: "all": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'],
    ],
  ],
  Lease: [
    [
      manifest("coordination.k8s.io/v1", "Lease", "spec: {leaseDurationSeconds: 0, leaseTransitions: -1}"),
      [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
      ],
    ],
  ],
  RuntimeClass: [[manifest("node.k8s.io/v1", "RuntimeClass", "handler: ''"), ["handler: Required value"]]],
  APIService: [
    [
      manifest(
        "apiregistration.k8s.io/v1",
        "APIService",
        "spec: {group: a.b, version: v1, groupPriorityMinimum: 0, versionPriority: 1, service: {}}",
      ),
      [
        'metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.a.b"',
        "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000",
        "spec.service.namespace: Required value",
        "spec.service.name: Required value",
      ],
    ],
  ],
  SubjectAccessReview: [
    [
      "apiVersion: authorization.k8s.io/v1\nkind: SubjectAccessReview\nspec: {}",
      [
        "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
        'spec.user: Invalid value: "": at least one of user or group must be specified',
      ],
    ],
  ],
};

for (const [kind, cases] of Object.entries(wrong)) {
  for (const [index, [text, errors]] of cases.entries())
    test(`${kind} ${index + 1}: ${errors[0]?.slice(0, 60)}`, () => check(text, errors));
}
