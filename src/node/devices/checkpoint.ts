import type { DeviceEdits, PreparedDevice } from "#world/node-plugins.ts";

/** Devices of one resource that a container holds. */
export interface HeldDevices {
  readonly podUid: string;
  readonly container: string;
  readonly resource: string;
  readonly ids: readonly string[];
  readonly edits: DeviceEdits;
}

/** A resource claim that drivers prepared, or may have, for pods of this node. */
export interface HeldClaim {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly podUids: readonly string[];
  /** Each driver that was asked, with what it answered. */
  readonly drivers: Readonly<Record<string, readonly PreparedDevice[]>>;
}

/** What must outlive the agent: who holds what. */
export interface DeviceCheckpoint {
  /** Resources that plugins have registered: the node goes on naming them. */
  readonly resources: readonly string[];
  readonly held: readonly HeldDevices[];
  readonly claims: readonly HeldClaim[];
}

export const emptyCheckpoint: DeviceCheckpoint = { resources: [], held: [], claims: [] };

const version = 1;

/** The text of a checkpoint. */
export function renderCheckpoint(checkpoint: DeviceCheckpoint): string {
  return JSON.stringify({ version, ...checkpoint });
}

/** Reads a checkpoint that `renderCheckpoint` made; throws when a newer program wrote it, or nobody of ours. */
export function parseCheckpoint(text: string): DeviceCheckpoint {
  const read = JSON.parse(text) as Partial<DeviceCheckpoint> & { readonly version?: number };
  if (read.version !== version) throw new Error(`Cannot read the devices' checkpoint: its version is ${read.version}`);
  return { resources: read.resources ?? [], held: read.held ?? [], claims: read.claims ?? [] };
}
