import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A registry on loopback with one image that only `user:secret` may pull; enough of the distribution protocol for a pull. */
export async function startRegistry(files: {
  readonly config: object;
  readonly layer: Buffer;
}): Promise<{ server: Server; port: number }> {
  const layer = blob(files.layer, "application/vnd.oci.image.layer.v1.tar");
  const config = blob(
    Buffer.from(JSON.stringify({ ...files.config, rootfs: { type: "layers", diff_ids: [layer.digest] } })),
    "application/vnd.oci.image.config.v1+json",
  );
  const manifest = blob(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: describe(config),
        layers: [describe(layer)],
      }),
    ),
    "application/vnd.oci.image.manifest.v1+json",
  );
  const server = createServer((request, response) => {
    if (request.headers.authorization !== `Basic ${btoa("user:secret")}`) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      return;
    }
    const path = request.url ?? "";
    const found = path.endsWith("/manifests/1")
      ? manifest
      : [layer, config, manifest].find(({ digest }) => path.endsWith(digest));
    if (path === "/v2/") response.writeHead(200).end();
    else if (found === undefined) response.writeHead(404).end();
    else {
      response.writeHead(200, {
        "content-type": found.mediaType,
        "content-length": found.bytes.length,
        "docker-content-digest": found.digest,
      });
      response.end(request.method === "HEAD" ? undefined : found.bytes);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

interface Blob {
  readonly bytes: Buffer;
  readonly digest: string;
  readonly mediaType: string;
}

function blob(bytes: Buffer, mediaType: string): Blob {
  return { bytes, mediaType, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}` };
}

function describe({ bytes, digest, mediaType }: Blob): object {
  return { mediaType, digest, size: bytes.length };
}
