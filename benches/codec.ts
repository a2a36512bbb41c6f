import { applyObject } from "../src/apiserver/apply/apply.ts";
import { updateManagedFields } from "../src/apiserver/apply/update.ts";
import { schemaOf } from "../src/api/schemas.ts";
import { decode } from "../src/codec/decode.ts";
import { encodeJson, parseJson } from "../src/codec/json.ts";
import { decodeProtobuf, encodeProtobuf } from "../src/codec/protobuf.ts";
import { cloneValue } from "../src/codec/record.ts";
import { report } from "./report.ts";

/** What a write of a typical pod costs in the codec and in field ownership, beside the runtime's own JSON. Microseconds. */
const rounds = 10_000;

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "web-6d4cf56db6-x2x9p",
    namespace: "default",
    labels: { app: "web", "pod-template-hash": "6d4cf56db6" },
    ownerReferences: [
      { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-6d4cf56db6", uid: "u-1", controller: true },
    ],
  },
  spec: {
    containers: [
      {
        name: "web",
        image: "registry.example.com/team/web:1.25",
        ports: [{ name: "http", containerPort: 80 }],
        env: [
          { name: "LOG", value: "info" },
          { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
        ],
        resources: { requests: { cpu: "0.1", memory: "128Mi" }, limits: { cpu: "1", memory: "1024Mi" } },
        livenessProbe: { httpGet: { path: "/healthz", port: 80 }, periodSeconds: 10 },
        volumeMounts: [{ name: "token", readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }],
      },
    ],
    volumes: [
      { name: "token", projected: { sources: [{ serviceAccountToken: { path: "token" } }], defaultMode: 420 } },
    ],
    tolerations: [
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
    ],
    serviceAccountName: "default",
    nodeName: "node-1",
  },
  status: {
    phase: "Running",
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2024-01-01T00:00:00Z" }],
  },
};

const schema = schemaOf("core/v1.Pod");
const text = JSON.stringify(pod);
const bytes = new TextEncoder().encode(text);
const parsed = parseJson(bytes);
if (!parsed.ok) throw new Error(parsed.message);
const { object } = decode(schema, parsed.value, { defaults: true });
const body = encodeProtobuf(object, schema);
const who = { schema, apiVersion: "v1", subresource: "", time: Date.UTC(2024, 0, 1) };
const update = { ...who, manager: "bench", operation: "Update" } as const;
const managed = updateManagedFields({ ...update, before: undefined, after: object, managed: undefined });
const changed = cloneValue(object) as { status: { phase: string } } & Record<string, unknown>;
changed.status.phase = "Failed";
const applied = decode(schema, parsed.value, { defaults: false, sparse: true }).object;
delete applied["status"];
const apply = { ...who, manager: "applier", force: true, applied };
const live = applyObject({ ...apply, live: object, liveManaged: managed });
if (!live.ok) throw new Error(live.message);
const again = { ...apply, live: live.object, liveManaged: live.managedFields };

function measure(work: () => unknown): number {
  for (let i = 0; i < rounds / 4; i += 1) work();
  const start = performance.now();
  for (let i = 0; i < rounds; i += 1) work();
  return Number((((performance.now() - start) * 1_000) / rounds).toFixed(2));
}

const parseFloor = measure(() => JSON.parse(text));
const writeFloor = measure(() => JSON.stringify(pod));

function show(figure: string, floor: number, work: () => unknown): void {
  report({ bench: "codec", figure, value: measure(work), unit: "µs", floor });
}

show("parse the JSON of a pod", parseFloor, () => parseJson(bytes));
show("decode it with defaults", parseFloor, () => decode(schema, parsed.value, { defaults: true }));
show("write it as JSON", writeFloor, () => encodeJson(object));
show("read its protobuf", parseFloor, () => decodeProtobuf(body, () => schema));
show("write its protobuf", writeFloor, () => encodeProtobuf(object, schema));
show("owners after a changed status", parseFloor, () => {
  return updateManagedFields({ ...update, before: object, after: changed, managed });
});
show("apply the same again", parseFloor, () => applyObject(again));
