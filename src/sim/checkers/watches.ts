import { limits } from "../limits.ts";
import type { Checker, Report, View } from "./checker.ts";

interface WatchLine {
  readonly type: string;
  readonly object: {
    readonly metadata?: { readonly resourceVersion?: string; readonly name?: string; readonly namespace?: string };
  };
}

/** Events further back than this are not compared: only the order is. */
const loggedMax = 20_000;

/**
 * 18: what a watcher gets is ordered and unique, and, where it watches all of a resource, reliable: each event is the next one of
 * that resource, none is missing.
 */
export function watchChecker(view: View, report: Report): Checker {
  const logs = new Map<string, number[]>();
  return {
    name: "watches",
    changed(changes) {
      for (const { resource, revision } of changes) {
        const log = logs.get(resource) ?? [];
        logs.set(resource, log);
        log.push(revision);
        if (log.length > 2 * loggedMax) log.splice(0, loggedMax);
      }
    },
    watching(client, target) {
      const watched = parse(target);
      if (watched === undefined) return undefined;
      return follow(`${client}'s watch of ${target}`, watched, () => logs.get(watched.resource) ?? [], view, report);
    },
  };
}

interface Watched {
  readonly resource: string;
  readonly from: number;
  /** No selector, no namespace: every event of the resource must come. */
  readonly isWhole: boolean;
}

function parse(target: string): Watched | undefined {
  const [path = "", query = ""] = target.split("?");
  const given = new URLSearchParams(query);
  if (given.get("watch") === null) return undefined;
  const parts = path.split("/").slice(1);
  const [group, rest] = parts[0] === "api" ? ["", parts.slice(2)] : [parts[1] ?? "", parts.slice(3)];
  if (rest.length !== 1) return undefined;
  const isSelected =
    given.get("labelSelector") !== null ||
    given.get("fieldSelector") !== null ||
    given.get("sendInitialEvents") !== null;
  const from = Number(given.get("resourceVersion") ?? 0);
  return { resource: group === "" ? rest[0]! : `${group}/${rest[0]}`, from, isWhole: !isSelected && from > 0 };
}

function follow(
  what: string,
  watched: Watched,
  log: () => readonly number[],
  view: View,
  report: Report,
): (chunk: Uint8Array) => void {
  let text = "";
  let last = watched.from;
  const decoder = new TextDecoder();
  const check = (line: string): void => {
    const { type, object } = JSON.parse(line) as WatchLine;
    if (type === "ERROR") return;
    const revision = Number(object.metadata?.resourceVersion);
    const name = `${object.metadata?.namespace ?? ""}/${object.metadata?.name}`;
    if (revision < last || (type !== "BOOKMARK" && revision === last && !isSeveral(log(), revision))) {
      report("18 watch order", `${what} got ${type} ${name} at ${revision} after ${last}`);
    }
    const missed = watched.isWhole ? missing(log(), last, revision, type === "BOOKMARK") : undefined;
    if (missed !== undefined)
      report(
        "18 watch reliability",
        `${what} got ${type} at ${revision} after ${last}, without the event at ${missed}`,
      );
    last = revision;
    if (last > view.history.revision) report("18 watch", `${what} got ${revision}, which is not visible yet`);
  };
  return (chunk) => {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > limits.lineBytesMax) report("18 watch", `${what} got a line without an end`);
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      if (line !== "") check(line);
    }
  };
}

/** A transaction may change several objects of a resource at one revision. */
function isSeveral(log: readonly number[], revision: number): boolean {
  return log.lastIndexOf(revision) !== log.indexOf(revision);
}

/** An event between `after` and `at` that should have come. */
function missing(log: readonly number[], after: number, at: number, isBookmark: boolean): number | undefined {
  for (let index = log.length - 1; index >= 0; index -= 1) {
    const revision = log[index]!;
    if (revision <= after) return undefined;
    if (revision < at || (isBookmark && revision === at)) return revision;
  }
  return undefined;
}
