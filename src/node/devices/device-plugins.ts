import type {
  DevicePlugin,
  DevicePluginOptions,
  DevicePluginRequest,
  DeviceTopology,
  NodePlugins,
} from "#world/node-plugins.ts";
import type { Timer } from "#world/clock.ts";
import type { NodeContext } from "../context.ts";
import { pluginGoneMs } from "../limits.ts";

const apiVersion = "v1beta1";

interface KnownDevice {
  readonly isHealthy: boolean;
  readonly topology: DeviceTopology | undefined;
}

interface Registered {
  readonly plugin: DevicePlugin;
  readonly options: DevicePluginOptions;
  /** By id. */
  devices: ReadonlyMap<string, KnownDevice>;
  isGone: boolean;
  watch: { cancel(): void } | undefined;
}

/** Device plugins that registered, and the devices that they say they have. */
export class DevicePlugins {
  readonly #context: NodeContext;
  readonly #wire: NodePlugins;
  readonly #folder: string;
  readonly #changed: () => void;
  readonly #registered = new Map<string, Registered>();
  readonly #forgetting = new Map<string, Timer>();
  #server: { close(): Promise<void> } | undefined;

  /** `folder` is shared with the plugins; `changed` is called when a resource or its devices changed. */
  constructor(context: NodeContext, wire: NodePlugins, folder: string, changed: () => void) {
    this.#context = context;
    this.#wire = wire;
    this.#folder = folder;
    this.#changed = changed;
  }

  /** Serves the registration. Plugins see the new socket, and register again. */
  async start(): Promise<void> {
    const { disk } = this.#context;
    await disk.makeDirectory(this.#folder, 0o755);
    this.#server = await this.#wire.serveRegistration(`${this.#folder}/kubelet.sock`, (request) =>
      this.#register(request),
    );
  }

  stop(): void {
    // Nobody waits for the end of a process' sockets.
    void this.#server?.close();
    for (const timer of this.#forgetting.values()) timer.cancel();
    for (const resource of this.#registered.keys()) this.#drop(resource);
  }

  has(resource: string): boolean {
    return this.#registered.has(resource);
  }

  resources(): Iterable<string> {
    return this.#registered.keys();
  }

  /** Devices there are, and those of them that may be given. */
  amounts(resource: string): { readonly capacity: number; readonly allocatable: number } {
    return {
      capacity: this.#registered.get(resource)?.devices.size ?? 0,
      allocatable: this.healthy(resource).length,
    };
  }

  healthy(resource: string): string[] {
    const devices = this.#registered.get(resource)?.devices ?? new Map<string, KnownDevice>();
    return [...devices].flatMap(([id, { isHealthy }]) => (isHealthy ? [id] : []));
  }

  /** What the plugin said of where a device is; undefined: nothing, or it is not back yet. */
  topology(resource: string, id: string): DeviceTopology | undefined {
    return this.#registered.get(resource)?.devices.get(id)?.topology;
  }

  /** The plugin that serves a resource; undefined: none does, or it has gone. */
  serving(resource: string): { readonly plugin: DevicePlugin; readonly options: DevicePluginOptions } | undefined {
    const found = this.#registered.get(resource);
    return found === undefined || found.isGone ? undefined : found;
  }

  async #register({ version, endpoint, resourceName }: DevicePluginRequest): Promise<void> {
    if (version !== apiVersion) throw new Error(`API version ${version} is not supported, ${apiVersion} is`);
    if (!/^[a-z0-9.-]+\/[A-Za-z0-9._-]+$/.test(resourceName) || /(^|\.)kubernetes\.io\//.test(resourceName))
      throw new Error(`the ResourceName "${resourceName}" is invalid`);
    if (endpoint === "" || endpoint.includes("/") || endpoint.includes(".."))
      throw new Error(`the endpoint "${endpoint}" is not the name of a socket beside this one`);
    // The plugin may wait for this answer before it serves.
    this.#context.timers.soon(() => {
      this.#connect(endpoint, resourceName).catch((error: unknown) =>
        this.#context.onProblem(`cannot use the device plugin of ${resourceName}`, error),
      );
    });
    return Promise.resolve();
  }

  async #connect(endpoint: string, resource: string): Promise<void> {
    const plugin = this.#wire.devicePlugin(`${this.#folder}/${endpoint}`);
    const options = await plugin.options().catch((error: unknown) => {
      plugin.close();
      throw error;
    });
    this.#drop(resource);
    this.#forgetting.get(resource)?.cancel();
    const registered: Registered = { plugin, options, devices: new Map(), isGone: false, watch: undefined };
    this.#registered.set(resource, registered);
    registered.watch = plugin.watch({
      devices: (all) => {
        registered.devices = new Map(
          all.map(({ id, health, topology }) => [id, { isHealthy: health === "Healthy", topology }]),
        );
        this.#changed();
      },
      end: (error) => this.#ended(resource, registered, error),
    });
  }

  /** A plugin that is gone has devices that nobody may have; it is forgotten when it does not come back. */
  #ended(resource: string, registered: Registered, error: Error | undefined): void {
    if (this.#registered.get(resource) !== registered) return;
    this.#context.onProblem(`the device plugin of ${resource} is gone`, error ?? new Error("it ended its stream"));
    registered.isGone = true;
    registered.devices = new Map(
      [...registered.devices].map(([id, { topology }]) => [id, { isHealthy: false, topology }]),
    );
    registered.plugin.close();
    this.#forgetting.set(
      resource,
      this.#context.timers.after(pluginGoneMs, () => {
        if (this.#registered.get(resource) !== registered) return;
        registered.devices = new Map();
        this.#changed();
      }),
    );
    this.#changed();
  }

  #drop(resource: string): void {
    const known = this.#registered.get(resource);
    this.#registered.delete(resource);
    known?.watch?.cancel();
    known?.plugin.close();
  }
}
