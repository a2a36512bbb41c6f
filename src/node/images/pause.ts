import type { Crypto } from "#world/crypto.ts";
import type { Disk } from "#world/disk.ts";
import { writeImageArchive } from "./oci-archive.ts";

/** The image every sandbox runs; made on the machine, never pulled. */
export const pauseImageName = "localhost/steersman-pause:1";

/** Debian's init for containers: with `-P` it only waits and reaps. */
const pauseBinary = "/usr/bin/catatonit";

/** The pause image as an OCI archive. Rejects with ENOENT when the package `catatonit` is missing. */
export async function buildPauseImage(options: {
  readonly disk: Disk;
  readonly crypto: Crypto;
  readonly architecture: string;
}): Promise<Uint8Array> {
  const binary = await options.disk.read(pauseBinary);
  return writeImageArchive(
    {
      name: pauseImageName,
      architecture: options.architecture,
      files: [{ path: "pause", content: binary, mode: 0o755 }],
      entrypoint: ["/pause", "-P"],
      user: "65535:65535",
    },
    options.crypto,
  );
}
