import { message } from "./wire.ts";

// The published protocols between a node and its plugins: device plugins (v1beta1), plugin registration (v1) and drivers of
// resource claims (v1, of which v1beta1 has the same messages). Names are those of node-plugins.ts; numbers are the published ones.

export const empty = message();

const devicePluginOptions = message([1, "preStartRequired", "bool"], [2, "preferredAllocationAvailable", "bool"]);
export const optionsResponse = devicePluginOptions;
export const registerRequest = message(
  [1, "version", "string"],
  [2, "endpoint", "string"],
  [3, "resourceName", "string"],
  [4, "options", () => devicePluginOptions],
);
const device = message([1, "id", "string"], [2, "health", "string"]);
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
