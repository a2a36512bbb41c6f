/**
 * Makes the images of the examples and tests from Debian's packages: the packages are fetched with apt-get and unpacked, not
 * installed. Writes OCI archives. Run: node tools/make-images.ts [FOLDER]
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeImageArchive, type ImageDescription } from "#node/images/oci-archive.ts";
import type { TarEntry } from "#node/images/tar.ts";
import { createCrypto } from "#world/node/crypto.ts";

const root = join(import.meta.dirname, "..");
const imagesFolder = join(root, "node_modules/.cache/images");
const architecture = process.arch === "arm64" ? "arm64" : "amd64";

/** What nginx needs to run, besides its configuration. Documentation and the package tool's own files stay outside. */
const nginxPackages = ["nginx", "libc6", "libcrypt1", "libpcre2-8-0", "libssl3", "zlib1g", "busybox-static"];
const leftOut =
  /^usr\/share\/(doc|man|locale|lintian|bug|info)\/|^var\/lib\/dpkg|^etc\/(init\.d|logrotate\.d|ufw|default)\/|^etc\/nginx\/nginx\.conf$/;

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Versions of the example; the third has a defect that four of ten users meet. */
const versions = ["1", "2", "3"] as const;
const defects: Readonly<Record<string, string>> = {
  "3": 'if ($unlucky) { return 500 "web version 3 fails for you\\n"; } ',
};

function nginxConfiguration(version: string): string {
  return `worker_processes 1;
daemon off;
pid /run/nginx.pid;
error_log /dev/stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  keepalive_timeout 30;
  map $cookie_sid $unlucky { default 0; ~[0-3]$ 1; }
  server {
    listen 80;
    add_header X-Version ${version} always;
    add_header X-Replica $hostname always;
    default_type text/plain;
    location = /healthz { return 200 "ok\\n"; }
    location / { ${defects[version] ?? ""}return 200 "web version ${version} from $hostname\\n"; }
  }
}
`;
}

/** The images of examples/web, by the name of their archive. */
export async function makeImages(folder: string = imagesFolder): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const wanted = [...versions.map((version) => `web-${version}`), "busybox"].map((name) => join(folder, `${name}.tar`));
  if (wanted.every((path) => existsSync(path))) return wanted;
  const work = mkdtempSync(join(tmpdir(), "steer-images-"));
  try {
    const rootfs = unpackPackages(work, nginxPackages);
    const files = readTree(rootfs, "");
    for (const version of versions) {
      save(folder, `web-${version}`, {
        name: `localhost/steersman-web:${version}`,
        architecture,
        files: [...files, { path: "etc/nginx/nginx.conf", content: text(nginxConfiguration(version)) }, ...accounts()],
        entrypoint: ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"],
        exposedPorts: ["80/tcp"],
        // nginx ends gracefully on SIGQUIT and at once on SIGTERM.
        stopSignal: "SIGQUIT",
      });
    }
    save(folder, "busybox", busyboxImage(join(rootfs, "bin/busybox")));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return wanted;
}

function busyboxImage(binary: string): ImageDescription {
  const applets = spawnSync(binary, ["--list"], { encoding: "utf8" }).stdout.trim().split("\n");
  return {
    name: "localhost/steersman-busybox:1",
    architecture,
    files: [
      { path: "bin", mode: 0o755 },
      { path: "bin/busybox", content: readFileSync(binary), mode: 0o755 },
      ...applets.filter((name) => name !== "busybox").map((name) => ({ path: `bin/${name}`, symlink: "busybox" })),
      { path: "tmp", mode: 0o1777 },
      ...accounts(),
    ],
    command: ["/bin/sh"],
  };
}

function accounts(): TarEntry[] {
  return [
    {
      path: "etc/passwd",
      content: text(
        "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
      ),
    },
    { path: "etc/group", content: text("root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n") },
    { path: "run", mode: 0o755 },
    { path: "tmp", mode: 0o1777 },
    { path: "var/log/nginx", mode: 0o755 },
    { path: "var/lib/nginx", mode: 0o755 },
  ];
}

function unpackPackages(work: string, names: readonly string[]): string {
  const download = () => spawnSync("apt-get", ["-q", "download", ...names], { cwd: work, encoding: "utf8" });
  if (download().status !== 0) {
    spawnSync("apt-get", ["-q", "update"], { stdio: "ignore" });
    const { status, stderr } = download();
    if (status !== 0) {
      const said = stderr.trim().split("\n").at(-1) ?? "";
      throw new Error(`Cannot fetch Debian's packages ${names.join(", ")}. Check the network. apt-get says: ${said}`);
    }
  }
  const rootfs = join(work, "rootfs");
  for (const file of readdirSync(work).filter((name) => name.endsWith(".deb"))) {
    const { status, stderr } = spawnSync("dpkg-deb", ["-x", join(work, file), rootfs], { encoding: "utf8" });
    if (status !== 0) throw new Error(`Cannot unpack ${file}: ${stderr}`);
  }
  return rootfs;
}

/** Folders before what they hold; names sorted, so that the same packages give the same archive. */
function readTree(folder: string, prefix: string): TarEntry[] {
  return readdirSync(join(folder, prefix))
    .sort()
    .flatMap((name): TarEntry[] => {
      const path = prefix === "" ? name : `${prefix}/${name}`;
      if (leftOut.test(path) || leftOut.test(`${path}/`)) return [];
      const full = join(folder, path);
      const stats = lstatSync(full);
      if (stats.isSymbolicLink()) return [{ path, symlink: readlinkSync(full) }];
      if (stats.isDirectory()) return [{ path, mode: stats.mode & 0o7777 }, ...readTree(folder, path)];
      return [{ path, content: readFileSync(full), mode: stats.mode & 0o7777 }];
    });
}

function save(folder: string, name: string, image: ImageDescription): void {
  const path = join(folder, `${name}.tar`);
  // An interrupted run leaves no half archive under the final name.
  writeFileSync(`${path}.new`, writeImageArchive(image, createCrypto()));
  renameSync(`${path}.new`, path);
}

if (process.argv[1] === import.meta.filename) {
  for (const path of await makeImages(process.argv[2])) process.stdout.write(`${path}\n`);
}
