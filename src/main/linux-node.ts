import { createHash } from "node:crypto";
import type { NodeMachine } from "#cluster/node.ts";
import { connectContainerRuntime } from "#world/node/container-runtime.ts";
import { nftablesRules } from "#world/node/kernel-rules.ts";
import { linuxMachine } from "#world/node/machine.ts";
import { ipCommandLinks } from "#world/node/network.ts";
import { unixSocketPlugins } from "#world/node/node-plugins.ts";
import { linuxProbeWire } from "#world/node/probe-wire.ts";
import { realProcesses } from "#world/node/processes.ts";

/** This machine as a node; with `networkNamespace` the network of another namespace, for commands that stand outside of it. */
export function linuxNode(networkNamespace?: string): NodeMachine {
  const network = { processes: realProcesses, ...(networkNamespace === undefined ? {} : { networkNamespace }) };
  return {
    machine: linuxMachine(realProcesses),
    links: ipCommandLinks(network),
    kernelRules: nftablesRules(network),
    probeWire: linuxProbeWire(),
    plugins: unixSocketPlugins(),
    sha1: (data) => createHash("sha1").update(data).digest(),
    connectRuntime: (socketPath) => connectContainerRuntime({ socketPath, processes: realProcesses }),
  };
}
