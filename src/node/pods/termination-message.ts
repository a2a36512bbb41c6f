import type { Disk } from "#world/disk.ts";
import { terminationLogBytesMax, terminationLogLinesMax, terminationMessageBytesMax } from "../limits.ts";
import { parseLogLine } from "../logs/line.ts";
import { messagePolicyAnnotation } from "./labels.ts";
import type { ObservedContainer } from "./observed.ts";

/** What an ended container left to say: its message file, or, when it asked for that and failed, the end of its log. */
export async function readTerminationMessage(disk: Disk, container: ObservedContainer, file: string): Promise<string> {
  const message = await readEnd(disk, file, terminationMessageBytesMax);
  const wantsLog = container.annotations[messagePolicyAnnotation] === "FallbackToLogsOnError";
  if (message !== "" || !wantsLog || container.exitCode === 0) return message;
  const lines = (await readEnd(disk, container.logPath, terminationLogBytesMax * 4))
    .split("\n")
    .filter((line) => line !== "");
  const contents = lines.slice(-terminationLogLinesMax).map((line) => {
    const parsed = parseLogLine(line);
    return parsed === undefined ? "" : `${parsed.content}${parsed.partial ? "" : "\n"}`;
  });
  return contents.join("").slice(-terminationLogBytesMax);
}

async function readEnd(disk: Disk, path: string, bytesMax: number): Promise<string> {
  const stat = path === "" ? undefined : await disk.stat(path);
  if (stat?.kind !== "file" || stat.size === 0) return "";
  const bytes = await disk.readAt(path, Math.max(0, stat.size - bytesMax), bytesMax);
  return new TextDecoder().decode(bytes);
}
