import type { Disk } from "#world/disk.ts";
import { VolumeError } from "./payload.ts";

/** Checks or makes a path of the node as its type asks. Rejects with `VolumeError`. */
export async function prepareHostPath(disk: Disk, path: string, type: string): Promise<void> {
  if (path.split("/").includes("..")) throw new VolumeError(`hostPath "${path}" must not contain '..'`);
  if (type === "") return;
  const found = await disk.stat(path);
  if (found === undefined && type === "DirectoryOrCreate") {
    await disk.makeDirectory(path, 0o755);
    return;
  }
  if (found === undefined && type === "FileOrCreate") {
    await disk.write(path, "", 0o644);
    return;
  }
  const kinds: Readonly<Record<string, string>> = {
    DirectoryOrCreate: "directory",
    Directory: "directory",
    FileOrCreate: "file",
    File: "file",
    Socket: "other",
    CharDevice: "other",
    BlockDevice: "other",
  };
  const wanted = kinds[type];
  if (wanted === undefined) throw new VolumeError(`hostPath type "${type}" is unknown`);
  // Where a link leads is the runtime's to follow; what it is cannot be told without following.
  if (found !== undefined && (found.kind === wanted || found.kind === "symlink")) return;
  throw new VolumeError(`hostPath type check failed: ${path} is not a ${type.replace("OrCreate", "").toLowerCase()}`);
}
