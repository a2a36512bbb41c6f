/** Only what was started for a cluster is taken for a part of it: whoever else names its files is left alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { partOf } from "./cluster-processes.ts";

const parts: readonly [commandLine: string, name: string | undefined][] = [
  ["/n/node --enable-source-maps /p/supervisor.js --data-dir /data", "supervisor"],
  ["/n/node /p/src/main/server.ts --data-dir /data", "server"],
  ["/n/node --max-semi-space-size=4 /p/agent.js --data-dir /data --node vm-2", "agent-vm-2"],
  ["nsenter --net=/run/netns/x /n/node /p/agent.js --data-dir /data --node vm-2", "agent-vm-2"],
  ["containerd --config /data/nodes/vm/config.toml", "containerd-vm"],
  ["haproxy -W -C /data/nodes/vm/network/haproxy -f haproxy.cfg -p /data/nodes/vm/x.pid", "haproxy-vm"],
  [
    "/usr/bin/prometheus --config.file=/data/prometheus/prometheus.yml --web.listen-address=127.0.0.1:9090",
    "prometheus",
  ],
  ["/n/node /p/steer.js reset --data-dir /data", undefined],
  ["/n/node /p/steer.js up --foreground --data-dir /data", undefined],
  ["vim /data/nodes/vm/config.toml", undefined],
  ["tail -f /data/logs/server.log", undefined],
  ["grep -r server.js --data-dir", undefined],
  ["containerd --config /etc/containerd/config.toml", undefined],
  ["haproxy -W -f /etc/haproxy/haproxy.cfg", undefined],
  ["", undefined],
];

for (const [commandLine, name] of parts) {
  test(`${commandLine || "(no command line)"}: ${name ?? "nobody's"}`, () => {
    assert.deepEqual(partOf(commandLine.split(" ")), name === undefined ? undefined : { name, dataDir: "/data" });
  });
}
