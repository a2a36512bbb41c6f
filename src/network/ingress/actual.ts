import type { Runtime } from "./runtime.ts";
import { certificateList, mapFiles, mapsOf, type MapFile, type Maps } from "./wanted.ts";

export interface ActualServer {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** False: it gets no requests. */
  readonly ready: boolean;
}

/** What a running HAProxy holds. */
export interface Actual {
  readonly maps: Maps;
  /** Backend name to server name to server; every backend that was started with is there. */
  readonly servers: ReadonlyMap<string, ReadonlyMap<string, ActualServer>>;
  /** Certificate file to its hosts. */
  readonly certificates: ReadonlyMap<string, readonly string[]>;
}

/** Reads everything that the data plane can change, so that nothing needs a reload after a restart of ours. */
export async function readActual(runtime: Runtime): Promise<Actual> {
  const maps = new Map<MapFile, Map<string, string>>();
  for (const file of mapFiles) maps.set(file, readMap(await runtime.command(`show map ${file}`)));
  const backends = (await runtime.command("show backend")).split("\n").filter((line) => /^b\d+$/.test(line));
  return {
    maps: mapsOf((file) => maps.get(file)!),
    servers: readServers(backends, await runtime.command("show servers state")),
    certificates: readCertificates(await runtime.command(`show ssl crt-list ${certificateList}`)),
  };
}

function readMap(answer: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of answer.split("\n")) {
    const [, key, value] = line.split(" ");
    if (key !== undefined && value !== undefined && line.startsWith("0x")) found.set(key, value);
  }
  return found;
}

/** Columns by their published order: be_name 1, srv_name 3, srv_addr 4, srv_admin_state 6, srv_uweight 7, srv_port 18. */
function readServers(backends: readonly string[], answer: string): Map<string, Map<string, ActualServer>> {
  const found = new Map(backends.map((name) => [name, new Map<string, ActualServer>()]));
  for (const line of answer.split("\n")) {
    const columns = line.split(" ");
    const servers = found.get(columns[1] ?? "");
    if (servers === undefined || line.startsWith("#")) continue;
    const [address = "", admin = "", weight = "", port = ""] = [columns[4], columns[6], columns[7], columns[18]];
    servers.set(columns[3] ?? "", {
      address,
      port: Number(port),
      weight: Number(weight),
      ready: (Number(admin) & 1) === 0,
    });
  }
  return found;
}

function readCertificates(answer: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of answer.split("\n")) {
    const [file = "", ...hosts] = line.trim().split(" ");
    if (/^c\d+\.pem$/.test(file)) found.set(file, hosts);
  }
  return found;
}
