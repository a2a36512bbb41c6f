import { message, type Message } from "./wire.ts";

// The part of the runtime's published protocol (CRI v1 and containerd's events) that is used. Names are those of
// container-runtime.ts; numbers are the published ones.

const namespaceModes = ["Pod", "Container", "Node", "Target"];
const int64Value = message([1, "value", "int"]);
const uint64Value = int64Value;
const imageSpec = message([1, "image", "string"]);

export const empty = message();
export const versionRequest = message([1, "version", "string"]);
export const versionResponse = message([2, "runtimeName", "string"], [3, "runtimeVersion", "string"]);

const runtimeCondition = message(
  [1, "type", "string"],
  [2, "status", "bool"],
  [3, "reason", "string"],
  [4, "message", "string"],
);
const runtimeStatus = message([1, "conditions", () => runtimeCondition, "repeated"]);
export const statusResponse = message([1, "status", () => runtimeStatus]);

const namespaceOptions = message(
  [1, "network", namespaceModes],
  [2, "pid", namespaceModes],
  [3, "ipc", namespaceModes],
  [4, "targetId", "string"],
);
const securityProfile = message(
  [1, "profileType", ["RuntimeDefault", "Unconfined", "Localhost"]],
  [2, "localhostRef", "string"],
);
const sandboxSecurityContext = message(
  [1, "namespaceOptions", () => namespaceOptions],
  [3, "runAsUser", () => int64Value],
  [8, "runAsGroup", () => int64Value],
  [5, "supplementalGroups", "int", "repeated"],
  [6, "privileged", "bool"],
  [9, "seccomp", () => securityProfile],
);
const linuxSandboxConfig = message(
  [1, "cgroupParent", "string"],
  [2, "securityContext", () => sandboxSecurityContext],
  [3, "sysctls", "map"],
);
const sandboxMetadata = message(
  [1, "name", "string"],
  [2, "uid", "string"],
  [3, "namespace", "string"],
  [4, "attempt", "int"],
);
const dnsConfig = message(
  [1, "servers", "string", "repeated"],
  [2, "searches", "string", "repeated"],
  [3, "options", "string", "repeated"],
);
const portMapping = message(
  [1, "protocol", ["TCP", "UDP", "SCTP"]],
  [2, "containerPort", "int"],
  [3, "hostPort", "int"],
  [4, "hostIp", "string"],
);
const sandboxConfig = message(
  [1, "metadata", () => sandboxMetadata],
  [2, "hostname", "string"],
  [3, "logDirectory", "string"],
  [4, "dnsConfig", () => dnsConfig],
  [5, "portMappings", () => portMapping, "repeated"],
  [6, "labels", "map"],
  [7, "annotations", "map"],
  [8, "linux", () => linuxSandboxConfig],
);
export const runSandboxRequest = message([1, "config", () => sandboxConfig], [2, "runtimeHandler", "string"]);
export const sandboxId = message([1, "podSandboxId", "string"]);

const sandboxStates = ["Ready", "NotReady"];
const ipAddress = message([1, "ip", "string"]);
const sandboxNetwork = message([1, "ip", "string"], [2, "additionalIps", () => ipAddress, "repeated"]);
const sandboxStatus = message(
  [1, "id", "string"],
  [2, "metadata", () => sandboxMetadata],
  [3, "state", sandboxStates],
  [4, "createdAt", "nanos"],
  [5, "network", () => sandboxNetwork],
  [7, "labels", "map"],
  [8, "annotations", "map"],
);
export const sandboxStatusResponse = message([1, "status", () => sandboxStatus]);
const sandboxSummary = message(
  [1, "id", "string"],
  [2, "metadata", () => sandboxMetadata],
  [3, "state", sandboxStates],
  [4, "createdAt", "nanos"],
  [5, "labels", "map"],
  [6, "annotations", "map"],
);
const sandboxFilter = message([3, "labelSelector", "map"]);
export const listSandboxesRequest = message([1, "filter", () => sandboxFilter]);
export const listSandboxesResponse = message([1, "items", () => sandboxSummary, "repeated"]);

