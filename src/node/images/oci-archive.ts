import type { Crypto } from "#world/crypto.ts";
import { writeTar, type TarEntry } from "./tar.ts";

export interface ImageDescription {
  /** With host and tag: `localhost/pause:1`. */
  readonly name: string;
  /** Go's name: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly files: readonly TarEntry[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: readonly string[];
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly exposedPorts?: readonly string[];
  readonly stopSignal?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();

/**
 * Writes an image with one layer as an OCI archive (a tar of the OCI image layout). The same description gives the same
 * bytes: times are zero and the files keep their order.
 */
export function writeImageArchive(image: ImageDescription, crypto: Crypto): Uint8Array {
  const layer = writeTar(image.files);
  const layerDigest = hex(crypto.sha256(layer));
  const config = json({
    architecture: image.architecture,
    os: "linux",
    created: "1970-01-01T00:00:00Z",
    config: {
      Entrypoint: image.entrypoint,
      Cmd: image.command,
      Env: image.environment ?? ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      User: image.user,
      WorkingDir: image.workingDirectory,
      StopSignal: image.stopSignal,
      Labels: image.labels,
      ExposedPorts: image.exposedPorts && Object.fromEntries(image.exposedPorts.map((port) => [port, {}])),
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${layerDigest}`] },
  });
  const configDigest = hex(crypto.sha256(config));
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: `sha256:${configDigest}`,
      size: config.length,
    },
    layers: [
      { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: `sha256:${layerDigest}`, size: layer.length },
    ],
  });
  const manifestDigest = hex(crypto.sha256(manifest));
  const index = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: `sha256:${manifestDigest}`,
        size: manifest.length,
        platform: { architecture: image.architecture, os: "linux" },
        annotations: { "io.containerd.image.name": image.name },
      },
    ],
  });
  return writeTar([
    { path: "oci-layout", content: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", content: index },
    { path: `blobs/sha256/${manifestDigest}`, content: manifest },
    { path: `blobs/sha256/${configDigest}`, content: config },
    { path: `blobs/sha256/${layerDigest}`, content: layer },
  ]);
}

function json(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
