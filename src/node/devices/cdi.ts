import type { DeviceEdits } from "#world/node-plugins.ts";

/** The part of a specification of the Container Device Interface that a container runtime's request can carry. */
interface CdiEdits {
  readonly env?: readonly string[];
  readonly deviceNodes?: readonly {
    readonly path: string;
    readonly hostPath?: string;
    readonly permissions?: string;
  }[];
  readonly mounts?: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly options?: readonly string[];
  }[];
  readonly [other: string]: unknown;
}

/** https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md */
export interface CdiSpec {
  readonly kind: string;
  readonly devices?: readonly { readonly name: string; readonly containerEdits?: CdiEdits }[];
  readonly containerEdits?: CdiEdits;
}

const carried = new Set(["env", "deviceNodes", "mounts"]);

/**
 * What the named devices (`vendor.com/class=name`) ask to change in a container, for runtimes that do not read the specifications
 * themselves. Throws when a device is unknown, or asks for what only such a runtime can do (hooks, groups). Pure.
 */
export function resolveCdi(names: readonly string[], specs: readonly CdiSpec[]): Omit<DeviceEdits, "cdiDevices"> {
  const edits: CdiEdits[] = [];
  const touched = new Set<CdiSpec>();
  for (const name of names) {
    const at = name.indexOf("=");
    const [kind, device] = [name.slice(0, at), name.slice(at + 1)];
    const spec = specs.find((one) => one.kind === kind && one.devices?.some((own) => own.name === device) === true);
    if (at < 0 || spec === undefined) throw new Error(`CDI device "${name}" is unknown on this node`);
    if (!touched.has(spec) && spec.containerEdits !== undefined) edits.push(spec.containerEdits);
    touched.add(spec);
    const own = spec.devices?.find((one) => one.name === device)?.containerEdits;
    if (own !== undefined) edits.push(own);
  }
  for (const edit of edits) {
    const beyond = Object.keys(edit).find((key) => !carried.has(key));
    if (beyond !== undefined)
      throw new Error(`a CDI device asks for ${beyond}, which takes a container runtime that reads CDI by itself`);
  }
  return {
    envs: Object.fromEntries(edits.flatMap(({ env = [] }) => env.map(splitVariable))),
    mounts: edits.flatMap(({ mounts = [] }) =>
      mounts.map(({ hostPath, containerPath, options = [] }) => ({
        hostPath,
        containerPath,
        readonly: options.includes("ro"),
      })),
    ),
    devices: edits.flatMap(({ deviceNodes = [] }) =>
      deviceNodes.map(({ path, hostPath, permissions }) => ({
        containerPath: path,
        hostPath: hostPath ?? path,
        permissions: permissions ?? "rwm",
      })),
    ),
    annotations: {},
  };
}

function splitVariable(text: string): [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
