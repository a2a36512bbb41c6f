import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statfsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { release } from "node:os";
import { dirname } from "node:path";
import { UserError } from "./user-error.ts";

/** What must hold before a cluster starts. Each check throws `UserError` and changes nothing. */

/** Oldest kernel whose nftables has what the service proxy uses. */
const kernelLeast = [5, 10] as const;
/** Free space that a new cluster needs, and one that only starts again. */
const freeBytesLeast = { first: 200 * 1024 * 1024, again: 20 * 1024 * 1024 } as const;
/** What may lie in a new cluster's folder already: settings of who may come in, and what a file system brings. */
const allowedBefore = ["config", "lost+found"];
const portsTried = 100;

/** A real node wants root and a kernel that is new enough. */
export function checkMachine(): void {
  if (process.getuid?.() !== 0) {
    throw new UserError(
      "Real containers need root, and you are not root.",
      "Run sudo ./steer up, or try ./steer up --simulate 3 without containers.",
    );
  }
  const [major = 0, minor = 0] = release().split(/[.-]/).map(Number);
  if (major < kernelLeast[0] || (major === kernelLeast[0] && minor < kernelLeast[1])) {
    throw new UserError(
      `The kernel is ${release()}.`,
      `Steersman's nodes need Linux ${kernelLeast.join(".")} or newer; ./steer up --simulate 3 works on this one.`,
    );
  }
}

/** Nothing of somebody else may lie where a new cluster goes: with a cluster its folder is removed. */
export function checkNewFolder(dataDir: string): void {
  if (!existsSync(dataDir)) return;
  if (!statSync(dataDir).isDirectory()) throw new UserError(`${dataDir} is a file.`, "Name a folder with --data-dir.");
  const others = readdirSync(dataDir).filter((name) => !allowedBefore.includes(name));
  if (others.length > 0) {
    throw new UserError(
      `The folder ${dataDir} holds no cluster, but something else (${others.slice(0, 3).join(", ")}).`,
      "Name an empty or a new one with --data-dir.",
    );
  }
}

export function checkSpace(dataDir: string, start: keyof typeof freeBytesLeast): void {
  let folder = dataDir;
  while (!existsSync(folder) && folder !== "/") folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < freeBytesLeast[start]) {
    const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
    throw new UserError(
      `The disk that holds ${folder} has ${mebibytes(bavail * bsize)} free; a cluster needs ${mebibytes(freeBytesLeast[start])}.`,
      `Free some space${start === "first" ? ", or choose another place with --data-dir" : ", then run this again"}.`,
    );
  }
}

/** The port, when nobody has it. `remedy` says how to come to another. */
export async function freePort(port: number, remedy: string): Promise<number> {
  const problem = await tryListen(port);
  if (problem === undefined) return port;
  const holder = spawnSync("ss", ["-Hltnp", `sport = :${port}`], { encoding: "utf8" }).stdout ?? "";
  const program = /users:\(\("([^"]+)"/.exec(holder)?.[1];
  throw new UserError(
    problem === "EACCES"
      ? `Port ${port} may not be opened by this user.`
      : `Port ${port} is taken${program === undefined ? "" : ` by ${program}`}.`,
    remedy,
  );
}

/** The preferred port, or the next that nobody has. */
export async function anyFreePort(preferred: number): Promise<number> {
  for (let port = preferred; port < preferred + portsTried; port += 1)
    if ((await tryListen(port)) === undefined) return port;
  throw new UserError(`Ports ${preferred} to ${preferred + portsTried - 1} are all taken.`, "Free one of them.");
}

function tryListen(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen(port, "0.0.0.0", () => server.close(() => resolve(undefined)));
  });
}
