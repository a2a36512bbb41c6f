import type { ConfigMap, Container, EphemeralContainer, Pod, Secret, Service } from "#api/generated/core-v1.ts";
import { services } from "#api/generated/resources.ts";
import { createInformer, type Informer } from "#reconcile/informer.ts";
import type { NodeContext } from "../context.ts";
import { environmentOf } from "./environment.ts";
import type { DownwardFacts } from "./downward.ts";
import type { ReferencedObjects } from "./referenced-objects.ts";
import { referencesOf } from "./references.ts";
import type { ServiceView } from "./service-environment.ts";

/** Collects what containers' variables are made of. */
export class EnvironmentSources {
  readonly #context: NodeContext;
  readonly #objects: ReferencedObjects;
  readonly #services: Informer<ServiceView>;

  constructor(context: NodeContext, objects: ReferencedObjects) {
    this.#context = context;
    this.#objects = objects;
    const { client, clock, timers, random, onProblem } = context;
    this.#services = createInformer<Service, ServiceView>({
      client,
      clock,
      timers,
      random,
      onProblem,
      resource: services,
      project: viewOf,
    });
  }

  start(): void {
    this.#services.start();
  }

  stop(): void {
    this.#services.stop();
  }

  async of(
    pod: Pod,
    container: Container | EphemeralContainer,
    podIps: readonly string[],
  ): Promise<Map<string, string>> {
    const namespace = pod.metadata.namespace ?? "";
    const wanted = referencesOf(pod);
    const configMaps = new Map<string, ConfigMap>();
    const secrets = new Map<string, Secret>();
    await this.#services.synced();
    for (const name of wanted.configMaps) {
      const found = await this.#objects.configMap(namespace, name);
      if (found !== undefined) configMaps.set(name, found);
    }
    for (const name of wanted.secrets) {
      const found = await this.#objects.secret(namespace, name);
      if (found !== undefined) secrets.set(name, found);
    }
    return environmentOf(pod, container, {
      configMaps,
      secrets,
      services: this.#services.list(),
      facts: downwardFacts(this.#context, podIps),
    });
  }
}

export function downwardFacts(context: NodeContext, podIps: readonly string[]): DownwardFacts {
  return {
    nodeName: context.nodeName,
    hostIps: context.settings.addresses(),
    podIps,
    allocatable: { cpu: context.facts.cpuCount, memory: context.facts.memoryBytes },
  };
}

function viewOf(service: Service): ServiceView {
  return {
    namespace: service.metadata.namespace ?? "",
    name: service.metadata.name ?? "",
    clusterIp: service.spec.clusterIP ?? "",
    ports: (service.spec.ports ?? []).map(({ name = "", port, protocol = "TCP" }) => ({ name, port, protocol })),
  };
}
