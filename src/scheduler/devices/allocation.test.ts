import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  DeviceClaim,
  DeviceClassSpec,
  ExactDeviceRequest,
  ResourceClaim,
  ResourceSlice,
} from "#api/generated/resource-v1.ts";
import { nodeView, type NodeView } from "../node-view.ts";
import { makeNode } from "../testing/objects.ts";
import { allocate, type Allocated, wishesOf } from "./allocation.ts";
import { PoolIndex } from "./pools.ts";
import { Judgements } from "./judgements.ts";
import { deviceLimits } from "./limits.ts";
import { type DeviceClaimView, deviceClaimDeclaration, sliceDeclaration } from "./views.ts";

const driver = "gpu.example.com";

type SliceWords = Partial<ResourceSlice["spec"]>;
type Devices = NonNullable<ResourceSlice["spec"]["devices"]>;

function slice(name: string, words: SliceWords): ResourceSlice {
  const place = words.allNodes === true || words.nodeSelector !== undefined || words.perDeviceNodeSelection === true;
  const pool = { name: "pool", generation: 1, resourceSliceCount: 1 };
  return { metadata: { name }, spec: { driver, pool, ...(place ? {} : { nodeName: "n1" }), ...words } };
}

/** `a:40Gi,b:80Gi`: devices with memory, model `a100` or `h100` by their first letter, and the index as attribute. */
function gpus(text: string): Devices {
  return text.split(",").map((one, index) => {
    const [name = "", memory = "40Gi"] = one.split(":");
    return {
      name,
      attributes: {
        model: { string: name.startsWith("h") ? "h100" : "a100" },
        index: { int: index },
        driverVersion: { version: "1.2.3" },
        "numa.example.com/node": { int: index % 2 },
      },
      capacity: { memory: { value: memory } },
    };
  });
}

const asks = (more: Partial<ExactDeviceRequest> = {}): ExactDeviceRequest => ({
  deviceClassName: "gpu",
  allocationMode: more.allocationMode ?? "ExactCount",
  ...(more.allocationMode === "All" ? {} : { count: 1 }),
  ...more,
});

const cel = (expression: string): { cel: { expression: string } } => ({ cel: { expression } });