const linuxResources = message(
  [1, "cpuPeriod", "int"],
  [2, "cpuQuota", "int"],
  [3, "cpuShares", "int"],
  [4, "memoryLimitInBytes", "int"],
  [5, "oomScoreAdj", "int"],
);
const capability = message([1, "addCapabilities", "string", "repeated"], [2, "dropCapabilities", "string", "repeated"]);
const containerSecurityContext = message(
  [1, "capabilities", () => capability],
  [2, "privileged", "bool"],
  [3, "namespaceOptions", () => namespaceOptions],
  [5, "runAsUser", () => int64Value],
  [12, "runAsGroup", () => int64Value],
  [6, "runAsUsername", "string"],
  [7, "readonlyRootfs", "bool"],
  [8, "supplementalGroups", "int", "repeated"],
  [11, "noNewPrivs", "bool"],
  [13, "maskedPaths", "string", "repeated"],
  [14, "readonlyPaths", "string", "repeated"],
  [15, "seccomp", () => securityProfile],
  [16, "apparmor", () => securityProfile],
);
const linuxContainerConfig = message(
  [1, "resources", () => linuxResources],
  [2, "securityContext", () => containerSecurityContext],
);
const containerMetadata = message([1, "name", "string"], [2, "attempt", "int"]);
const keyValue = message([1, "key", "string"], [2, "value", "string"]);
const mount = message(
  [1, "containerPath", "string"],
  [2, "hostPath", "string"],
  [3, "readonly", "bool"],
  [5, "propagation", ["Private", "HostToContainer", "Bidirectional"]],
);
const device = message([1, "containerPath", "string"], [2, "hostPath", "string"], [3, "permissions", "string"]);
const cdiDevice = message([1, "name", "string"]);
const containerConfig = message(
  [1, "metadata", () => containerMetadata],
  [2, "image", () => imageSpec],
  [3, "command", "string", "repeated"],
  [4, "args", "string", "repeated"],
  [5, "workingDir", "string"],
  [6, "envs", () => keyValue, "repeated"],
  [7, "mounts", () => mount, "repeated"],
  [8, "devices", () => device, "repeated"],
  [9, "labels", "map"],
  [10, "annotations", "map"],
  [11, "logPath", "string"],
  [12, "stdin", "bool"],
  [13, "stdinOnce", "bool"],
  [14, "tty", "bool"],
  [15, "linux", () => linuxContainerConfig],
  [17, "cdiDevices", () => cdiDevice, "repeated"],
);
export const createContainerRequest = message(
  [1, "podSandboxId", "string"],
  [2, "config", () => containerConfig],
  [3, "sandboxConfig", () => sandboxConfig],
);
export const containerId = message([1, "containerId", "string"]);
export const stopContainerRequest = message([1, "containerId", "string"], [2, "timeout", "int"]);

const containerStates = ["Created", "Running", "Exited", "Unknown"];
const containerSummary = message(
  [1, "id", "string"],
  [2, "podSandboxId", "string"],
  [3, "metadata", () => containerMetadata],
  [4, "image", () => imageSpec],
  [5, "imageRef", "string"],
  [6, "state", containerStates],
  [7, "createdAt", "nanos"],
  [8, "labels", "map"],
  [9, "annotations", "map"],
);
const containerFilter = message([4, "labelSelector", "map"]);
export const listContainersRequest = message([1, "filter", () => containerFilter]);
export const listContainersResponse = message([1, "containers", () => containerSummary, "repeated"]);
const containerStatus = message(
  [1, "id", "string"],
  [2, "metadata", () => containerMetadata],
  [3, "state", containerStates],
  [4, "createdAt", "nanos"],
  [5, "startedAt", "nanos"],
  [6, "finishedAt", "nanos"],
  [7, "exitCode", "int"],
  [8, "image", () => imageSpec],
  [9, "imageRef", "string"],
  [10, "reason", "string"],
  [11, "message", "string"],
  [12, "labels", "map"],
  [13, "annotations", "map"],
  [15, "logPath", "string"],
);
export const containerStatusResponse = message([1, "status", () => containerStatus]);
export const updateResourcesRequest = message([1, "containerId", "string"], [2, "linux", () => linuxResources]);

