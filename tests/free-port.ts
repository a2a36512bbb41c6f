import { readFileSync } from "node:fs";

/** Below the ports that the kernel gives to whoever asks for any (from 32768 on): nobody's connection takes one of these. */
const firstPort = 20_000;
const portsTotal = 12_000;
/** Test files that run beside each other begin at places of their own. */
const portsPerProcess = 16;
let given = 0;

/** A TCP port on which nobody listens, and that no other test is given soon. */
export function freePort(): number {
  const taken = listeningPorts();
  for (let tries = 0; tries < portsTotal; tries++) {
    const port = firstPort + ((process.pid * portsPerProcess + given++) % portsTotal);
    if (!taken.has(port)) return port;
  }
  throw new Error("No port is free");
}

/** Of this network namespace. */
function listeningPorts(): ReadonlySet<number> {
  const sockets = ["tcp", "tcp6"].map((name) => readFileSync(`/proc/self/net/${name}`, "utf8")).join("\n");
  return new Set(
    Array.from(sockets.matchAll(/^ *\d+: \w+:(\w{4}) \w+:\w+ 0A /gm), ([, port = ""]) => parseInt(port, 16)),
  );
}
