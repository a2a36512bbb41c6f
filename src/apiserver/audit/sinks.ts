import { isRecord } from "#codec/record.ts";
import { parseJson } from "#codec/json.ts";
import type { Store } from "#store/store.ts";
import type { AuditLogFile } from "./log-file.ts";
import { recoveredRevisionsMax } from "./limits.ts";
import type { AuditWebhook } from "./webhook.ts";

/** Where entries go, a line of JSON each. */
export interface AuditSinks {
  /** Takes an entry that a transaction holds as well. */
  note(line: string): void;
  /** Takes an entry that is nowhere else: whoever gets a promise answers the request after it. */
  write(line: string): Promise<void> | undefined;
  /** Entries that were lost since the start, by the sink that lost them. */
  lost(): readonly { readonly plugin: "log" | "webhook"; readonly count: number }[];
}

/** The log file, and beside it a webhook. */
export function auditSinks(
  log: Pick<AuditLogFile, "note" | "write" | "lost">,
  webhook: AuditWebhook | undefined,
): AuditSinks {
  return {
    note: (line) => {
      log.note(line);
      webhook?.note(line);
    },
    write: (line) => {
      webhook?.note(line);
      return log.write(line);
    },
    lost: () => [
      { plugin: "log", count: log.lost },
      ...(webhook === undefined ? [] : [{ plugin: "webhook" as const, count: webhook.lost }]),
    ],
  };
}

/** The key of an entry's annotations that names the revision its write made. */
export const revisionAnnotation = "steersman.dev/revision";

/**
 * Entries of writes that are durable in the store, and that the log lost with the process or the power, go into the log again:
 * once each. Call before requests come; resolves with their number.
 */
export async function recoverEntries(
  store: Pick<Store, "recordsAfter" | "visible">,
  log: AuditLogFile,
): Promise<number> {
  const known = new Set<string>();
  let oldest = Infinity;
  for (const line of await log.tail()) {
    const entry = entryIn(line);
    if (entry?.["stage"] !== "ResponseComplete") continue;
    known.add(identityOf(entry));
    const { annotations } = entry;
    const revision = isRecord(annotations) ? Number(annotations[revisionAnnotation]) : NaN;
    if (revision < oldest) oldest = revision;
  }
  let count = 0;
  // Without a log there is nothing to begin at: it was taken away, or never got its first entry.
  const from = oldest === Infinity ? store.visible - recoveredRevisionsMax : oldest;
  for (const { revision, bytes } of await store.recordsAfter(from)) {
    const parsed = parseJson(bytes);
    const entry = parsed.ok && isRecord(parsed.value) ? parsed.value["audit"] : undefined;
    if (!isRecord(entry) || known.has(identityOf(entry))) continue;
    known.add(identityOf(entry));
    const annotations = isRecord(entry["annotations"]) ? entry["annotations"] : {};
    log.note(JSON.stringify({ ...entry, annotations: { ...annotations, [revisionAnnotation]: String(revision) } }));
    count += 1;
  }
  return count;
}

function entryIn(line: string): Record<string, unknown> | undefined {
  try {
    // Our own text, and much of it: the engine's parser is the fastest.
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    // A crash tore it.
    return undefined;
  }
}

/** Clients may choose the id of an entry: alone it says nothing. */
function identityOf({
  auditID,
  requestReceivedTimestamp,
  verb,
  requestURI,
}: Readonly<Record<string, unknown>>): string {
  return JSON.stringify([auditID, requestReceivedTimestamp, verb, requestURI]);
}
