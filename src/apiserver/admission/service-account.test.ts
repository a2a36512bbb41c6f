import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/core-v1.ts";
import { pods, serviceaccounts } from "#api/generated/resources.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { admit, requestFor } from "./request-in-tests.ts";
import { serviceAccount } from "./service-account.ts";

function world(): { objects: StoredInTests; check: (pod: Pod) => Promise<string | undefined>; expire: () => void } {
  const objects = new StoredInTests();
  let pending: (() => void) | undefined;
  const timers = {
    after: (_: number, task: () => void) => {
      pending = task;
      return { cancel: () => (pending = undefined) };
    },
  };
  const plugin = serviceAccount({ objects, random: { float: () => 0 }, timers });
  return { objects, check: (pod) => admit(plugin, requestFor(pods, { object: pod })), expire: () => pending?.() };
}

function podWith(spec: Partial<Pod["spec"]>, annotations?: Record<string, string>): Pod {
  const metadata = { name: "p", namespace: "shop", ...(annotations === undefined ? {} : { annotations }) };
  return { metadata, spec: { containers: [{ name: "c", image: "i", resources: {} }], ...spec }, status: {} };
}

test("a pod gets the default account with a bound token that lives an hour", async () => {
  const { objects, check } = world();
  objects.put(serviceaccounts, { metadata: { name: "default", namespace: "shop" } });
  const pod = podWith({ initContainers: [{ name: "i", image: "i", resources: {} }] });
  assert.equal(await check(pod), undefined);
  assert.equal(pod.spec.serviceAccountName, "default");
  assert.equal(pod.spec.serviceAccount, "default");
  const mount = {
    name: "kube-api-access-bbbbb",
    readOnly: true,
    mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
  };
  assert.deepEqual(pod.spec.containers[0]?.volumeMounts, [mount]);
  assert.deepEqual(pod.spec.initContainers?.[0]?.volumeMounts, [mount]);
  assert.deepEqual(pod.spec.volumes, [
    {
      name: "kube-api-access-bbbbb",
      projected: {
        sources: [
          { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
          { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
          {
            downwardAPI: {
              items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
            },
          },
        ],
        defaultMode: 420,
      },
    },
  ]);
});

const automount = [
  { pod: undefined, account: undefined, mounted: true },
  { pod: undefined, account: false, mounted: false },
  { pod: true, account: false, mounted: true },
  { pod: false, account: true, mounted: false },
] as const;
for (const { pod: ofPod, account, mounted } of automount) {
  test(`automount ${ofPod} of the pod and ${account} of the account: ${mounted ? "mounted" : "not mounted"}`, async () => {
    const { objects, check } = world();
    objects.put(serviceaccounts, {
      metadata: { name: "default", namespace: "shop" },
      ...(account === undefined ? {} : { automountServiceAccountToken: account }),
    });
    const pod = podWith(ofPod === undefined ? {} : { automountServiceAccountToken: ofPod });
    assert.equal(await check(pod), undefined);
    assert.equal(pod.spec.volumes?.length === 1, mounted);
  });
}

test("a container that mounts something there itself keeps it", async () => {
  const { objects, check } = world();
  objects.put(serviceaccounts, { metadata: { name: "default", namespace: "shop" } });
  const own = [{ name: "own", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }];
  const pod = podWith({
    containers: [{ name: "c", image: "i", resources: {}, volumeMounts: own }],
    volumes: [{ name: "own", emptyDir: {} }],
  });
  assert.equal(await check(pod), undefined);
  assert.deepEqual(pod.spec.volumes, [{ name: "own", emptyDir: {} }]);
});

test("pull secrets of the account are used when the pod has none of its own", async () => {
  const { objects, check } = world();
  objects.put(serviceaccounts, {
    metadata: { name: "default", namespace: "shop" },
    imagePullSecrets: [{ name: "registry" }],
  });
  const without = podWith({});
  await check(without);
  assert.deepEqual(without.spec.imagePullSecrets, [{ name: "registry" }]);
  const withOwn = podWith({ imagePullSecrets: [{ name: "own" }] });
  await check(withOwn);
  assert.deepEqual(withOwn.spec.imagePullSecrets, [{ name: "own" }]);
});

test("an account that does not exist is refused at once", async () => {
  const { check } = world();
  assert.equal(
    await check(podWith({ serviceAccountName: "none" })),
    'error looking up service account shop/none: serviceaccount "none" not found',
  );
});

test("in a namespace that was just made, a pod waits for the default account", async () => {
  const { objects, check, expire } = world();
  const pod = podWith({});
  const waiting = check(pod);
  objects.put(serviceaccounts, { metadata: { name: "default", namespace: "shop" } });
  assert.equal(await waiting, undefined);
  assert.equal(pod.spec.volumes?.length, 1);
  objects.remove(serviceaccounts, "shop", "default");
  const another = check(podWith({}));
  expire();
  assert.match((await another) ?? "", /serviceaccount "default" not found/);
});

const mirror = { "kubernetes.io/config.mirror": "hash" };
const mirrorCases: readonly { name: string; spec: Partial<Pod["spec"]>; refused: RegExp | undefined }[] = [
  { name: "nothing", spec: {}, refused: undefined },
  { name: "an account", spec: { serviceAccountName: "default" }, refused: /service accounts/ },
  { name: "a secret volume", spec: { volumes: [{ name: "v", secret: { secretName: "s" } }] }, refused: /secrets/ },
  {
    name: "a secret in the environment of an ephemeral container",
    spec: { ephemeralContainers: [{ name: "e", resources: {}, envFrom: [{ secretRef: { name: "s" } }] }] },
    refused: /secrets/,
  },
  {
    name: "a projected token",
    spec: { volumes: [{ name: "v", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }] },
    refused: /ServiceAccountToken/,
  },
];
for (const { name, spec, refused } of mirrorCases) {
  test(`a mirror pod that names ${name} is ${refused === undefined ? "left as it is" : "refused"}`, async () => {
    const { check } = world();
    const pod = podWith(spec, mirror);
    const message = await check(pod);
    if (refused === undefined) {
      assert.equal(message, undefined);
      assert.deepEqual(pod, podWith(spec, mirror));
    } else {
      assert.match(message ?? "", refused);
    }
  });
}

test("an account that lists its secrets lets pods use no others, wherever they name them", async () => {
  const { objects, check } = world();
  const annotations = { "kubernetes.io/enforce-mountable-secrets": "true" };
  objects.put(serviceaccounts, {
    metadata: { name: "default", namespace: "shop", annotations },
    secrets: [{ name: "listed" }],
  });
  const naming = (name: string): Pod["spec"][] => [
    { containers: [], volumes: [{ name: "v", secret: { secretName: name } }] },
    { containers: [], volumes: [{ name: "v", projected: { sources: [{ secret: { name } }] } }] },
    { containers: [{ name: "c", resources: {}, envFrom: [{ secretRef: { name } }] }] },
    {
      containers: [],
      initContainers: [
        { name: "c", resources: {}, env: [{ name: "E", valueFrom: { secretKeyRef: { name, key: "k" } } }] },
      ],
    },
    { containers: [], ephemeralContainers: [{ name: "c", resources: {}, envFrom: [{ secretRef: { name } }] }] },
  ];
  for (const spec of naming("listed")) assert.equal(await check(podWith(spec)), undefined);
  for (const spec of naming("other")) assert.match((await check(podWith(spec))) ?? "", /secret "other" is not allowed/);
});