interface Words {
  readonly slices: readonly ResourceSlice[];
  readonly claims: readonly DeviceClaim[];
  readonly classes?: Readonly<Record<string, DeviceClassSpec>>;
  readonly taken?: readonly string[];
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

function allocated(
  claims: readonly DeviceClaimView[],
  slices: readonly ResourceSlice[],
  node: NodeView,
  classNamed: (name: string) => DeviceClassSpec | undefined,
  taken: readonly string[] = [],
): Allocated {
  const views = slices.map(sliceDeclaration.project);
  const judgements = new Judgements();
  const steps = wishesOf(claims, classNamed, (selectors) => judgements.by(selectors, views, () => false));
  const { done, value } = steps.next();
  assert.ok(done === true);
  if (typeof value === "string") return { kind: "broken", message: value };
  const tries = { left: deviceLimits.triesMax };
  return allocate(value, { pools: new PoolIndex(views).for(node), isTaken: (id) => taken.includes(id), tries });
}

/** What each claim got, as `request=device`; or why it got nothing. */
function give({ slices, claims, classes = { gpu: {} }, taken = [], node = "n1", labels = {} }: Words): string {
  const view = nodeView(makeNode(node, { labels }));
  const claimViews = claims.map((devices, index) =>
    deviceClaimDeclaration.project({
      metadata: { namespace: "default", name: `claim-${index}`, uid: String(index) },
      spec: { devices },
      status: {},
    } satisfies ResourceClaim),
  );
  const answer = allocated(claimViews, slices, view, (name) => classes[name], taken);
  if (answer.kind === "broken") return `broken: ${answer.message}`;
  if (answer.kind === "impossible") return "impossible";
  return answer.results
    .map(({ devices }) => (devices.results ?? []).map(({ request, device }) => `${request}=${device}`).join(" "))
    .join(" | ");
}

const one = (request: ExactDeviceRequest, more: Partial<DeviceClaim> = {}): DeviceClaim => ({
  requests: [{ name: "gpu", exactly: request }],
  ...more,
});

const memory = (least: string): { cel: { expression: string } } =>
  cel(`device.capacity["${driver}"].memory.compareTo(quantity("${least}")) >= 0`);

const cases: readonly { what: string; words: Words; expected: string }[] = [
  {
    what: "a request gets a free device of its node",
    words: { slices: [slice("s", { devices: gpus("a0,a1") })], claims: [one(asks())], taken: [`${driver}/pool/a0`] },
    expected: "gpu=a1",
  },
  {
    what: "a device of another node is out of reach",
    words: { slices: [slice("s", { devices: gpus("a0") })], claims: [one(asks())], node: "n2" },
    expected: "impossible",
  },
  {
    what: "two claims of a pod never share a device",
    words: { slices: [slice("s", { devices: gpus("a0,a1") })], claims: [one(asks()), one(asks())] },
    expected: "gpu=a0 | gpu=a1",
  },
  {
    what: "selectors of the request and of its class must both take the device",
    words: {
      slices: [slice("s", { devices: gpus("a0:80Gi,h1:40Gi,h2:80Gi") })],
      claims: [one(asks({ selectors: [memory("80Gi")] }))],
      classes: {
        gpu: { selectors: [cel(`device.driver == "${driver}" && device.attributes["${driver}"].model == "h100"`)] },
      },
    },
    expected: "gpu=h2",
  },
  {
    what: "versions compare as versions; a domain that is not there is empty",
    words: {
      slices: [slice("s", { devices: gpus("a0") })],
      claims: [
        one(
          asks({
            selectors: [
              cel(`device.attributes["${driver}"].driverVersion.isGreaterThan(semver("1.2.0"))`),
              cel(`!("model" in device.attributes["other.example.com"])`),
            ],
          }),
        ),
      ],
    },
    expected: "gpu=a0",
  },
  {
    what: "a selector that asks for an attribute that is not there says so",
    words: {
      slices: [slice("s", { devices: gpus("a0") })],
      claims: [one(asks({ selectors: [cel(`device.attributes["${driver}"].size > 1`)] }))],
    },
    expected: "broken: request gpu: selector for device gpu.example.com/a0: no such key: size",
  },
  {
    what: "the search goes back: the first request must not take the only device of the second",
    words: {
      slices: [slice("s", { devices: gpus("h0,a1") })],
      claims: [
        {
          requests: [
            { name: "any", exactly: asks() },
            {
              name: "big",
              exactly: asks({ selectors: [cel(`device.attributes["${driver}"].model == "h100"`)] }),
            },
          ],
        },
      ],
    },
    expected: "any=a1 big=h0",
  },
  {
    what: "all devices that match, or none",
    words: { slices: [slice("s", { devices: gpus("a0,a1,a2") })], claims: [one(asks({ allocationMode: "All" }))] },
    expected: "gpu=a0 gpu=a1 gpu=a2",
  },
  {
    what: "all devices: one in use is too few",
    words: {
      slices: [slice("s", { devices: gpus("a0,a1") })],
      claims: [one(asks({ allocationMode: "All" }))],
      taken: [`${driver}/pool/a1`],
    },
    expected: "impossible",
  },
  {
    what: "devices of one constraint have the same value",
    words: {
      slices: [slice("s", { devices: gpus("a0,a1,a2,a3") })],
      claims: [one(asks({ count: 2 }), { constraints: [{ matchAttribute: "numa.example.com/node" }] })],
    },
    expected: "gpu=a0 gpu=a2",
  },
  {
    what: "names of the driver's own domain match without it, and distinct values differ",
    words: {
      slices: [slice("s", { devices: gpus("a0,a1,h2") })],
      claims: [one(asks({ count: 2 }), { constraints: [{ distinctAttribute: `${driver}/model` }] })],
    },
    expected: "gpu=a0 gpu=h2",
  },
  {
    what: "the first alternative that can be had is taken",
    words: {
      slices: [slice("s", { devices: gpus("a0,a1") })],
      claims: [
        {
          requests: [
            {
              name: "gpu",
              firstAvailable: [
                { name: "large", ...asks({ selectors: [memory("80Gi")] }) },
                { name: "pair", ...asks({ count: 2 }) },
              ],
            },
          ],
        },
      ],
    },
    expected: "gpu/pair=a0 gpu/pair=a1",
  },
  {
    what: "administrators look at devices that are in use",
    words: {
      slices: [slice("s", { devices: gpus("a0") })],
      claims: [one(asks({ allocationMode: "All", adminAccess: true }))],
      taken: [`${driver}/pool/a0`],
    },
    expected: "gpu=a0",
  },
  {
    what: "parts of one device share its counters",
    words: {
      slices: [
        slice("s", {
          sharedCounters: [{ name: "card", counters: { memory: { value: "40Gi" } } }],
          devices: ["20Gi", "20Gi", "10Gi"].map((value, index) => ({
            name: `part-${index}`,
            consumesCounters: [{ counterSet: "card", counters: { memory: { value } } }],
          })),
        }),
      ],
      claims: [one(asks())],
      taken: [`${driver}/pool/part-0`, `${driver}/pool/part-2`],
    },
    expected: "impossible",
  },
  {
    what: "tainted devices are for those who tolerate it",
    words: {
      slices: [
        slice("s", { devices: [{ name: "sick", taints: [{ key: "sick", effect: "NoSchedule" }] }, { name: "well" }] }),
      ],
      claims: [one(asks()), one(asks({ tolerations: [{ key: "sick", operator: "Exists" }] }))],
    },
    expected: "gpu=well | gpu=sick",
  },
  {
    what: "slices of an older generation count for nothing",
    words: {
      slices: [
        slice("old", { devices: gpus("a0"), pool: { name: "pool", generation: 1, resourceSliceCount: 1 } }),
        slice("new", { devices: gpus("a9"), pool: { name: "pool", generation: 2, resourceSliceCount: 1 } }),
      ],
      claims: [one(asks())],
    },
    expected: "gpu=a9",
  },
  {
    what: "a pool of which slices are missing gives nothing",
    words: {
      slices: [slice("s", { devices: gpus("a0"), pool: { name: "pool", generation: 1, resourceSliceCount: 2 } })],
      claims: [one(asks())],
    },
    expected: "impossible",
  },
  {
    what: "and nobody knows what all of it would be",
    words: {
      slices: [slice("s", { devices: gpus("a0"), pool: { name: "pool", generation: 1, resourceSliceCount: 2 } })],
      claims: [one(asks({ allocationMode: "All" }))],
    },
    expected: "broken: request gpu: pool gpu.example.com/pool is incomplete: 1 of 2 slices",
  },
  {
    what: "devices that say for themselves where they can be reached",
    words: {
      slices: [
        slice("s", {
          perDeviceNodeSelection: true,
          devices: [
            { name: "far", nodeName: "n2" },
            { name: "near", nodeName: "n1" },
          ],
        }),
      ],
      claims: [one(asks())],
    },
    expected: "gpu=near",
  },
  {
    what: "a class that does not exist",
    words: { slices: [], claims: [one(asks({ deviceClassName: "none" }))] },
    expected: "broken: request gpu: device class none does not exist",
  },
];

for (const { what, words, expected } of cases) test(what, () => assert.equal(give(words), expected));

test("a result says where its devices can be reached, and carries the settings of class and claim", () => {
  const term = { matchExpressions: [{ key: "rack", operator: "In", values: ["r1"] }] };
  const node = nodeView(makeNode("n1", { labels: { rack: "r1" } }));
  const opaque = (text: string): { opaque: { driver: string; parameters: unknown } } => ({
    opaque: { driver, parameters: { text } },
  });
  const slices = [slice("s", { nodeSelector: { nodeSelectorTerms: [term] }, devices: gpus("a0") })];
  const claim = one(asks(), { config: [opaque("claim"), { requests: ["other"], ...opaque("other") }] });
  const view = deviceClaimDeclaration.project({ metadata: { name: "claim" }, spec: { devices: claim }, status: {} });
  const answer = allocated([view], slices, node, () => ({ config: [opaque("class")] }));
  assert.ok(answer.kind === "allocated");
  assert.deepEqual(answer.results[0], {
    devices: {
      results: [{ request: "gpu", driver, pool: "pool", device: "a0" }],
      config: [
        { source: "FromClass", requests: ["gpu"], ...opaque("class") },
        { source: "FromClaim", ...opaque("claim") },
      ],
    },
    nodeSelector: { nodeSelectorTerms: [term] },
  });
});

test("a search without an end gives up", () => {
  const claims = Array.from({ length: 4 }, () =>
    one(asks({ count: 8 }), { constraints: [{ distinctAttribute: "numa.example.com/node" }] }),
  );
  const many = Array.from({ length: 64 }, (_, index) => `a${index}`).join(",");
  const given = give({ slices: [slice("s", { devices: gpus(many) })], claims });
  assert.match(given, /^(impossible|broken: too many combinations of devices were tried)$/);
});
