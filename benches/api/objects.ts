/** A pod of 3.5 KB as clients send it. It is held back by a gate: no loop does anything for it. */
export function pod(name: string): Record<string, unknown> {
  const env = Array.from({ length: 20 }, (_, index) => ({
    name: `VARIABLE_${index}`,
    value: `value-${index}`.padEnd(40, "x"),
  }));
  const resources = { requests: { cpu: "100m", memory: "64Mi" } };
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name, labels: { app: "web", tier: "front" } },
    spec: {
      schedulingGates: [{ name: "bench/held" }],
      containers: [{ name: "main", image: "registry.example/app:1", env, resources }],
    },
  };
}
