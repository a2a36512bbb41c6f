import type { ConfigMap, Pod, Secret } from "#api/generated/core-v1.ts";
import { configmaps, secrets } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import { createInformer, type Informer } from "#reconcile/informer.ts";
import type { NodeContext } from "../context.ts";
import { referencesOf } from "./references.ts";

interface Watched<T> {
  readonly informer: Informer<T>;
  readonly pods: Set<string>;
}

/**
 * The ConfigMaps and Secrets that pods of this node refer to: each is watched by name as long as a pod needs it, because the
 * node may see no others.
 */
export class ReferencedObjects {
  readonly #context: NodeContext;
  readonly #changed: (podUid: string) => void;
  readonly #configMaps = new Map<string, Watched<ConfigMap>>();
  readonly #secrets = new Map<string, Watched<Secret>>();

  constructor(context: NodeContext, changed: (podUid: string) => void) {
    this.#context = context;
    this.#changed = changed;
  }

  retain(pod: Pod): void {
    const { uid = "", namespace = "" } = pod.metadata;
    const wanted = referencesOf(pod);
    for (const name of wanted.configMaps) this.#retain(this.#configMaps, configmaps, namespace, name, uid);
    for (const name of wanted.secrets) this.#retain(this.#secrets, secrets, namespace, name, uid);
  }

  release(podUid: string): void {
    for (const watched of [this.#configMaps, this.#secrets]) {
      for (const [key, { informer, pods }] of watched) {
        if (!pods.delete(podUid) || pods.size > 0) continue;
        informer.stop();
        watched.delete(key);
      }
    }
  }

  /** Undefined when there is none; waits for the first list. */
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return read(this.#configMaps, namespace, name);
  }

  secret(namespace: string, name: string): Promise<Secret | undefined> {
    return read(this.#secrets, namespace, name);
  }

  stop(): void {
    for (const { informer } of [...this.#configMaps.values(), ...this.#secrets.values()]) informer.stop();
  }

  #retain<T>(
    watched: Map<string, Watched<T>>,
    resource: Resource<T>,
    namespace: string,
    name: string,
    podUid: string,
  ): void {
    const key = `${namespace}/${name}`;
    const known = watched.get(key);
    if (known !== undefined) {
      known.pods.add(podUid);
      return;
    }
    const { client, clock, timers, random, onProblem } = this.#context;
    const informer = createInformer<T, T>({
      client,
      clock,
      timers,
      random,
      onProblem,
      resource,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      project: (object) => object,
    });
    const pods = new Set([podUid]);
    watched.set(key, { informer, pods });
    informer.handle(() => {
      for (const pod of pods) this.#changed(pod);
    });
    informer.start();
  }
}

async function read<T>(
  watched: ReadonlyMap<string, Watched<T>>,
  namespace: string,
  name: string,
): Promise<T | undefined> {
  const key = `${namespace}/${name}`;
  const found = watched.get(key);
  if (found === undefined) return undefined;
  await found.informer.synced();
  return found.informer.get(key);
}