export const execSyncRequest = message(
  [1, "containerId", "string"],
  [2, "cmd", "string", "repeated"],
  [3, "timeout", "int"],
);
export const execSyncResponse = message([1, "stdout", "bytes"], [2, "stderr", "bytes"], [3, "exitCode", "int"]);
export const execRequest = message(
  [1, "containerId", "string"],
  [2, "cmd", "string", "repeated"],
  [3, "tty", "bool"],
  [4, "stdin", "bool"],
  [5, "stdout", "bool"],
  [6, "stderr", "bool"],
);
export const attachRequest = message(
  [1, "containerId", "string"],
  [2, "stdin", "bool"],
  [3, "tty", "bool"],
  [4, "stdout", "bool"],
  [5, "stderr", "bool"],
);
export const portForwardRequest = message([1, "podSandboxId", "string"], [2, "port", "int", "repeated"]);
export const urlResponse = message([1, "url", "string"]);

const containerAttributes = message(
  [1, "id", "string"],
  [2, "metadata", () => containerMetadata],
  [3, "labels", "map"],
);
const cpuUsage = message([1, "timestamp", "nanos"], [2, "usageCoreNanoSeconds", () => uint64Value]);
const memoryUsage = message(
  [1, "timestamp", "nanos"],
  [2, "workingSetBytes", () => uint64Value],
  [4, "usageBytes", () => uint64Value],
  [5, "rssBytes", () => uint64Value],
);
const fileSystemId = message([1, "mountpoint", "string"]);
const fileSystemUsage = message(
  [1, "timestamp", "nanos"],
  [2, "fsId", () => fileSystemId],
  [3, "usedBytes", () => uint64Value],
  [4, "inodesUsed", () => uint64Value],
);
const containerStats = message(
  [1, "attributes", () => containerAttributes],
  [2, "cpu", () => cpuUsage],
  [3, "memory", () => memoryUsage],
  [4, "writableLayer", () => fileSystemUsage],
);
export const listStatsResponse = message([1, "stats", () => containerStats, "repeated"]);

const image = message(
  [1, "id", "string"],
  [2, "repoTags", "string", "repeated"],
  [3, "repoDigests", "string", "repeated"],
  [4, "size", "int"],
  [5, "uid", () => int64Value],
  [6, "username", "string"],
  [8, "pinned", "bool"],
);
export const listImagesResponse = message([1, "images", () => image, "repeated"]);
export const imageRequest = message([1, "image", () => imageSpec]);
export const imageStatusResponse = message([1, "image", () => image]);
const authConfig = message(
  [1, "username", "string"],
  [2, "password", "string"],
  [3, "auth", "string"],
  [4, "serverAddress", "string"],
  [5, "identityToken", "string"],
  [6, "registryToken", "string"],
);
export const pullImageRequest = message([1, "image", () => imageSpec], [2, "auth", () => authConfig]);
export const pullImageResponse = message([1, "imageRef", "string"]);
export const imageFsInfoResponse = message([1, "imageFilesystems", () => fileSystemUsage, "repeated"]);

export const subscribeRequest = message([1, "filters", "string", "repeated"]);
const anyMessage = message([1, "typeUrl", "string"], [2, "value", "bytes"]);
export const publishRequest = message([1, "topic", "string"], [2, "event", () => anyMessage]);
export const eventEnvelope = message(
  [2, "namespace", "string"],
  [3, "topic", "string"],
  [4, "event", () => anyMessage],
);
/** TaskStart, TaskOOM: the container is field 1. TaskDelete also names the process: an exec's differs. */
export const taskEvent = message([1, "containerId", "string"]);
export const taskDelete = message([1, "containerId", "string"], [5, "id", "string"]);

export type { Message };

/** What containerd's tasks service says of a container's or sandbox's first process. */
const taskProcess = message(
  [1, "containerId", "string"],
  [2, "id", "string"],
  [4, "status", ["Unknown", "Created", "Running", "Stopped", "Paused", "Pausing"]],
);
export const listTasksResponse = message([1, "tasks", () => taskProcess, "repeated"]);
