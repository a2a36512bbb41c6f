import type { LoadAnswer, Protocol, Shape } from "./api/orders.ts";
import { pod } from "./api/objects.ts";
import { benchNamespace, Client, startBare, startCluster } from "./api/stage.ts";
import { storyFlags, tellStories } from "./api/stories.ts";
import { inParallel } from "./cluster/connection.ts";
import { proportionalMegabytes } from "./cluster/running-cluster.ts";
import { report } from "./report.ts";

/**
 * Every verb over both protocols with few and many requests in flight, and what stands on the way of some: rules in CEL, a webhook,
 * the size of the documents that clients begin with; memory for each pod. On a cluster of its own or that of `--kubeconfig`, which
 * must allow webhooks on this machine.
 */
const flags = storyFlags("verbs,rules,webhook,discovery,memory", { seconds: "1", widths: "1,16,128", pods: "10000" });
const durationMs = Number(flags.seconds) * 1_000;
const widths = flags.widths.split(",").map(Number);
const client = new Client();
const bare = await startBare(flags.folder);
const cluster = await startCluster({ ...flags, upFlags: ["--dial-allow", "127.0.0.0/8"] });

const inNamespace = `/api/v1/namespaces/${benchNamespace}`;
const mapsPath = `${inNamespace}/configmaps`;
const text = "x".repeat(1_700);
const header = { kind: "ConfigMap", apiVersion: "v1", metadata: { name: "NAME" } };
const whole = JSON.stringify({ ...header, data: { serial: "SERIAL", text } });
const bodies: Readonly<Record<Shape, string>> = {
  create: whole,
  get: "",
  update: whole,
  patch: JSON.stringify({ data: { serial: "SERIAL" } }),
  apply: JSON.stringify({ ...header, data: { applied: "SERIAL" } }),
  delete: "",
};
let rounds = 0;

interface Load {
  readonly shape: Shape;
  readonly protocol: Protocol;
  readonly width: number;
  readonly path: string;
  readonly body: string;
  readonly countMax?: number;
  readonly prefix?: string;
}

async function load(asked: Load): Promise<LoadAnswer> {
  rounds += 1;
  const answer = await client.load({ target: cluster.target, durationMs, prefix: `r${rounds}-`, ...asked });
  if (answer.failures > 0) throw new Error(`${answer.failures} of ${answer.count} failed: ${asked.shape}`);
  return answer;
}

function tell(what: string, answer: LoadAnswer): void {
  const bench = "api-verbs";
  report({ bench, figure: what, value: answer.perSecond, unit: "1/s" });
  report({ bench, figure: `${what}: p50`, value: answer.medianMs, unit: "ms" });
  report({ bench, figure: `${what}: p90`, value: answer.p90Ms, unit: "ms" });
  report({ bench, figure: `${what}: p99`, value: answer.p99Ms, unit: "ms" });
}

/** Objects of 2 KB; what is deleted was created right before. */
async function verbs(): Promise<void> {
  const most = Math.max(...widths);
  await inParallel(most, 16, (place) =>
    cluster.api.call("POST", mapsPath, JSON.parse(whole.replace("NAME", `u${place}`))),
  );
  for (const protocol of ["HTTP/1.1", "HTTP/2"] as const) {
    for (const width of widths) {
      const common = { protocol, width, path: mapsPath };
      const created = {
        ...common,
        shape: "create",
        body: bodies.create,
        prefix: `c${width}-${protocol.slice(5, 6)}-`,
      } as const;
      const answer = await load(created);
      const name = (shape: Shape): string => `${shape} of 2 KB, ${width} in flight, ${protocol}`;
      tell(name("create"), answer);
      for (const shape of ["get", "update", "patch", "apply"] as const)
        tell(
          name(shape),
          await load({ ...common, shape, path: shape === "get" ? `${mapsPath}/u0` : mapsPath, body: bodies[shape] }),
        );
      tell(name("delete"), await load({ ...created, shape: "delete", body: "", countMax: answer.count }));
    }
  }
}

