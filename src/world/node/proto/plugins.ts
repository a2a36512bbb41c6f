import { message } from "./wire.ts";

// The published protocols between a node and its plugins: device plugins (v1beta1), plugin registration (v1), drivers of resource
// claims (v1, of which v1beta1 has the same messages), and pod resources (v1) for those who watch devices. Names are those of
// node-plugins.ts; numbers are the published ones.

export const empty = message();

const devicePluginOptions = message([1, "preStartRequired", "bool"], [2, "preferredAllocationAvailable", "bool"]);
export const optionsResponse = devicePluginOptions;
export const registerRequest = message(
  [1, "version", "string"],
  [2, "endpoint", "string"],
  [3, "resourceName", "string"],
  [4, "options", () => devicePluginOptions],
);
const memoryNode = message([1, "id", "int"]);
const topology = message([1, "nodes", () => memoryNode, "repeated"]);
const device = message([1, "id", "string"], [2, "health", "string"], [3, "topology", () => topology]);
export const listAndWatchResponse = message([1, "devices", () => device, "repeated"]);

const preferredRequest = message(
  [1, "available", "string", "repeated"],
  [2, "mustInclude", "string", "repeated"],
  [3, "size", "int"],
);
export const preferredAllocationRequest = message([1, "containers", () => preferredRequest, "repeated"]);
const deviceIds = message([1, "ids", "string", "repeated"]);
export const preferredAllocationResponse = message([1, "containers", () => deviceIds, "repeated"]);

export const allocateRequest = message([1, "containers", () => deviceIds, "repeated"]);
const mount = message([1, "containerPath", "string"], [2, "hostPath", "string"], [3, "readonly", "bool"]);
const deviceNode = message([1, "containerPath", "string"], [2, "hostPath", "string"], [3, "permissions", "string"]);
const cdiDevice = message([1, "name", "string"]);
const deviceEdits = message(
  [1, "envs", "map"],
  [2, "mounts", () => mount, "repeated"],
  [3, "devices", () => deviceNode, "repeated"],
  [4, "annotations", "map"],
  [5, "cdiDevices", () => cdiDevice, "repeated"],
);
export const allocateResponse = message([1, "containers", () => deviceEdits, "repeated"]);
export const preStartRequest = deviceIds;

export const pluginInfo = message(
  [1, "type", "string"],
  [2, "name", "string"],
  [3, "endpoint", "string"],
  [4, "supportedVersions", "string", "repeated"],
);
export const registrationStatus = message([1, "registered", "bool"], [2, "error", "string"]);

const claim = message([1, "namespace", "string"], [2, "uid", "string"], [3, "name", "string"]);
export const claimsRequest = message([1, "claims", () => claim, "repeated"]);
const preparedDevice = message(
  [1, "requestNames", "string", "repeated"],
  [2, "poolName", "string"],
  [3, "deviceName", "string"],
  [4, "cdiDeviceIds", "string", "repeated"],
);
const preparedClaim = message([1, "devices", () => preparedDevice, "repeated"], [2, "error", "string"]);
// A map from strings to messages is a list of its entries.
const preparedEntry = message([1, "uid", "string"], [2, "claim", () => preparedClaim]);
export const prepareResponse = message([1, "claims", () => preparedEntry, "repeated"]);
const unpreparedClaim = message([1, "error", "string"]);
const unpreparedEntry = message([1, "uid", "string"], [2, "claim", () => unpreparedClaim]);
export const unprepareResponse = message([1, "claims", () => unpreparedEntry, "repeated"]);

const reportedDevices = message(
  [1, "resourceName", "string"],
  [2, "ids", "string", "repeated"],
  [3, "topology", () => topology],
);
const claimResource = message(
  [1, "cdiDevices", () => cdiDevice, "repeated"],
  [2, "driver", "string"],
  [3, "pool", "string"],
  [4, "device", "string"],
);
const reportedClaim = message(
  [2, "name", "string"],
  [3, "namespace", "string"],
  [4, "resources", () => claimResource, "repeated"],
);
// Exclusive processors (3) and pinned memory (4) are not there: no container of ours has any.
const reportedContainer = message(
  [1, "name", "string"],
  [2, "devices", () => reportedDevices, "repeated"],
  [5, "claims", () => reportedClaim, "repeated"],
);
const reportedPod = message(
  [1, "name", "string"],
  [2, "namespace", "string"],
  [3, "containers", () => reportedContainer, "repeated"],
);
export const podResourcesList = message([1, "pods", () => reportedPod, "repeated"]);
export const allocatableResources = message([1, "devices", () => reportedDevices, "repeated"]);
export const podResourcesRequest = message([1, "name", "string"], [2, "namespace", "string"]);
export const podResourcesAnswer = message([1, "pod", () => reportedPod]);
