import assert from "node:assert/strict";
import { test } from "node:test";
import { ipCommandLinks } from "#world/node/network.ts";
import { realProcesses } from "#world/node/processes.ts";
import { Namespace } from "./namespaces.ts";

test(
  "the gateway keeps its hardware address while pods come and go",
  { skip: process.getuid?.() !== 0 && "needs root" },
  async () => {
    using node = new Namespace("node");
    const links = ipCommandLinks({ processes: realProcesses, networkNamespace: node.path });
    const hardwareAddress = (): string => {
      const [link] = JSON.parse(node.run("ip", ["-j", "link", "show", "pods"])) as { address: string }[];
      return link!.address;
    };
    await links.ensureBridge("pods");
    const before = hardwareAddress();
    node.ip("link add veth0 address 02:00:00:00:00:01 type veth peer name peer0");
    node.ip("link set veth0 up master pods");
    assert.equal(hardwareAddress(), before, "not even for a port with a lower one");
    await links.ensureBridge("pods");
    assert.equal(hardwareAddress(), before);
    node.ip("link del veth0");
    assert.equal(hardwareAddress(), before);
  },
);
