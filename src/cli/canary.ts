import {
  approvedAnnotation,
  canaries,
  type Canary,
  type CanaryStatus,
  type MirrorStatus,
  type SideStatus,
} from "#api/delivery/canary.ts";
import type { Client, ObjectName } from "#client/client.ts";

const barWidth = 40;
const rest: readonly (string | undefined)[] = [undefined, "Stable", "RolledBack"];

/** Whether a release is under way. */
export function isOnTrial({ status }: Canary): boolean {
  return !rest.includes(status?.phase);
}

/** Calls `seen` for a Canary as it is and after each change, until closed; with undefined when it is gone. */
export function followCanary(
  client: Client,
  at: ObjectName,
  seen: (canary: Canary | undefined) => void,
  ended: (error?: Error) => void,
): { close(): void } {
  const selector = { fieldSelector: `metadata.name=${at.name}` };
  const scope = at.namespace === undefined ? {} : { namespace: at.namespace };
  return client.watch(
    canaries,
    { ...selector, ...scope },
    {
      event: ({ type, object }) => {
        if (type !== "BOOKMARK") seen(type === "DELETED" ? undefined : object);
      },
      end: ended,
    },
  );
}

/** Lets the paused step of a Canary go on; answers what was approved, undefined when nothing waits. */
export async function approveCanary(client: Client, at: ObjectName): Promise<string | undefined> {
  const { status, metadata } = await client.get(canaries, at);
  if (status?.phase !== "Paused") return undefined;
  const approval = `${status.candidate}.${(status.step ?? 0) + 1}`;
  const patch = {
    metadata: { resourceVersion: metadata.resourceVersion, annotations: { [approvedAnnotation]: approval } },
  };
  await client.patch(canaries, at, patch, { type: "merge" });
  return approval;
}

/** Columns that a line takes beside its bar. */
const besideBar = 68;
const barWidthMin = 8;

/**
 * A Canary as a few lines of text: where it stands, both sides with their intervals, and the verdict. On a terminal no line is
 * longer than its `columns`: what it folds itself could not be drawn over.
 */
export function renderCanary(canary: Canary, columns = Infinity): string {
  const lines = linesOf(canary, Math.max(barWidthMin, Math.min(barWidth, columns - besideBar)));
  return `${lines.flatMap((line) => folded(line, columns)).join("\n")}\n`;
}

function folded(line: string, columns: number): string[] {
  const found: string[] = [];
  let rest = line;
  while (rest.length > columns && columns > foldIndent.length) {
    const space = rest.lastIndexOf(" ", columns);
    const at = space > foldIndent.length ? space : columns;
    found.push(rest.slice(0, at).trimEnd());
    rest = foldIndent + rest.slice(at).trimStart();
  }
  return [...found, rest];
}

const foldIndent = "    ";

function linesOf({ metadata, spec, status }: Canary, width: number): string[] {
  const { phase, stable, candidate, share = "0%", step = 0, verdict, message } = status ?? {};
  const steps = spec.steps
    .map(({ share: of, mirror }) => (mirror === undefined ? (of ?? "") : `mirror ${mirror}`))
    .map((text, index) => (isAt(status, index) ? `[${text}]` : text))
    .join("  ");
  const release = phase === "Stable" || phase === undefined ? (stable ?? "") : `${candidate} beside ${stable}`;
  // Before anybody has come there is nothing to see on either side.
  const isCounted = phase !== "Stable" && (status?.users?.users ?? 0) + (status?.control?.users ?? 0) > 0;
  const mirrored = phase === "Stable" ? undefined : status?.mirrored;
  const problem = status?.conditions?.find(({ type, status: is }) => type === "Ready" && is === "False");
  return [
    `${metadata.namespace}/${metadata.name}  ${phase ?? "not acting"}  ${release}`,
    ...(problem === undefined ? [] : [`  ${problem.reason}: ${problem.message}`]),
    `  steps    ${steps}   ${share} of the users get the new version${phase === "Step" ? ` (step ${step + 1})` : ""}`,
    ...(mirrored === undefined ? [] : mirrorLines(mirrored, width)),
    ...(isCounted && mirrored === undefined
      ? [...sideLines("new", status?.users, width), ...sideLines("stable", status?.control, width)]
      : []),
    ...(verdict === undefined || !(isCounted || mirrored !== undefined) ? [] : [`  verdict  ${verdictText[verdict]}`]),
    ...(phase === "Stable" ? [] : checkLines(status)),
    ...(message === undefined ? [] : [`  ${printable(message)}`]),
    ...rollbackLines(status),
  ];
}

function checkLines(status: CanaryStatus | undefined): string[] {
  return (status?.checks ?? []).map(
    ({ name, verdict, message }) => `  check    ${name}: ${verdictText[verdict]} (${printable(message)})`,
  );
}

const verdictText = {
  Pass: "pass",
  Fail: "fail",
  NotEnoughData: "not enough data yet",
  BothSidesFail: "both sides fail: the new version is not to blame",
} as const;

function isAt(status: CanaryStatus | undefined, index: number): boolean {
  const isActive = status?.phase === "Starting" || status?.phase === "Step" || status?.phase === "Paused";
  return isActive && status.step === index;
}

function sideLines(name: string, side: SideStatus | undefined, width: number): string[] {
  return side === undefined ? [] : [countLine(name, side.users, "users", side, width)];
}

/** What the new version answered to copies, and the stable one to the same requests. */
function mirrorLines({ copies, originals, dropped }: MirrorStatus, width: number): string[] {
  return [
    countLine("copies", copies.requests, "copies", copies, width),
    countLine("stable", originals.requests, "originals", originals, width),
    ...(dropped === 0 ? [] : [`  dropped  ${dropped} copies, which count on neither side`]),
  ];
}

function countLine(
  name: string,
  count: number,
  of: string,
  { inErrors, low, high }: Pick<SideStatus, "inErrors" | "low" | "high">,
  width: number,
): string {
  const numbers = `${inErrors} of ${count} ${of} in errors`;
  return `  ${name.padEnd(7)}  ${numbers.padEnd(32)}  ${percent(low)} to ${percent(high)}  ${bar(low, high, width)}`;
}

/** The interval on a scale from 0 % to 100 %. */
function bar(low: number, high: number, width: number): string {
  const [from, to] = [Math.floor(low * width), Math.max(Math.floor(low * width) + 1, Math.ceil(high * width))];
  return `|${" ".repeat(from)}${"=".repeat(to - from)}${" ".repeat(Math.max(0, width - to))}|`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`.padStart(7);
}

function rollbackLines(status: CanaryStatus | undefined): string[] {
  const { phase, lastRollback } = status ?? {};
  if (phase !== "RolledBack" || lastRollback === undefined) return [];
  const { fromFirstErrorMs, samples = [] } = lastRollback;
  const time =
    fromFirstErrorMs === undefined
      ? []
      : [`  ${(fromFirstErrorMs / 1000).toFixed(1)} s from the first error until nobody had it`];
  return [...time, ...samples.map((sample) => `  error    ${printable(sample)}`)];
}

/** Users' text on a terminal: control characters are none of it. */
function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, "?");
}