/** A custom resource of 2 KB with five rules, of which one goes through a list. */
async function rules(): Promise<void> {
  const group = "bench.example.com";
  const rule = (text: string): Record<string, string> => ({ rule: text });
  const item = { type: "object", properties: { name: { type: "string", maxLength: 60 }, value: { type: "integer" } } };
  const spec = {
    type: "object",
    properties: {
      replicas: { type: "integer" },
      text: { type: "string", maxLength: 2_000 },
      items: { type: "array", maxItems: 50, items: item },
    },
    "x-kubernetes-validations": [
      rule("self.replicas >= 0 && self.replicas < 100"),
      rule("size(self.items) <= self.replicas * 10"),
      rule("self.items.all(item, item.value >= 0 && item.name.startsWith('item-'))"),
      rule("self.text.matches('^x*$')"),
      rule("self.replicas != 13 || size(self.text) == 0"),
    ],
  };
  const schema = { openAPIV3Schema: { type: "object", properties: { spec } } };
  const names = { plural: "boxes", singular: "box", kind: "Box", listKind: "BoxList" };
  const versions = [{ name: "v1", served: true, storage: true, schema }];
  const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const metadata = { name: `boxes.${group}` };
  await cluster.api.call("POST", definitions, { metadata, spec: { group, names, scope: "Namespaced", versions } });
  const path = `/apis/${group}/v1/namespaces/${benchNamespace}/boxes`;
  for (let tries = 0; (await cluster.api.send("GET", path)).status !== 200; tries += 1) {
    if (tries === 1_000) throw new Error("The custom resource is not served");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const items = Array.from({ length: 20 }, (_, index) => ({ name: `item-${index}`, value: index }));
  const box = {
    kind: "Box",
    apiVersion: `${group}/v1`,
    metadata: { name: "NAME" },
    spec: { replicas: 5, text, items },
  };
  const answer = await load({ shape: "create", protocol: "HTTP/1.1", width: 16, path, body: JSON.stringify(box) });
  tell("create of a custom resource of 2.5 KB with five rules, 16 in flight", answer);
  await cluster.api.call("DELETE", `${definitions}/${metadata.name}`);
}

/** What a webhook on this machine adds to one creation after the other. */
async function webhook(): Promise<void> {
  const one = { shape: "create", protocol: "HTTP/1.1", width: 1, path: mapsPath, body: whole } as const;
  const without = await load(one);
  const path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
  const { ca, port } = bare.http1;
  const scope = {
    rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
  };
  const clientConfig = { url: `https://localhost:${port}/review`, caBundle: Buffer.from(ca).toString("base64") };
  const asked = { name: "review.bench.example.com", sideEffects: "None", admissionReviewVersions: ["v1"] };
  const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": benchNamespace } };
  await cluster.api.call("POST", path, {
    metadata: { name: "bench" },
    webhooks: [{ ...asked, ...scope, clientConfig, namespaceSelector }],
  });
  try {
    await load(one);
    const answer = await load(one);
    tell("create of 2 KB past a webhook, one after the other", answer);
    const value = answer.medianMs - without.medianMs;
    report({ bench: "api-verbs", figure: "round trip of a webhook: p50", value, unit: "ms" });
  } finally {
    await cluster.api.call("DELETE", `${path}/bench`);
  }
}

/** What kubectl and client-go ask first. */
async function discovery(): Promise<void> {
  const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const documents: readonly [path: string, accept: string][] = [
    ["/api", aggregated],
    ["/apis", aggregated],
    ["/apis/apps/v1", "application/json"],
    ["/openapi/v2", "application/json"],
    ["/openapi/v3", "application/json"],
    ["/openapi/v3/apis/apps/v1", "application/json"],
  ];
  for (const [path, accept] of documents) {
    const { medianMs, bytes } = await client.fetch({ target: cluster.target, path, accept, times: 21 });
    const figure = `GET ${path}, ${Math.ceil(bytes / 1_000)} KB: p50`;
    report({ bench: "api-verbs", figure, value: medianMs, unit: "ms" });
  }
}

/** Of the whole server with its loops; where the process is another's, it cannot be told. */
async function memory(): Promise<void> {
  const { pid } = cluster;
  if (pid === undefined) return;
  const before = proportionalMegabytes(pid);
  const body = JSON.stringify(pod("NAME"));
  const path = `${inNamespace}/pods`;
  const count = Number(flags.pods);
  await client.load({
    ...{ target: cluster.target, protocol: "HTTP/1.1", width: 64, durationMs: 600_000, countMax: count },
    ...{ shape: "create", path, body, prefix: "memory-" },
  });
  const value = proportionalMegabytes(pid) - before;
  report({ bench: "api-verbs", figure: `memory for ${count} pods, right after their creation`, value, unit: "MB" });
}

try {
  await tellStories(flags.only, { verbs, rules, webhook, discovery, memory });
} finally {
  await client.close();
  cluster.close();
  bare.close();
}
