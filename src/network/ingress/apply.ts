import type { Actual, ActualServer } from "./actual.ts";
import { diff, type Step } from "./diff.ts";
import { idleServerSeconds, linesPerCommand } from "./limits.ts";
import { RuntimeError, type Runtime } from "./runtime.ts";
import { certificateList, emptyMaps, type DataPlane } from "./wanted.ts";

/** Brings a running HAProxy from `actual` to `wanted`; answers what it holds then. Rejects with `RuntimeError`: read it anew. */
export async function applyPlane(runtime: Runtime, actual: Actual, wanted: DataPlane): Promise<Actual> {
  for (const step of diff(actual, wanted)) await carryOut(runtime, step);
  return {
    maps: wanted.maps,
    servers: new Map(
      [...actual.servers].map(([backend, servers]) => [backend, serversAfter(servers, wanted, backend)]),
    ),
    certificates: actual.certificates,
  };
}

function serversAfter(
  before: ReadonlyMap<string, ActualServer>,
  wanted: DataPlane,
  backend: string,
): ReadonlyMap<string, ActualServer> {
  const after = new Map(before);
  const one: Actual = { maps: emptyMaps, servers: new Map([[backend, before]]), certificates: new Map() };
  const steps = diff(one, { ...wanted, maps: emptyMaps });
  for (const step of steps) {
    if (!("server" in step)) continue;
    const server = after.get(step.server) ?? { address: "", port: 0, weight: 0, ready: false };
    switch (step.kind) {
      case "add-server":
      case "move-server":
        after.set(step.server, { ...server, ...step.to });
        break;
      case "weigh-server":
        after.set(step.server, { ...server, weight: step.weight });
        break;
      case "open-server":
      case "close-server":
        after.set(step.server, { ...server, ready: step.kind === "open-server" });
    }
  }
  return after;
}

async function carryOut(runtime: Runtime, step: Step): Promise<void> {
  switch (step.kind) {
    case "add-lines":
      for (let from = 0; from < step.lines.length; from += linesPerCommand) {
        const lines = step.lines.slice(from, from + linesPerCommand).map(([key, value]) => `${key} ${value}\n`);
        await runtime.expect("", `add map ${step.file}`, lines.join(""));
      }
      return;
    case "set-line":
      return runtime.expect("", `set map ${step.file} ${step.key} ${step.value}`);
    case "remove-line":
      return runtime.expect("", `del map ${step.file} ${step.key}`);
    case "add-server": {
      const { address, port, weight } = step.to;
      return runtime.expect(
        /registered/,
        // HAProxy 2.6 keeps no idle connection to a server that was added, unless it is told what holds for all others.
        `add server ${step.backend}/${step.server} ${address}:${port} weight ${weight}` +
          ` pool-max-conn -1 pool-purge-delay ${idleServerSeconds}s`,
      );
    }
    case "move-server": {
      const { address, port } = step.to;
      return runtime.expect(/change/, `set server ${step.backend}/${step.server} addr ${address} port ${port}`);
    }
    case "weigh-server":
      return runtime.expect("", `set server ${step.backend}/${step.server} weight ${step.weight}`);
    case "open-server":
      return runtime.expect("", `set server ${step.backend}/${step.server} state ready`);
    case "close-server":
      return runtime.expect("", `set server ${step.backend}/${step.server} state maint`);
  }
}

/** Certificates that could not be loaded, by file, with HAProxy's words. */
export type CertificateFaults = ReadonlyMap<string, string>;

/**
 * Brings the certificates in. `sent` is what this process sent before; the rest is sent again, since HAProxy does not tell what it
 * holds. A certificate that HAProxy refuses is left out and told; the others are served.
 */
export async function applyCertificates(
  runtime: Runtime,
  actual: ReadonlyMap<string, readonly string[]>,
  wanted: DataPlane["certificates"],
  sent: ReadonlyMap<string, string>,
): Promise<{
  readonly held: ReadonlyMap<string, readonly string[]>;
  readonly sent: ReadonlyMap<string, string>;
  readonly faults: CertificateFaults;
}> {
  const held = new Map(actual);
  const sentNow = new Map<string, string>();
  const faults = new Map<string, string>();
  for (const [file, { pem, hosts }] of wanted) {
    try {
      if (sent.get(file) !== pem) await load(runtime, file, pem);
      sentNow.set(file, pem);
      const present = held.get(file);
      if (present?.join(" ") !== hosts.join(" ")) {
        await runtime.expect(/Success/, `add ssl crt-list ${certificateList}`, `${file} ${hosts.join(" ")}\n`);
        if (present !== undefined) await removeEntry(runtime, file);
        held.set(file, hosts);
      }
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      faults.set(file, error.message);
    }
  }
  for (const file of actual.keys()) {
    if (wanted.has(file)) continue;
    await removeEntry(runtime, file);
    await runtime.expect(/deleted/, `del ssl cert ${file}`);
    held.delete(file);
  }
  return { held, sent: sentNow, faults };
}

async function load(runtime: Runtime, file: string, pem: string): Promise<void> {
  await runtime.expect(/New empty|already exists/, `new ssl cert ${file}`);
  try {
    await runtime.expect(/Transaction (created|updated)/, `set ssl cert ${file}`, pem);
    await runtime.expect(/Success/, `commit ssl cert ${file}`);
  } catch (error) {
    await runtime.command(`abort ssl cert ${file}`);
    throw error;
  }
}

/** Removes the first entry of a certificate: the oldest, when a newer one has just been added. */
async function removeEntry(runtime: Runtime, file: string): Promise<void> {
  const listing = await runtime.command(`show ssl crt-list -n ${certificateList}`);
  const line = new RegExp(`^${file.replace(".", "\\.")}:(\\d+)`, "m").exec(listing)?.[1];
  if (line !== undefined) await runtime.expect(/deleted/, `del ssl crt-list ${certificateList} ${file}:${line}`);
}
