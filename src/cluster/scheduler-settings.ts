import { Extender } from "#scheduler/extender.ts";
import type { SchedulerOptions } from "#scheduler/loop.ts";
import type { Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import type { Http } from "#world/http.ts";
import { configFiles, configFolder, followed, readConfigFile } from "./access-files.ts";
import { readSchedulerConfiguration, type ExtenderEndpoint, type Pem } from "./scheduler-configuration.ts";

export type SchedulerSettings = Pick<SchedulerOptions, "profiles" | "extenders" | "backoff">;

interface World {
  readonly disk: Pick<Disk, "readText" | "stat" | "list">;
  readonly http: Http;
  readonly timers: Timers;
}

/** Profiles, back-off and extenders from `scheduler.yaml` in the `config` folder; nothing without one. Throws `ConfigFileError`. */
export async function openSchedulerSettings(world: World, dataDir: string): Promise<SchedulerSettings> {
  const text = await readConfigFile(world.disk, dataDir, configFiles.scheduler);
  if (text === undefined) return {};
  const { extenders, ...others } = followed(dataDir, configFiles.scheduler, readSchedulerConfiguration(text));
  const opened: Extender[] = [];
  for (const endpoint of extenders) opened.push(await openExtender(world, dataDir, endpoint));
  return { ...others, extenders: opened };
}

async function openExtender(world: World, dataDir: string, { settings, tls }: ExtenderEndpoint): Promise<Extender> {
  const read = async (pem: Pem): Promise<string | undefined> => {
    if (pem === undefined || "data" in pem) return pem?.data;
    const path = pem.file.startsWith("/") ? pem.file : `${configFolder(dataDir)}/${pem.file}`;
    return await world.disk.readText(path);
  };
  const ca = await read(tls.ca);
  const [certificate, key] = [await read(tls.certificate), await read(tls.key)];
  const [, baseUrl = settings.urlPrefix, path = ""] = /^(https?:\/\/[^/]+)(.*)$/.exec(settings.urlPrefix) ?? [];
  const transport = world.http.transport({
    baseUrl,
    connectTimeoutMs: settings.timeoutMs,
    ...(tls.insecure && { insecure: true }),
    ...(tls.serverName !== undefined && { serverName: tls.serverName }),
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && key !== undefined && { identity: { certificate, key } }),
  });
  return new Extender({ settings, transport, path, timers: world.timers });
}
