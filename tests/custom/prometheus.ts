/** Definitions as big as those of a Prometheus operator: a pod template's worth of fields, nested, a thousand properties. */

interface Schema {
  [word: string]: unknown;
}

const text: Schema = { type: "string" };

function object(properties: Record<string, Schema>, more: Schema = {}): Schema {
  return {
    type: "object",
    description: "A part of the specification that users read about with explain.",
    properties,
    ...more,
  };
}

function list(items: Schema): Schema {
  return { type: "array", items };
}

/** Fields named like the published ones, `count` to a level. */
function fields(prefix: string, count: number, schema: Schema): Record<string, Schema> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `${prefix}${i}`,
      { ...schema, description: `What ${prefix} ${i} means.` },
    ]),
  );
}

function container(): Schema {
  const probe = object({
    httpGet: object({ path: text, port: { "x-kubernetes-int-or-string": true } }),
    ...fields("seconds", 6, { type: "integer" }),
  });
  const quantity = {
    "x-kubernetes-int-or-string": true,
    anyOf: [{ type: "integer" }, { type: "string" }],
    pattern:
      "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
  };
  const resources = object({
    limits: { type: "object", additionalProperties: quantity },
    requests: { type: "object", additionalProperties: quantity },
  });
  return object(
    {
      name: text,
      image: text,
      resources,
      livenessProbe: probe,
      readinessProbe: probe,
      startupProbe: probe,
      ...fields("option", 20, text),
    },
    { required: ["name"] },
  );
}

function affinity(): Schema {
  const selector = object({
    matchLabels: { type: "object", additionalProperties: text },
    matchExpressions: list(object({ key: text, operator: text, values: list(text) })),
  });
  const term = object({ labelSelector: selector, namespaceSelector: selector, topologyKey: text });
  const weighted = object({ weight: { type: "integer" }, podAffinityTerm: term });
  return object({
    podAffinity: object({ preferred: list(weighted), required: list(term) }),
    podAntiAffinity: object({ preferred: list(weighted), required: list(term) }),
  });
}

function definition(plural: string, kind: string): object {
  const containers = { ...list(container()), "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] };
  const spec = object(
    {
      replicas: { type: "integer", format: "int32", minimum: 0 },
      retention: {
        type: "string",
        pattern: "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
        default: "24h",
      },
      version: text,
      containers,
      initContainers: containers,
      affinity: affinity(),
      volumes: list(object({ name: text, ...fields("source", 30, object(fields("field", 8, text))) })),
      remoteWrite: {
        ...list(object({ url: text, ...fields("setting", 40, object(fields("field", 10, text))) })),
        maxItems: 20,
      },
      ...fields("flag", 200, text),
    },
    {
      "x-kubernetes-validations": [
        { rule: "!has(self.replicas) || self.replicas < 100", message: "that many would fall over" },
      ],
    },
  );
  const status = object({
    availableReplicas: { type: "integer" },
    conditions: list(object({ type: text, status: text })),
  });
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.monitoring.example.com` },
    spec: {
      group: "monitoring.example.com",
      scope: "Namespaced",
      names: { plural, kind, categories: ["monitoring"] },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: object({ spec, status }, { required: ["spec"] }) },
        },
      ],
    },
  };
}

export const monitoringDefinitions: readonly object[] = [
  definition("monitors", "Monitor"),
  definition("alertings", "Alerting"),
  definition("rulers", "Ruler"),
];
