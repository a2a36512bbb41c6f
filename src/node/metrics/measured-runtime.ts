import { growingBuckets, type Metrics } from "#telemetry/metrics.ts";
import type { Clock } from "#world/clock.ts";
import type { ContainerRuntime } from "#world/container-runtime.ts";

/** The runtime, whose calls are counted and timed under kubelet's names. The operations are the agent's own, so few. */
export function measuredRuntime<T extends ContainerRuntime>(
  runtime: T,
  metrics: Metrics,
  clock: Clock,
): ContainerRuntime {
  const operation = ["operation_type"];
  const total = metrics.counter(
    "kubelet_runtime_operations_total",
    "Cumulative number of runtime operations.",
    operation,
  );
  const errors = metrics.counter(
    "kubelet_runtime_operations_errors_total",
    "Cumulative number of runtime operation errors.",
    operation,
  );
  const durations = metrics.histogram(
    "kubelet_runtime_operations_duration_seconds",
    "Duration in seconds of runtime operations.",
    operation,
    growingBuckets(0.005, 2.5, 14),
  );
  const started = (what: string): ((isSuccess: boolean) => void) => {
    const all = metrics.counter(`kubelet_started_${what}_total`, `Cumulative number of ${what} started`, []).series([]);
    const failed = metrics
      .counter(`kubelet_started_${what}_errors_total`, `Cumulative number of errors when starting ${what}`, [])
      .series([]);
    return (isSuccess) => {
      all.add();
      if (!isSuccess) failed.add();
    };
  };
  const timed = <Given extends unknown[], Answer>(
    name: string,
    call: (...given: Given) => Promise<Answer>,
    ended?: (isSuccess: boolean) => void,
  ): ((...given: Given) => Promise<Answer>) => {
    const count = total.series([name]);
    const duration = durations.series([name]);
    return async (...given) => {
      const beganMs = clock.monotonic();
      count.add();
      try {
        const answer = await call(...given);
        ended?.(true);
        return answer;
      } catch (error) {
        errors.add([name]);
        ended?.(false);
        throw error;
      } finally {
        duration.observe((clock.monotonic() - beganMs) / 1000);
      }
    };
  };
  const { lostEnds } = runtime;
  return {
    version: timed("version", () => runtime.version()),
    status: timed("status", () => runtime.status()),
    runSandbox: timed("run_podsandbox", (config) => runtime.runSandbox(config), started("pods")),
    stopSandbox: timed("stop_podsandbox", (id) => runtime.stopSandbox(id)),
    removeSandbox: timed("remove_podsandbox", (id) => runtime.removeSandbox(id)),
    sandboxStatus: timed("podsandbox_status", (id) => runtime.sandboxStatus(id)),
    listSandboxes: timed("list_podsandbox", (labels) => runtime.listSandboxes(labels)),
    createContainer: timed("create_container", (id, config, sandbox) => runtime.createContainer(id, config, sandbox)),
    startContainer: timed("start_container", (id) => runtime.startContainer(id), started("containers")),
    stopContainer: timed("stop_container", (id, seconds) => runtime.stopContainer(id, seconds)),
    removeContainer: timed("remove_container", (id) => runtime.removeContainer(id)),
    containerStatus: timed("container_status", (id) => runtime.containerStatus(id)),
    listContainers: timed("list_containers", (labels) => runtime.listContainers(labels)),
    updateContainerResources: timed("update_container", (id, wanted) => runtime.updateContainerResources(id, wanted)),
    reopenContainerLog: timed("reopen_container_log", (id) => runtime.reopenContainerLog(id)),
    execSync: timed("exec_sync", (id, command, seconds, signal) => runtime.execSync(id, command, seconds, signal)),
    execUrl: timed("exec", (id, command, streams) => runtime.execUrl(id, command, streams)),
    attachUrl: timed("attach", (id, streams) => runtime.attachUrl(id, streams)),
    portForwardUrl: timed("port_forward", (id, ports) => runtime.portForwardUrl(id, ports)),
    listContainerStats: timed("list_container_stats", () => runtime.listContainerStats()),
    listImages: timed("list_images", () => runtime.listImages()),
    imageStatus: timed("image_status", (image) => runtime.imageStatus(image)),
    pullImage: timed("pull_image", (image, credentials, signal) => runtime.pullImage(image, credentials, signal)),
    removeImage: timed("remove_image", (image) => runtime.removeImage(image)),
    importImages: timed("import_images", (path) => runtime.importImages(path)),
    imageFileSystem: timed("image_fs_info", () => runtime.imageFileSystem()),
    ...(lostEnds === undefined ? {} : { lostEnds: () => lostEnds.call(runtime) }),
    subscribe: (handler) => runtime.subscribe(handler),
  };
}
