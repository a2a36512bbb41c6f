import type { Disk } from "#world/disk.ts";
import type { Payload } from "./payload.ts";

export interface PayloadOwner {
  readonly uid?: number | undefined;
  /** Group that reads the files (`fsGroup`). */
  readonly gid?: number | undefined;
}

/**
 * Shows a payload in a folder, all of it at once: files lie in a new folder, the link `..data` is renamed over the old one, and
 * names in the volume point through it. `stamp` makes the folder's name and must be new. Answers nothing; readers never see a mix.
 */
export async function writePayload(
  disk: Disk,
  folder: string,
  payload: Payload,
  stamp: string,
  owner: PayloadOwner,
): Promise<void> {
  const data = `..${stamp}`;
  const before = await previousData(disk, folder);
  const target = `${folder}/${data}`;
  await makeFolder(disk, target, owner);
  for (const [path, file] of payload) {
    await makeParents(disk, target, path, owner);
    const full = `${target}/${path}`;
    await disk.write(full, file.content, file.mode);
    // The process's umask must not decide.
    await disk.chmod(full, owner.gid === undefined ? file.mode : file.mode | 0o440);
    await own(disk, full, owner);
  }
  const temporary = `${folder}/..data_tmp`;
  await disk.remove(temporary);
  await disk.symlink(data, temporary);
  await disk.rename(temporary, `${folder}/..data`);
  const names = new Set([...payload.keys()].map((path) => path.split("/")[0] ?? path));
  const shown = new Set((await disk.list(folder)).filter((name) => !name.startsWith("..")));
  for (const name of names) if (!shown.has(name)) await disk.symlink(`..data/${name}`, `${folder}/${name}`);
  for (const name of shown) if (!names.has(name)) await disk.remove(`${folder}/${name}`);
  if (before !== undefined && before !== data) await disk.remove(`${folder}/${before}`);
}

async function previousData(disk: Disk, folder: string): Promise<string | undefined> {
  const link = await disk.stat(`${folder}/..data`);
  return link?.kind === "symlink" ? disk.readlink(`${folder}/..data`) : undefined;
}

async function makeParents(disk: Disk, target: string, path: string, owner: PayloadOwner): Promise<void> {
  const parts = path.split("/").slice(0, -1);
  for (let count = 1; count <= parts.length; count += 1)
    await makeFolder(disk, `${target}/${parts.slice(0, count).join("/")}`, owner);
}

async function makeFolder(disk: Disk, path: string, owner: PayloadOwner): Promise<void> {
  await disk.makeDirectory(path);
  await disk.chmod(path, owner.gid === undefined ? 0o755 : 0o2755);
  await own(disk, path, { gid: owner.gid });
}

async function own(disk: Disk, path: string, owner: PayloadOwner): Promise<void> {
  if (owner.uid !== undefined || owner.gid !== undefined) await disk.chown(path, owner.uid ?? 0, owner.gid ?? 0);
}
