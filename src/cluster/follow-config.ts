import type { AuditPolicy } from "#apiserver/audit/policy.ts";
import type { AuditWebhook } from "#apiserver/audit/webhook.ts";
import type { Log } from "#telemetry/log.ts";
import { createBackoff } from "#reconcile/backoff.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import type { Random } from "#world/random.ts";
import {
  configFiles,
  configFolder,
  ConfigFileError,
  readAuditPolicy,
  readAuthenticationPart,
  readAuthorizationPart,
  readEndpoint,
} from "./access-files.ts";
import type { AccessSettings } from "./access.ts";
import type { FollowedPart, Reloads } from "./reloads.ts";
import type { Server } from "./server.ts";

/** Changed settings are read this long after the first sign of a change, in milliseconds. */
const changeSettlesMs = 200;
/** Settings that name something which is down are tried again after this long, doubling, in milliseconds. */
const againMinMs = 2_000;
const againMaxMs = 60_000;

/** Settings that come from files, and count anew when these change. */
export interface Following {
  readonly part: FollowedPart;
  /** Where files lie besides the `config` folder. */
  readonly folders?: readonly string[];
  /** Reads the files, and puts them in force when they say something new: then true. Throws what is wrong with them. */
  follow(): Promise<boolean>;
}

export interface FollowParts {
  readonly disk: Pick<Disk, "watch">;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Pick<Timers, "after">;
  readonly random: Random;
  readonly log: Log;
  readonly reloads: Reloads;
}

type Reading = Pick<Disk, "readText" | "stat" | "list">;

/**
 * Settings follow their files without a restart. What cannot be followed is told and counted, and the former settings stay; each
 * part for itself. What fails by what it names is tried again until that is well or a file changes.
 */
export function followConfig(dataDir: string, parts: FollowParts, all: readonly Following[]): { close(): void } {
  const { disk, clock, timers, random, log, reloads } = parts;
  let isPlanned = false;
  let isClosed = false;
  let working = Promise.resolve();
  const tries = all.map((following) => ({
    following,
    backoff: createBackoff(random, againMinMs, againMaxMs),
    again: undefined as Timer | undefined,
  }));
  const follow = async (one: (typeof tries)[number]): Promise<void> => {
    if (isClosed) return;
    const { part, follow: once } = one.following;
    try {
      if (!(await once())) return;
      reloads.note(part, true, clock.now());
      log.info("changed settings count from now on", { part });
    } catch (error) {
      reloads.note(part, false, clock.now());
      log.error("cannot follow the changed settings, the former ones stay", error, { part });
      if (isClosed || !(error instanceof ConfigFileError && error.mayPass)) return;
      one.again?.cancel();
      one.again = timers.after(one.backoff.next(), () => void (working = working.then(() => follow(one))));
    }
  };
  const round = (): void => {
    isPlanned = false;
    for (const one of tries) {
      working = working.then(() => {
        one.again?.cancel();
        one.backoff.reset();
        return follow(one);
      });
    }
  };
  const folders = new Set([configFolder(dataDir), ...all.flatMap((each) => each.folders ?? [])]);
  const watches = [...folders].map((folder) =>
    disk.watch(folder, () => {
      if (isPlanned) return;
      isPlanned = true;
      // An editor writes in several steps.
      timers.after(changeSettlesMs, round);
    }),
  );
  // What changed between the start's look at the files and the watch.
  round();
  return {
    close: () => {
      isClosed = true;
      for (const { again } of tries) again?.cancel();
      for (const watch of watches) watch.close();
    },
  };
}

/** Who may come in, and who judges them. `started`: what counts already. */
export function followAccess(
  server: Pick<Server, "replaceAccess">,
  disk: Reading,
  dataDir: string,
  forbiddenIssuers: readonly string[],
  started: AccessSettings,
): readonly Following[] {
  const { authorizers, authorizerEndpoints, ...authentication } = started;
  const halves = {
    authentication,
    authorization: {
      ...(authorizers !== undefined && { authorizers }),
      ...(authorizerEndpoints !== undefined && { authorizerEndpoints }),
    } as AccessSettings,
  };
  const half = (part: "authentication" | "authorization", read: () => Promise<AccessSettings>): Following => ({
    part,
    follow: async () => {
      const next = await read();
      if (textOf(next) === textOf(halves[part])) return false;
      const all = { ...halves, [part]: next };
      server.replaceAccess({ ...all.authentication, ...all.authorization });
      halves[part] = next;
      return true;
    },
  });
  return [
    half("authentication", () => readAuthenticationPart(disk, dataDir, forbiddenIssuers)),
    half("authorization", () => readAuthorizationPart(disk, dataDir)),
  ];
}

/** What is written down: requests that come from now on are judged by the new policy. */
export function followAudit(auditing: { policy: AuditPolicy }, disk: Reading, dataDir: string): Following {
  return {
    part: "audit_policy",
    follow: async () => {
      const next = await readAuditPolicy(disk, dataDir);
      if (textOf(next) === textOf(auditing.policy)) return false;
      auditing.policy = next;
      return true;
    },
  };
}

/** Where entries go besides the log file: a new server gets what still waits for the former one. */
export function followAuditWebhook(webhook: AuditWebhook, disk: Reading, dataDir: string): Following {
  return {
    part: "audit_webhook",
    follow: async () => {
      const next = await readEndpoint(disk, dataDir, configFiles.auditWebhook);
      if (textOf(next) === textOf(webhook.endpoint)) return false;
      webhook.endpoint = next;
      return true;
    },
  };
}

/** For comparing settings: maps as lists, bytes as numbers. */
function textOf(settings: unknown): string | undefined {
  return JSON.stringify(settings, (_, value: unknown) => (value instanceof Map ? [...value] : value));
}
